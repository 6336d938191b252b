"""Everything that is said of a checkpoint on a set of labelled images, ready for JSON."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets.records import Record, counted, notes
from transxv2s.errors import DataError
from transxv2s.evaluation.answers import common_taxonomy, named_right
from transxv2s.evaluation.prediction_sets import Judged, SetOutcomes, set_outcomes
from transxv2s.evaluation.predictions import Predictions
from transxv2s.imaging.skin_tone import skin_tone
from transxv2s.scoring import (
    Alarm,
    Answered,
    OfficialScores,
    Outcome,
    Report,
    Subgroup,
    age_band,
    alarms,
    official_score,
    referral,
    report,
    subgroups,
)
from transxv2s.scoring.malignancy import MALIGNANT_OR_PRECANCEROUS
from transxv2s.scoring.submission import WITHDRAWN
from transxv2s.taxonomy import ISIC2019_UNK, Behaviour, Taxonomy, mapping, project, relabel
from transxv2s.trust.conformal import PredictionSets
from transxv2s.trust.rules import needing_expert

Floats = NDArray[np.float64]


class Result(TypedDict):
    """Scores of one set of predictions.

    Attributes:
        taxonomy: In which classes was scored.
        classes: Their codes.
        notes: What was left out of the scores, and why.
        scores: With intervals.
        official: By the rules of the ISIC challenges, in the data set's own classes.
        alarms: Classes that the network fails on.
        referral: What comes of referring, by the name of a grouping; of the answers that users get.
        prediction_sets: What became of their promise; None where a checkpoint makes none.
        subgroups: By source, sex, age, site and skin tone.
    """

    taxonomy: str
    classes: list[str]
    notes: list[str]
    scores: Report
    official: OfficialScores | None
    alarms: list[Alarm]
    referral: dict[str, list[Outcome]]
    prediction_sets: SetOutcomes | None
    subgroups: dict[str, list[Subgroup]]


class Scored(NamedTuple):
    """What the scores and figures rest on.

    Attributes:
        ids: N image ids.
        lesions: N lesions or groups.
        probabilities: (N, K) in the taxonomy of the result.
        adjusted: (N, K), of which the greatest is the class that is named.
        labels: (N,), positions in it.
        taxonomy: That taxonomy.
    """

    ids: list[str]
    lesions: list[str]
    probabilities: Floats
    adjusted: Floats
    labels: NDArray[np.intp]
    taxonomy: Taxonomy

    def take(self, kept: Sequence[int]) -> "Scored":
        """Some of the images."""
        places = np.array(kept, np.intp)
        return Scored(
            [self.ids[i] for i in kept],
            [self.lesions[i] for i in kept],
            self.probabilities[places],
            self.adjusted[places],
            self.labels[places],
            self.taxonomy,
        )

    def report(self) -> Report:
        """Scores with intervals."""
        return report(self.probabilities, self.labels, self.lesions, self.taxonomy, adjusted=self.adjusted)


def evaluate(
    *,
    predictions: Predictions,
    model: Taxonomy,
    data: Taxonomy,
    trained: Sequence[str],
    floor: float,
    sets: PredictionSets | None = None,
    weights: Mapping[str, float] | None = None,
) -> tuple[Result, Scored]:
    """Scores predictions.

    Args:
        predictions: Of N images.
        model: Classes of the network.
        data: Classes of the data set.
        trained: Codes of the network's classes that it saw in training.
        floor: Recall under which a class raises an alarm.
        sets: What the checkpoint promises of its prediction sets; None if nothing.
        weights: By image id, how much it counts by the official rules; 1 where nothing is said.

    Raises:
        DataError: No image is of a class that the network was trained on.
        InputError: The classes of network and data set cannot be compared.
    """
    target = common_taxonomy(model, data)
    groupings = _groupings(predictions)
    places = relabel([r.label for r in predictions.records], data, target)
    seen = set(relabel([model.index(code) for code in trained], model, target))
    kept = [(i, place) for i, place in enumerate(places) if place is not None and place in seen]
    if not kept:
        raise DataError("none of the images is of a class that the checkpoint was trained on")
    chosen = np.array([i for i, _ in kept], np.intp)
    scored = Scored(
        [predictions.records[i].id for i, _ in kept],
        [predictions.lesions[i] for i, _ in kept],
        project(predictions.probabilities, model, target)[chosen],
        project(predictions.adjusted, model, target)[chosen],
        np.array([place for _, place in kept], np.intp),
        target,
    )
    judged = Judged(
        predictions.members[chosen],
        scored.labels,
        scored.lesions,
        {name: [groupings[name][i] for i in chosen] for name in ("source", "age")},
        model,
        target,
    )
    scores = scored.report()
    result: Result = {
        "taxonomy": target.name,
        "classes": list(target.codes),
        "notes": _notes(predictions.records, places, seen, None in mapping(model, target), target),
        "scores": scores,
        "official": _official(predictions, model, data, target, weights or {}),
        "alarms": alarms(scores, floor),
        "referral": _referral(predictions, groupings, model, data),
        "prediction_sets": set_outcomes(judged, sets) if sets else None,
        "subgroups": subgroups(
            scored.probabilities,
            scored.labels,
            scored.lesions,
            target,
            {name: [groups[i] for i in chosen] for name, groups in groupings.items()},
            adjusted=scored.adjusted,
        ),
    }
    return result, scored


def _notes(
    records: Sequence[Record],
    places: Sequence[int | None],
    seen: set[int | None],
    conditional: bool,
    target: Taxonomy,
) -> list[str]:
    pairs = list(zip(records, places, strict=True))
    foreign = [r.id for r, place in pairs if place is None]
    unseen = [r.id for r, place in pairs if place is not None and place not in seen]
    left_out = "and is left out of the scores", "and are left out of the scores"
    return list(
        notes(
            counted(
                foreign,
                f"image is of no class of the network {left_out[0]}",
                f"images are of no class of the network {left_out[1]}",
            ),
            counted(
                unseen,
                f"image is of a class never trained on {left_out[0]}",
                f"images are of classes never trained on {left_out[1]}",
            ),
            f"probabilities are given that the lesion is one of {', '.join(target.codes)}"
            if conditional
            else "",
        )
    )


def _official(
    predictions: Predictions, model: Taxonomy, data: Taxonomy, target: Taxonomy, weights: Mapping[str, float]
) -> OfficialScores | None:
    """In the data set's classes, UNK with probability 0 included, or in the network's if coarser.

    None where the publisher gives no image any weight.
    """
    own = data if data is ISIC2019_UNK else target
    labels = relabel([r.label for r in predictions.records], data, own)
    kept = [(i, label) for i, label in enumerate(labels) if label is not None]
    scores = project(predictions.adjusted, model, own)[[i for i, _ in kept]]
    ids = [predictions.records[i].id for i, _ in kept]
    counts = [0.0 if image == WITHDRAWN else weights.get(image, 1.0) for image in ids]
    return official_score(scores, [label for _, label in kept], own.codes, counts) if any(counts) else None


def _referral(
    predictions: Predictions, groupings: Mapping[str, list[str | None]], model: Taxonomy, data: Taxonomy
) -> dict[str, list[Outcome]]:
    """Of the answers that users get, which are in the network's own classes, to all images.

    To an image of a class that the network does not know every answer is wrong.
    """
    named, places = predictions.named, [r.label for r in predictions.records]
    labels = [data.classes[place] for place in places]
    answered = Answered(
        right=named_right(named.tolist(), places, model, data),
        referred=predictions.referred,
        suspected=needing_expert(model)[named],
        ought=np.array([c.behaviour in MALIGNANT_OR_PRECANCEROUS for c in labels]),
        lesions=predictions.lesions,
    )
    by_label: dict[str, list[str | None]] = {
        "behaviour": [c.behaviour for c in labels],
        "class": [c.code for c in labels],
    }
    return referral(
        answered, by_label | dict(groupings), {"behaviour": get_args(Behaviour), "class": data.codes}
    )


def _groupings(predictions: Predictions) -> dict[str, list[str | None]]:
    records = predictions.records
    return {
        "source": [r.source for r in records],
        "sex": [r.sex for r in records],
        "age": [age_band(r.age) for r in records],
        "site": [r.site for r in records],
        "skin tone": [
            None if np.isnan(angle) else skin_tone(float(angle)) for angle in predictions.skin_angle
        ],
    }
