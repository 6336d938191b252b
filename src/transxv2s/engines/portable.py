"""The network as an ONNX file that runs without this project: from the square to calibrated probabilities."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from transxv2s import NOTICE, __version__
from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.engine import INPUT, OUTPUTS
from transxv2s.engines.lean import LeanNetwork, scaled
from transxv2s.engines.quiet import quiet
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.trust.scaling import Scaling, Temperature, Vector

OPSET = 18
LARGEST_BATCH = 4096


class Portable(nn.Module):
    """Squares as pixels to probabilities, what names the class, logits and features.

    Args:
        checkpoint: Its network is copied.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        trust = checkpoint.config.trust
        self.lean = LeanNetwork(checkpoint.model)
        self.calibration = Calibration(trust.scaling if trust else Temperature(temperature=1))
        self.factors = torch.ones(len(checkpoint.config.classes))
        if trust and trust.adjustment:
            self.factors = torch.tensor(trust.adjustment.shares) ** -trust.adjustment.tau

    def forward(self, squares: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """uint8 (B, S, S, 3) to probabilities, adjusted and logits, (B, K) each, and features (B, F)."""
        logits, features = self.lean(scaled(squares))
        probabilities = self.calibration(logits)
        scores = probabilities * self.factors
        return probabilities, scores / scores.sum(1, keepdim=True), logits, features


class Calibration(nn.Module):
    """The calibration of a checkpoint on logits, as `trust.scaling` has it.

    Args:
        scaling: What is applied.
    """

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.temperature = scaling.temperature if isinstance(scaling, Temperature) else None
        if not isinstance(scaling, Temperature):
            weights = torch.tensor(scaling.weights)
            self.weights = torch.diag(weights) if isinstance(scaling, Vector) else weights.T.contiguous()
            self.bias = torch.tensor(scaling.bias)

    def forward(self, logits: Tensor) -> Tensor:
        """Logits (B, K) to probabilities (B, K)."""
        if self.temperature is not None:
            return (logits / self.temperature).softmax(1)
        return (logits.log_softmax(1) @ self.weights + self.bias).softmax(1)


def steps_before(preprocessing: Preprocessing) -> list[str]:
    """What preprocessing does to an image before it is resized: in order, and not in the file."""
    colour, kept = preprocessing.colour, preprocessing.crop_fraction
    steps = {
        "cutting off a dark surround": preprocessing.field_of_view,
        "removing hair": preprocessing.hair_removal is not None,
        f"keeping the central {kept:.0%} of each side": kept < 1,
        f"colours by {colour.method if colour else ''}": colour is not None,
    }
    return [step for step, is_taken in steps.items() if is_taken]


def metadata(checkpoint: Checkpoint, precision: str) -> dict[str, str]:
    """What an exported file tells of itself; lists are JSON."""
    config = checkpoint.config
    return {
        "notice": NOTICE,
        "model": config.variant,
        "classes": json.dumps(config.classes),
        "class_names": json.dumps([c.name for c in config.to_taxonomy().classes]),
        "checkpoint": checkpoint.digest,
        "preprocessing": config.preprocessing.digest(),
        "preprocessing_parameters": config.preprocessing.model_dump_json(),
        "steps_before": json.dumps(steps_before(config.preprocessing)),
        "size": str(config.preprocessing.size),
        "calibrated": json.dumps(config.trust is not None),
        "precision": precision,
        "transxv2s": __version__,
        "torch": torch.__version__,
    }


def write_onnx(checkpoint: Checkpoint, path: Path) -> None:
    """Write the network of a checkpoint in float32, for batches of any size.

    Args:
        checkpoint: Which.
        path: The file, weights included.
    """
    import onnx

    size = checkpoint.config.preprocessing.size
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    with quiet():
        program = torch.onnx.export(
            Portable(checkpoint).eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=({0: batch},),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            external_data=False,
        )
    model: Any = program.model_proto  # type: ignore[union-attr]  # dynamo always gives a program
    onnx.helper.set_model_props(model, metadata(checkpoint, "float32"))
    path.write_bytes(model.SerializeToString())
