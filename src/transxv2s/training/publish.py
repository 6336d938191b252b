"""The end of a run: calibrate on validation, score the test part once, write the checkpoint directory."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from transxv2s.checkpoint import CheckpointConfig, write_checkpoint
from transxv2s.datasets.article import original
from transxv2s.datasets.audit import LEAKY
from transxv2s.datasets.copies import fingerprints_of
from transxv2s.datasets.provenance import SeenImages
from transxv2s.scoring import report
from transxv2s.scoring.arrays import share
from transxv2s.taxonomy import ISIC2019
from transxv2s.training.data import LesionData
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
    calibration: Calibration,
    referral: Referral,
) -> dict[str, float | None]:
    """How prediction sets and referral do, as shares; None where there is no such image.

    `coverage` of the sets and their mean `set_size`; the share `referred` of the lesions that need an expert
    and of the others; `accuracy_of_answers` given without an expert. Notes on image quality are left out.
    """
    sets = [prediction_set(row, calibration.set_threshold) for row in probabilities]
    rows = zip(probabilities.tolist(), sets, strict=True)
    referred = np.array([decide(row, s, (), ISIC2019, referral)[0] == "expert_review" for row, s in rows])
    needs_expert = np.array([c.needs_expert for c in ISIC2019.classes])[labels]
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
    limit = suspicion_limit(calibrated, validation[1], ISIC2019, SENSITIVITY)
    referral = Referral(min_confidence=MIN_CONFIDENCE, max_suspicion=limit)
    metrics: dict[str, Any] = {}
    for subset in ("validation", "test"):
        scores, labels = _labelled(data, logits, subset)
        lesions = [data.split.lesion[record.id] for record in data.records[subset]]
        probabilities = softmax(scores, calibration.temperature)
        metrics[subset] = {
            **report(probabilities, labels, lesions, ISIC2019),
            "trust": trust_scores(probabilities, labels, calibration, referral),
            "split": f"{leaky}{subset} part of {split}",
        }
    config = CheckpointConfig(
        variant=data.recipe.network.variant,
        preprocessing=data.recipe.preprocessing,
        calibration=calibration,
        referral=referral,
        training=protocol.model_dump(mode="json"),
        metrics=metrics,
    )
    write_checkpoint(directory, network, config, half=True, seen_images=seen_images(data).to_bytes())
    return directory


def seen_images(data: LesionData) -> SeenImages:
    """The images that the network or its calibration has seen; of two copies of an image, one counts.

    With the publisher's lesion ids, which an evaluated image would have too: a group of several lesions has
    the name of only one of them.
    """
    records = {original(r.id): r for subset in ("train", "validation") for r in data.records[subset]}
    lesions = tuple(r.lesion or data.split.lesion[r.id] for r in records.values())
    return SeenImages(tuple(records), lesions, fingerprints_of(list(records.values())).compact())


def _labelled(
    data: LesionData, logits: dict[str, Tensor], subset: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return logits[subset].double().numpy(), np.array(data.labels(subset))
