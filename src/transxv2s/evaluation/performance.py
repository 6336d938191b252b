"""What a checkpoint tells of itself once it was calibrated anew: how it does, and on which images."""

from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from transxv2s.classifier import Classifier
from transxv2s.datasets.copies import fingerprints_of_readable_files
from transxv2s.datasets.portion import Portion
from transxv2s.datasets.protocol import is_doubled
from transxv2s.datasets.provenance import overlap
from transxv2s.datasets.records import Record
from transxv2s.errors import DataError
from transxv2s.evaluation.outputs import group_of, outputs_of
from transxv2s.evaluation.scored import ScoredImages
from transxv2s.trust.fitting import Fitted, Outputs, evidence_of
from transxv2s.trust.measured import measured

Probabilities: TypeAlias = NDArray[np.float64]  # (N, K)

NO_TEST = "the checkpoint will tell nothing of a test part"


class Answered(NamedTuple):
    """How images were answered.

    Attributes:
        scores: None if there are none.
        failures: Why some of them cannot be read, by id.
        notes: In words.
        scored: What was said of each image; None without scores.
    """

    scores: dict[str, Any] | None
    failures: dict[str, str]
    notes: tuple[str, ...] = ()
    scored: ScoredImages | None = None


NOTHING = Answered(None, {})


def on_own_images(fitted: Fitted, outputs: Outputs, classifier: Classifier, chosen: Portion) -> Answered:
    """How it does on the images that trust was fitted to, which flatters."""
    images = f"{chosen.protocol()} of {chosen.name}" if chosen.split else f"images of {chosen.name}"
    how = "only its probabilities to other lesions" if fitted.choice else "its probabilities too"
    words = f"{images}, to which it was fitted ({how})"
    return _answered(fitted, outputs, fitted.held_out, classifier, words)


def on_test_part(fitted: Fitted, classifier: Classifier, chosen: Portion, grouping: str | None) -> Answered:
    """How it does on the test part of the split of its training, without images that it has seen.

    Args:
        fitted: Its new trust.
        classifier: It, of any trust.
        chosen: Data set and split.
        grouping: What the groups of prediction sets are.
    """
    split, test = chosen.split, replace(chosen, subset="test")
    if split is None or is_doubled(split):
        return NOTHING
    records, left_out = _unseen(classifier, chosen.part("test"), chosen.leaky)
    if not records:
        return Answered(None, {}, (f"{NO_TEST}: no image of it is there that was not seen",))
    try:
        said, failures = outputs_of(
            classifier,
            records,
            lambda r: split.lesion[r.id],
            lambda r: group_of(r, grouping),
            "Scoring the test part",
        )
    except DataError as error:
        return Answered(None, {}, (f"{NO_TEST}: {error}",))
    without = f" without {left_out:,} that it has seen" if left_out else ""
    probabilities = fitted.trust.scaling.probabilities(said.logits)
    words = f"{test.protocol()} of {chosen.name}{without}"
    return _answered(fitted, said, probabilities, classifier, words)._replace(failures=failures)


def _answered(
    fitted: Fitted, outputs: Outputs, probabilities: Probabilities, classifier: Classifier, words: str
) -> Answered:
    evidence = evidence_of(fitted.trust, fitted.score, outputs, probabilities)
    scores = measured(fitted, outputs, evidence, classifier.taxonomy, words)
    return Answered(scores, {}, scored=ScoredImages.of(outputs, evidence, classifier.taxonomy.codes))


def _unseen(classifier: Classifier, records: list[Record], leaky: bool) -> tuple[list[Record], int]:
    """Test images that neither it nor the network it started from was trained on, and how many others."""
    seen = classifier.seen_images()
    if leaky or not records:
        return records, 0
    if seen is None:
        of_a_parent = classifier.config.training.get("from")
        return ([], len(records)) if of_a_parent else (records, 0)
    places, prints, _ = fingerprints_of_readable_files(records)
    _, those = overlap(seen.by_training(), [records[place] for place in places], prints)
    return [record for record in records if record.id not in those], len(those)
