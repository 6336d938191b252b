"""The end of a run: calibrate on validation, score the test part once, write the checkpoint directory."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from transxv2s.checkpoint import CheckpointConfig, described, write_checkpoint
from transxv2s.datasets.article import original
from transxv2s.datasets.audit import LEAKY
from transxv2s.datasets.copies import fingerprints_of
from transxv2s.datasets.provenance import SeenImages
from transxv2s.scoring import report
from transxv2s.scoring.arrays import share
from transxv2s.taxonomy import Taxonomy
from transxv2s.training.data import LesionData
from transxv2s.training.scored import PREDICTIONS, ScoredImages
from transxv2s.training.start import Origin
from transxv2s.trust.calibration import (
    Calibration,
    conformal_threshold,
    fit_temperature,
    prediction_set,
    softmax,
)
from transxv2s.trust.referral import Referral, decide, suspicion_limit

COVERAGE = 0.9  # of the prediction sets
MIN_CONFIDENCE = 0.5  # an answer must be more likely than all other classes together
SENSITIVITY = 0.95  # share of the lesions needing an expert that the limit on suspicion refers on validation


class Protocol(BaseModel):
    """How a network was trained; stored in its checkpoint.

    Attributes:
        recipe: The whole recipe.
        split_digest: Digest of the split file.
        images: Images of each subset.
        class_sizes: Training images of each class.
        leaky: The split leaks and was declared to.
        epochs: Finished epochs.
        training_minutes: Wall-clock time of fitting, validation included, over all resumptions.
        machine: Processor kind, threads, PyTorch version.
        origin: The checkpoint it started from, if any; `from` in the checkpoint.
    """

    model_config = ConfigDict(frozen=True)

    recipe: dict[str, Any]
    split_digest: str
    images: dict[str, int]
    class_sizes: dict[str, int]
    leaky: bool
    epochs: int
    training_minutes: float
    machine: str
    origin: Origin | None = Field(default=None, serialization_alias="from")


def calibrate(logits: NDArray[np.float64], labels: NDArray[np.int64], fitted_on: str) -> Calibration:
    """Temperature and conformal threshold from logits (N, K) and labels (N,) not used for training."""
    temperature = fit_temperature(logits, labels)
    threshold = conformal_threshold(softmax(logits, temperature), labels, COVERAGE)
    return Calibration(
        temperature=temperature, coverage=COVERAGE, set_threshold=threshold, fitted_on=fitted_on
    )


def trust_scores(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    taxonomy: Taxonomy,
    calibration: Calibration,
    referral: Referral,
) -> dict[str, float | None]:
    """How prediction sets and referral do, as shares; None where there is no such image.

    `coverage` of the sets and their mean `set_size`; the share `referred` of the lesions that need an expert
    and of the others; `accuracy_of_answers` given without an expert. Notes on image quality are left out.
    """
    sets = [prediction_set(row, calibration.set_threshold) for row in probabilities]
    rows = zip(probabilities.tolist(), sets, strict=True)
    referred = np.array([decide(row, s, (), taxonomy, referral)[0] == "expert_review" for row, s in rows])
    needs_expert = np.array([c.needs_expert for c in taxonomy.classes])[labels]
    right = np.array([s[0] == label for s, label in zip(sets, labels, strict=True)])
    return {
        "coverage": share(np.array([label in s for s, label in zip(sets, labels, strict=True)])),
        "set_size": float(np.mean([len(s) for s in sets])),
        "referred_needing_expert": share(referred[needs_expert]),
        "referred_benign": share(referred[~needs_expert]),
        "accuracy_of_answers": share(right[~referred]),
    }


def publish(
    network: nn.Module, data: LesionData, logits: dict[str, Tensor], protocol: Protocol, directory: Path
) -> Path:
    """Writes the checkpoint directory of a trained network, in half precision.

    Args:
        network: With the weights to publish.
        data: The images that the logits belong to.
        logits: (N, K) of the subsets "validation" and "test".
        protocol: How it was trained.
        directory: Where to write.
    """
    split = f"{data.recipe.data.split.stem} (digest {data.split.digest})"
    leaky = LEAKY if protocol.leaky else ""
    validation = _labelled(data, logits, "validation")
    calibration = calibrate(*validation, f"validation part of {split}, {len(validation[1])} images")
    calibrated = softmax(validation[0], calibration.temperature)
    limit = suspicion_limit(calibrated, validation[1], data.taxonomy, SENSITIVITY)
    referral = Referral(min_confidence=MIN_CONFIDENCE, max_suspicion=limit)
    metrics: dict[str, Any] = {}
    for subset in ("validation", "test"):
        scored = _scored(data, logits, subset, calibration.temperature)
        scored.write(directory.with_name(PREDICTIONS.format(subset)))
        metrics[subset] = {
            **report(scored.probabilities, scored.labels, scored.lesions, data.taxonomy),
            "trust": trust_scores(scored.probabilities, scored.labels, data.taxonomy, calibration, referral),
            "split": f"{leaky}{subset} part of {split}",
        }
    config = CheckpointConfig(
        **described(data.taxonomy),
        variant=data.recipe.network.variant,
        preprocessing=data.recipe.preprocessing,
        calibration=calibration,
        referral=referral,
        training=protocol.model_dump(mode="json", by_alias=True),
        metrics=metrics,
    )
    seen = seen_images(data)
    content = None if seen is None else seen.to_bytes()
    write_checkpoint(directory, network, config, half=True, seen_images=content)
    return directory


def seen_images(data: LesionData) -> SeenImages | None:
    """The images that the network or its calibration has seen; of two copies of an image, one counts.

    With the publisher's lesion ids, which an evaluated image would have too: a group of several lesions has
    the name of only one of them. With those of the checkpoint it started from; None where that tells none.
    """
    records = {original(r.id): r for subset in ("train", "validation") for r in data.records[subset]}
    lesions = tuple(r.lesion or data.split.lesion[r.id] for r in records.values())
    own = SeenImages(tuple(records), lesions, fingerprints_of(list(records.values())).compact())
    if data.parent is None:
        return own
    return data.parent.seen and own.joined(data.parent.seen)


def _scored(data: LesionData, logits: dict[str, Tensor], subset: str, temperature: float) -> ScoredImages:
    scores, labels = _labelled(data, logits, subset)
    return ScoredImages(
        images=tuple(record.id for record in data.records[subset]),
        lesions=tuple(data.split.lesion[record.id] for record in data.records[subset]),
        labels=labels,
        probabilities=softmax(scores, temperature),
        codes=data.taxonomy.codes,
    )


def _labelled(
    data: LesionData, logits: dict[str, Tensor], subset: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return logits[subset].double().numpy(), np.array(data.labels(subset))
