"""The whole evaluation of a checkpoint on a data set: audit, overlap, predictions, scores, files."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from transxv2s.checkpoint import CheckpointConfig
from transxv2s.classifier import Classifier
from transxv2s.datasets.copies import fingerprints_of
from transxv2s.datasets.portion import Portion
from transxv2s.datasets.provenance import overlap
from transxv2s.evaluation import figures
from transxv2s.evaluation.predictions import Predictions, predict
from transxv2s.evaluation.result import Scored, evaluate
from transxv2s.files import alone, write_whole
from transxv2s.reports.page import fill
from transxv2s.scoring import Report, write_submission
from transxv2s.taxonomy import ISIC2018, ISIC2019, ISIC2019_UNK, Taxonomy, project


def run(
    classifier: Classifier, chosen: Portion, out: Path, *, floor: float, batch_size: int = 32
) -> dict[str, Any]:
    """Evaluates and writes predictions.csv, submission.csv, results.json and report.html.

    Args:
        classifier: The checkpoint at work.
        chosen: Images.
        out: Folder for the files, which must be there; predictions already in it are not made again.
        floor: Recall under which a class raises an alarm.
        batch_size: Images that go through the network together.

    Returns:
        The content of results.json.

    Raises:
        LeakageError: The split leaks and is not declared to.
        DataError: The images cannot be read or scored, or another run writes into the folder.
    """
    with alone(out / "results.json"):
        return _into(out, classifier, chosen, floor, batch_size)


def _into(
    out: Path, classifier: Classifier, chosen: Portion, floor: float, batch_size: int
) -> dict[str, Any]:
    """As `run`, for one process at a time."""
    records = chosen.records()
    data, model = chosen.reading.taxonomy, classifier.taxonomy
    predictions = predict(
        classifier,
        records,
        data.codes,
        out / "predictions.csv",
        lesions_of=chosen.lesions,
        batch_size=batch_size,
    )
    readable, trust = predictions.records, classifier.config.trust
    found, seen = overlap(classifier.seen_images(), readable, fingerprints_of(readable))
    result, scored = evaluate(
        predictions=predictions,
        model=model,
        data=data,
        trained=trained_classes(classifier.config),
        floor=floor,
        sets=trust.sets if trust else None,
        weights=chosen.reading.weights,
    )
    results: dict[str, Any] = {
        "dataset": {"name": chosen.name, "images": len(records), "notes": list(chosen.reading.notes)},
        "protocol": chosen.protocol(),
        "checkpoint": {"variant": classifier.config.variant, "digest": classifier.digest},
        "engine": classifier.engine,
        "overlap": found,
        "failures": predictions.failures,
        "floor": floor,
        **result,
        "scores_without_overlap": _without(scored, seen),
    }
    _write_submission(predictions, model, data, out / "submission.csv")
    write_whole(out / "results.json", json.dumps(results, indent=2) + "\n")
    write_whole(out / "report.html", _page(results, scored, chosen))
    return results


def trained_classes(config: CheckpointConfig) -> list[str]:
    """Codes of the classes that the network saw in training; all, where the checkpoint does not tell."""
    sizes = config.training.get("class_sizes")
    return [c for c in config.classes if sizes.get(c)] if isinstance(sizes, dict) else config.classes


def _without(scored: Scored, seen: frozenset[str]) -> Report | None:
    """Scores over the images that the network has not seen; None where that is all of them, or none."""
    clean = [i for i, image in enumerate(scored.ids) if image not in seen]
    return scored.take(clean).report() if 0 < len(clean) < len(scored.ids) else None


def _write_submission(predictions: Predictions, model: Taxonomy, data: Taxonomy, path: Path) -> None:
    """In the format of the ISIC challenge that the data set belongs to; UNK has probability 0.

    Of the adjusted scores, as the challenge asks which class is named.
    """
    official = ISIC2018 if data is ISIC2018 else ISIC2019_UNK if model is ISIC2019 else model
    scores = np.minimum(project(predictions.adjusted, model, official), 1.0)
    write_submission(path, [record.id for record in predictions.records], scores, official.codes)


def _page(results: dict[str, Any], scored: Scored, chosen: Portion) -> str:
    scores, codes = results["scores"], results["classes"]
    drawn = {
        "confusion": figures.confusion(scores, codes),
        "recall": figures.recall(scores, codes, results["floor"]),
        "roc": figures.roc(scored.probabilities, scored.labels, scores, codes),
        "reliability": figures.reliability(scored.probabilities, scored.labels, codes),
    }
    return fill(
        "evaluation.html.j2",
        **{key: value for key, value in results.items() if key != "scores_without_overlap"},
        clean=results["scores_without_overlap"],
        warnings=_warnings(results, chosen),
        names={c.code: c.name for c in scored.taxonomy.classes},
        figures={name: canvas and figures.svg(canvas) for name, canvas in drawn.items()},
    )


def _warnings(results: dict[str, Any], chosen: Portion) -> list[str]:
    """What a reader must know before any number."""
    found = results["overlap"]
    return [
        *(["The protocol leaks and was declared to: compare with nothing clean."] if chosen.leaky else []),
        *([f"Contaminated: {found['words']}."] if found["any"] else []),
        *([f"Overlap with training is {found['words']}."] if found["any"] is None else []),
        *([f"Could not be read: {len(results['failures']):,} of the images."] if results["failures"] else []),
    ]
