"""Which form of calibration: the one that does best on lesions it was not fitted on, in doubt the simpler.

Likelihood leaves several forms that are as good as each other, of which a policy of referral may need more or
fewer experts for the same safety. That is for `fitting` to see, which tunes a policy under each of them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

from transxv2s.errors import InputError
from transxv2s.scoring.bootstrap import lesion_numbers
from transxv2s.scoring.reliability import log_losses
from transxv2s.trust.calibration import fit_temperature
from transxv2s.trust.scaling import KINDS, Floats, Kind
from transxv2s.trust.scaling_fit import FOLDS, SEED, Integers, fit, folds_of


class KindScore(BaseModel):
    """How one form does on lesions that it was not fitted on.

    Attributes:
        nll: Mean negative log-likelihood over all images.
        gain: By how much that is less than that of the form chosen among the simpler ones.
        standard_error: Of the gain, over lesions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    nll: float
    gain: float
    standard_error: float


class Choice(BaseModel):
    """The chosen form and what it was chosen by.

    Attributes:
        kind: The form.
        scores: Of every form, from the simplest to the richest.
        as_good: The form that likelihood chooses, and the richer ones that are not clearly worse.
        referred: Once policies were tuned: what the floors of safety refer, as a share of the images, under
            each of these that names no clearly fewer images rightly than the likeliest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    scores: dict[Kind, KindScore]
    as_good: tuple[Kind, ...]
    referred: dict[Kind, float] = {}


def held_out(
    kind: Kind,
    logits: ArrayLike,
    labels: ArrayLike,
    lesions: Sequence[object],
    *,
    folds: int = FOLDS,
    seed: int = SEED,
) -> Floats:
    """Probabilities (N, K) of each image by a scaling that was fitted on the other folds of lesions.

    Penalties are chosen anew within each fold.

    Args:
        kind: The form.
        logits: Shape (N, K), of images that the network was not trained on.
        labels: Class indices, shape (N,).
        lesions: Which lesion each image shows; two at least.
        folds: Into how many parts the lesions are dealt, 2 or more; of fewer lesions each is a part.
        seed: Of the dealing.

    Raises:
        InputError: The arguments are empty, not finite or do not go together, or nothing can be left out.
    """
    fit_temperature(logits, labels)  # refuses what does not go together
    z, y = np.asarray(logits, np.float64), np.asarray(labels, np.intp)
    lesion = lesion_numbers(lesions, len(y))
    if folds < 2 or not lesion.any():
        raise InputError(
            "A form of calibration is chosen on images of two lesions or more, in 2 folds or more."
        )
    fold, found = folds_of(y, lesion, folds, seed), np.zeros(z.shape)
    for number in np.unique(fold):
        out = fold == number
        found[out] = fit(kind, z[~out], y[~out], lesion[~out].tolist()).probabilities(z[out])
    return found


def choose(found: Mapping[Kind, Floats], labels: ArrayLike, lesions: Sequence[object]) -> Choice:
    """The form with the least negative log-likelihood on lesions left out, in doubt the simpler one.

    A richer form must beat the one chosen so far by more than one standard error of the difference. That is
    taken over lesions, as images of one lesion err together.

    Args:
        found: What `held_out` gives for every form, (N, K) each.
        labels: Class indices, shape (N,).
        lesions: Which lesion each image shows; two at least.
    """
    y = np.asarray(labels, np.intp)
    lesion = lesion_numbers(lesions, len(y))
    losses = {kind: log_losses(found[kind], y) for kind in KINDS}
    chosen = KINDS[0]
    scores: dict[Kind, KindScore] = {}
    for kind in KINDS:
        gain, error = mean_over_lesions(losses[chosen] - losses[kind], lesion)
        scores[kind] = KindScore(nll=float(losses[kind].mean()), gain=gain, standard_error=error)
        if gain > error:
            chosen = kind
    richer = KINDS[KINDS.index(chosen) + 1 :]  # each of them was compared with the one chosen
    good = [kind for kind in richer if scores[kind].gain >= -scores[kind].standard_error]
    return Choice(kind=chosen, scores=scores, as_good=(chosen, *good))


def mean_over_lesions(difference: Floats, lesion: Integers) -> tuple[float, float]:
    """Mean of a difference (N,) over images, and its standard error over L lesions.

    The mean is a ratio of two sums over lesions, hence √(L/(L − 1) · Σ_l (Σ_{i in l} (d_i − mean))²) / N.
    """
    mean, lesions = difference.mean(), int(lesion.max()) + 1
    of_lesions = np.bincount(lesion, difference - mean)
    error = np.sqrt(lesions / (lesions - 1) * (of_lesions**2).sum()) / len(difference)
    return float(mean), float(error)
