"""The end of a run: calibrate on validation, score the test part once, write the checkpoint directory."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from transxv2s.checkpoint import CheckpointConfig, write_checkpoint
from transxv2s.scoring import report
from transxv2s.taxonomy import ISIC2019
from transxv2s.training.data import LesionData
from transxv2s.trust.calibration import Calibration, conformal_threshold, fit_temperature, softmax
from transxv2s.trust.referral import Referral

COVERAGE = 0.9  # of the prediction sets
MIN_CONFIDENCE = 0.5  # an answer must be more likely than all other classes together


class Protocol(BaseModel):
    """How a network was trained; stored in its checkpoint.

    Attributes:
        recipe: The whole recipe.
        split_digest: Digest of the split file.
        images: Images of each subset.
        epochs: Finished epochs.
        training_minutes: Wall-clock time of fitting, validation included, over all resumptions.
        machine: Processor kind, threads, PyTorch version.
    """

    model_config = ConfigDict(frozen=True)

    recipe: dict[str, Any]
    split_digest: str
    images: dict[str, int]
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
    validation = _labelled(data, logits, "validation")
    calibration = calibrate(*validation, f"validation part of {split}, {len(validation[1])} images")
    metrics: dict[str, Any] = {}
    for subset in ("validation", "test"):
        scores, labels = _labelled(data, logits, subset)
        lesions = [data.split.lesion[record.id] for record in data.records[subset]]
        probabilities = softmax(scores, calibration.temperature)
        metrics[subset] = report(probabilities, labels, lesions, ISIC2019) | {
            "split": f"{subset} part of {split}"
        }
    config = CheckpointConfig(
        variant=data.recipe.network.variant,
        preprocessing=data.recipe.preprocessing,
        calibration=calibration,
        referral=Referral(min_confidence=MIN_CONFIDENCE),
        training=protocol.model_dump(mode="json"),
        metrics=metrics,
    )
    write_checkpoint(directory, network, config, half=True)
    return directory


def _labelled(
    data: LesionData, logits: dict[str, Tensor], subset: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return logits[subset].double().numpy(), np.array(data.labels(subset))
