"""A checkpoint as one file for other programs, and the proof that the file says what the checkpoint says."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.eager import Eager
from transxv2s.engines.engine import (
    FILE_SUFFIXES,
    INPUT,
    OUTPUTS,
    PRECISIONS_OF,
    Chosen,
    EngineError,
    Floats,
    Precision,
    Squares,
    required,
)
from transxv2s.engines.openvino import HINTS
from transxv2s.engines.store import folder, prepared
from transxv2s.trust.judgement import scores_of

Format = Literal["onnx", "openvino"]
RUNTIMES: dict[Format, str] = {"onnx": "onnxruntime", "openvino": "openvino"}
SUFFIXES: dict[Format, str] = {name: FILE_SUFFIXES[kind] for name, kind in RUNTIMES.items()}
ROUNDING = 1e-3  # of a probability: what float32 may differ by when it is summed in another order


@dataclass(frozen=True)
class Agreement:
    """How far the probabilities of a file are from those of the checkpoint in float32.

    Attributes:
        images: How many were compared.
        same_class: Share of them for which both name the same class.
        largest_difference: Of any probability of any image.
    """

    images: int
    same_class: float
    largest_difference: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def export(
    checkpoint: Checkpoint, format_: Format, precision: Precision, out: Path, images: Squares | None = None
) -> list[Path]:
    """Write the file.

    Args:
        checkpoint: Which.
        format_: Of the file.
        precision: Of the bulk of the network.
        out: The file, .onnx or .xml (its weights go beside it, into .bin).
        images: Squares uint8 (N, S, S, 3) of training images, which int8 is calibrated on.

    Returns:
        The files written.

    Raises:
        EngineError: The format has no such precision, int8 has no images, or a package is missing.
    """
    kind = RUNTIMES[format_]
    if precision not in PRECISIONS_OF[kind]:
        raise EngineError(
            f"ONNX Runtime has no {precision} on processors: export onnx in float32 or int8, or openvino."
        )
    if out.suffix != SUFFIXES[format_]:
        raise EngineError(f"{out} must end in {SUFFIXES[format_]}: name the file of the model so.")
    chosen = Chosen(kind, precision)
    required(kind, chosen.name)  # to verify the file
    source = prepared(checkpoint, chosen, images)
    out.parent.mkdir(parents=True, exist_ok=True)
    if precision == "bfloat16":
        _write_half(source, out)
    else:
        for suffix in (".bin", source.suffix):
            if (part := source.with_suffix(suffix)).exists():
                shutil.copyfile(part, out.with_suffix(suffix))
    return [path for path in (out, out.with_suffix(".bin")) if path.exists()]


def verified(
    checkpoint: Checkpoint, format_: Format, precision: Precision, files: list[Path], images: Squares
) -> Agreement:
    """As `agreement`, for the files that `export` has written; in float32 they are removed if they are wrong.

    Raises:
        EngineError: A probability in float32 differs by more than ROUNDING.
    """
    found = agreement(checkpoint, format_, precision, files[0], images)
    if precision == "float32" and not found.largest_difference <= ROUNDING:
        for file in files:
            file.unlink()
        raise EngineError(
            f"{files[0]} was removed: its probabilities differ by {found.largest_difference:.2g} from the "
            f"checkpoint's, which is more than rounding; delete {folder(checkpoint.digest)} and export again."
        )
    return found


def agreement(
    checkpoint: Checkpoint, format_: Format, precision: Precision, path: Path, images: Squares
) -> Agreement:
    """Load a file that was written, and compare it with the checkpoint in float32.

    Args:
        checkpoint: Which.
        format_: Of the file.
        precision: Of the file.
        path: The file.
        images: Squares uint8 (N, S, S, 3), none of which the file was calibrated on.
    """
    logits, _ = Eager(checkpoint.model, torch.device("cpu")).run(images)
    expected, scores = scores_of(checkpoint.config.trust, logits)
    found, found_scores = _run(format_, precision, path, images)
    same = float(np.mean(scores.argmax(1) == found_scores.argmax(1)))
    return Agreement(len(images), same, float(np.abs(expected - found).max()))


def _run(format_: Format, precision: Precision, path: Path, images: Squares) -> tuple[Floats, Floats]:
    """Probabilities and what names the class, (N, K) each."""
    if format_ == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        probabilities, adjusted = session.run(list(OUTPUTS[:2]), {INPUT: images})
        return np.asarray(probabilities), np.asarray(adjusted)
    import openvino

    hint = {"INFERENCE_PRECISION_HINT": HINTS[precision]}
    found = openvino.Core().compile_model(path, "CPU", hint)({INPUT: images})
    return np.array(found[OUTPUTS[0]]), np.array(found[OUTPUTS[1]])


def _write_half(source: Path, out: Path) -> None:
    """Weights as float16, which bfloat16 is made of at loading: half the size."""
    import openvino

    model = openvino.Core().read_model(source)
    model.set_rt_info("bfloat16", ["transxv2s", "precision"])
    openvino.save_model(model, out, compress_to_fp16=True)
