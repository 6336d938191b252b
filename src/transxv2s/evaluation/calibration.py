"""`transxv2s calibrate`: fits trust to a checkpoint on images it was not trained on; shows the outcome."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transxv2s.checkpoint import Checkpoint, with_trust
from transxv2s.classifier import Classifier
from transxv2s.datasets.copies import fingerprints_of_readable_files
from transxv2s.datasets.duplicates import Fingerprints
from transxv2s.datasets.portion import Portion
from transxv2s.datasets.provenance import SeenImages, overlap
from transxv2s.datasets.records import Record
from transxv2s.errors import DataError
from transxv2s.evaluation import performance
from transxv2s.evaluation.operating_figure import operating_curve
from transxv2s.evaluation.outputs import group_of, outputs_of
from transxv2s.evaluation.reliability_figure import reliability_before_and_after
from transxv2s.evaluation.scored import PREDICTIONS, ScoredImages
from transxv2s.files import make_folders, write_whole
from transxv2s.scoring.bootstrap import lesion_numbers
from transxv2s.scoring.calibration import calibration
from transxv2s.scoring.shares import Pair, lesion_shares
from transxv2s.trust.calibration import softmax
from transxv2s.trust.fitting import Fitted, Outputs, evenly_by_class, evidence_of, fit, learn_novelty
from transxv2s.trust.policy import Goals

RESULTS, CURVE, RELIABILITY = "calibration.json", "operating_curve.png", "reliability.png"
UNCHECKED = (
    "the checkpoint does not tell which images it has seen: "
    "nobody could check that it was trained on none of these"
)


@dataclass(frozen=True)
class _Images:
    """What is calibrated on.

    Attributes:
        records: The images.
        lesions: Lesion or group of the split, by id.
        of_training: Whether they are what the network was validated on in training.
        seen: All that the new checkpoint will have seen; None where the old one does not tell.
        failures: By id why other images cannot be read.
        notes: What a reader must know of them.
    """

    records: list[Record]
    lesions: Mapping[str, str]
    of_training: bool
    seen: SeenImages | None
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """What they are called in the metrics of a checkpoint."""
        return "validation" if self.of_training else "calibration"


def calibrate(
    checkpoint: Checkpoint,
    classifier: Classifier,
    chosen: Portion,
    target: Path,
    report: Path,
    *,
    goals: Goals,
    coverage: float,
    grouping: str | None,
) -> dict[str, Any]:
    """Fits calibration, prediction sets, novelty and policy, writes the checkpoint and a report.

    Where the split is the one of training, novelty is learnt anew and the test part is scored once more;
    otherwise the checkpoint's own score stays and gets a new threshold, the checkpoint remembers that it has
    seen the images, and what it tells of itself is how it does on them. Unlike at the end of training, the
    quality of the images counts.

    Args:
        checkpoint: What is calibrated.
        classifier: The same at work.
        chosen: The images to calibrate on, as a rule the validation part of the split of training.
        target: Checkpoint directory that is written.
        report: Folder for calibration.json, figures, and tables of what was said of each image.
        goals: Of the referral policy.
        coverage: Of the prediction sets.
        grouping: "source" or "age" for sets by group.

    Returns:
        The content of calibration.json.

    Raises:
        DataError: The network was trained on some of the images, or there are none.
        LeakageError: The split leaks and is not declared to.
    """
    make_folders(report)
    again = (report / RESULTS).exists()
    if _split_of_training(checkpoint, chosen) and checkpoint.config.training.get("leaky"):
        chosen = replace(chosen, leaky=True)  # once declared, every output says so
    images = _images(checkpoint, classifier, chosen)
    outputs, failures = outputs_of(
        classifier,
        images.records,
        lambda r: images.lesions[r.id],
        lambda r: group_of(r, grouping),
        "Calibrating",
    )
    score = checkpoint.novelty
    if images.of_training and chosen.split:
        trained = chosen.part("train")
        known = [trained[i] for i in evenly_by_class([record.label for record in trained])]
        score = learn_novelty(outputs_of(classifier, known, lambda r: r.id, title="Learning novelty")[0])
    words = f"{chosen.protocol()} of {chosen.name}, {len(outputs.labels)} images"
    sizes: dict[str, int] = dict(checkpoint.config.training.get("class_sizes", {}))  # type: ignore[arg-type]
    fitted = fit(
        outputs, score, classifier.taxonomy, sizes, words, goals=goals, coverage=coverage, grouping=grouping
    )
    own, tested = performance.on_own_images(fitted, outputs, classifier, chosen), performance.NOTHING
    if images.of_training:
        tested = performance.on_test_part(fitted, classifier, chosen, grouping)
    answered = {name: one for name, one in ((images.named, own), ("test", tested)) if one.scores}
    metrics = {name: one.scores for name, one in answered.items()}
    seen = images.seen.to_bytes() if images.seen else None
    digest = with_trust(checkpoint, fitted.trust, fitted.score, target, metrics=metrics, seen_images=seen)
    results = _results(fitted, outputs, classifier, images) | {"checkpoint": digest, "fitted_on": words}
    results["failures"] |= failures | tested.failures
    results["notes"] += tested.notes
    results["metrics"] = metrics
    write_whole(report / RESULTS, json.dumps(results, indent=2) + "\n")
    _draw(fitted, outputs, classifier.taxonomy.codes, report)
    _write_tables(report, {name: one.scored for name, one in answered.items() if one.scored}, again)
    return results


def _write_tables(report: Path, tables: Mapping[str, ScoredImages], again: bool) -> None:
    """What an earlier calibration left there is removed: it is of other images, or says other things.

    A run of training has tables of these names, too: they stay where no calibration was written before.
    """
    for name in ("validation", "calibration", "test"):
        path = report / PREDICTIONS.format(name)
        if name in tables:
            tables[name].write(path)
        elif again:
            path.unlink(missing_ok=True)


def _split_of_training(checkpoint: Checkpoint, chosen: Portion) -> bool:
    """Whether the images are what the network was validated on, by the digest of its split."""
    digest = checkpoint.config.training.get("split_digest")
    return chosen.split is not None and chosen.split.digest == digest and chosen.subset == "validation"


def _images(checkpoint: Checkpoint, classifier: Classifier, chosen: Portion) -> _Images:
    """Raises DataError where the network was trained on some of them, or none can be read."""
    records, seen = chosen.records(), classifier.seen_images()
    if _split_of_training(checkpoint, chosen):
        records = _validated_on(checkpoint, records, seen)
        lesions = dict(zip((r.id for r in records), chosen.lesions(records), strict=True))
        return _Images(records, lesions, of_training=True, seen=seen and seen.by_training())
    places, prints, failures = fingerprints_of_readable_files(records)
    records = [records[place] for place in places]
    if not records:
        raise DataError(f"none of the images can be read; the first: {next(iter(failures.values()))}")
    if seen:
        _refuse_seen(seen.by_training(), records, prints)
        seen = seen.with_calibration(records, prints)
    lesions = dict(zip((r.id for r in records), chosen.lesions(records, prints), strict=True))
    notes = () if seen else (UNCHECKED,)
    return _Images(records, lesions, of_training=False, seen=seen, failures=failures, notes=notes)


def _validated_on(checkpoint: Checkpoint, records: list[Record], seen: SeenImages | None) -> list[Record]:
    """Without the validation images that training left out, since the network it started from had seen them.

    What it has seen begins with its own images.
    """
    training: dict[str, Any] = dict(checkpoint.config.training)
    if seen is None or not training.get("from") or training.get("leaky"):
        return records
    own = set(seen.ids[: training["images"]["train"] + training["images"]["validation"]])
    return [record for record in records if record.id in own]


def _refuse_seen(seen: SeenImages, records: Sequence[Record], prints: Fingerprints) -> None:
    found, those = overlap(seen, records, prints)
    if those:
        raise DataError(
            f"{len(those)} of the {found['images']} images share a lesion or a picture with those that the "
            "network was trained or validated on: take the validation part of that split, or other images"
        )


def _results(fitted: Fitted, outputs: Outputs, classifier: Classifier, images: _Images) -> dict[str, Any]:
    codes, trust = classifier.taxonomy.codes, fitted.trust
    members = evidence_of(trust, fitted.score, outputs, fitted.held_out).members
    return {
        "scaling": trust.scaling.kind,
        "choice": fitted.choice and fitted.choice.model_dump(mode="json"),
        "before": calibration(softmax(outputs.logits), outputs.labels, codes),
        "held_out": calibration(fitted.held_out, outputs.labels, codes),
        "sets": _sets(members, outputs, codes),
        "policy": trust.policy.model_dump(mode="json"),
        "referred_by": fitted.tuned.shares,
        "operating_curve": fitted.tuned.curve,
        "operating_curve_without_rare_floors": fitted.tuned.without_rare,
        "notes": [*images.notes, *fitted.tuned.notes],
        "failures": dict(images.failures),
    }


def _sets(members: NDArray[np.bool_], outputs: Outputs, codes: Sequence[str]) -> dict[str, Any]:
    """Sets as users get them, on the images that they were fitted on; each lesion counts once.

    `coverage`: of each class, the share of lesions whose set holds it; `size`: mean number of classes.
    """
    of = [outputs.labels == k for k in range(len(codes))]
    pairs: list[Pair] = [(members[:, k] & mine, mine) for k, mine in enumerate(of)]
    pairs.append((members.sum(1), np.ones(len(members))))
    found = lesion_shares(pairs, lesion_numbers(outputs.lesions, len(members)), draws=1)
    *coverage, size = (one["value"] for one in found)
    return {"coverage": dict(zip(codes, coverage, strict=True)), "size": size}


def _draw(fitted: Fitted, outputs: Outputs, codes: Sequence[str], report: Path) -> None:
    models = {"before": softmax(outputs.logits), "after, on lesions left out": fitted.held_out}
    figures = {
        RELIABILITY: reliability_before_and_after(models, outputs.labels, codes),
        CURVE: operating_curve(fitted.tuned, fitted.trust.policy.goals),
    }
    for name, canvas in figures.items():
        buffer = io.BytesIO()
        canvas.savefig(buffer, format="png", dpi=150)
        write_whole(report / name, buffer.getvalue())
