"""Which class is named: not always the most probable one, where rare classes are to count like common ones.

Post-hoc logit adjustment (Menon et al. 2021): of calibrated probabilities p and the shares π of the classes,
the class with the greatest p / π^τ is named. τ = 0 names the most probable class, which is most often right;
τ = 1 is the Bayes rule of balanced accuracy. The probabilities that are shown stay calibrated.
"""

from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

Floats = NDArray[np.float64]
TAUS = (0.0, 0.25, 0.5, 0.75, 1.0)


class LogitAdjustment(BaseModel):
    """What probabilities are divided by before a class is named.

    Attributes:
        tau: In [0, 1].
        shares: Of each class among the images it was fitted on, in (0, 1], in the order of the logits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tau: Annotated[float, Field(ge=0, le=1)]
    shares: tuple[Annotated[float, Field(gt=0, le=1)], ...]

    def adjusted(self, probabilities: ArrayLike) -> Floats:
        """Scores p / π^τ of probabilities (N, K), scaled to sum to 1; the greatest is the class named."""
        scores = np.asarray(probabilities, dtype=np.float64) * np.array(self.shares) ** -self.tau
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def fit(probabilities: Floats, labels: NDArray[np.intp]) -> LogitAdjustment:
    """The τ of `TAUS` with the highest balanced accuracy, in doubt the smaller.

    Args:
        probabilities: Calibrated on other lesions, (N, K).
        labels: (N,).
    """
    from transxv2s.scoring.confusion import balanced_accuracy  # slow to import, for fitting alone

    counts = np.bincount(labels, minlength=probabilities.shape[1])
    shares = tuple((np.maximum(counts, 1) / len(labels)).tolist())
    candidates = [LogitAdjustment(tau=tau, shares=shares) for tau in TAUS]
    return max(candidates, key=lambda one: balanced_accuracy(one.adjusted(probabilities), labels))
