"""Files that engines need, made once from a checkpoint and kept in the cache under its digest.

int8 has a file of its own for each set of images that it was calibrated on, and a note of the last set: a
file is never changed once it is there, so no reader finds the parts of two.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from transxv2s.cache import cache_folder
from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.engine import FILE_SUFFIXES, Chosen, EngineError, Squares, required
from transxv2s.files import write_whole

VERSION = 4  # of what is made; raised whenever the same checkpoint would give another file
EXPORTED = Chosen("onnxruntime", "float32")  # whose file all others are made from
COMPILED = "compiled"  # folder in which OpenVINO keeps what it made for this machine
DIGITS = 12  # of the digest of a calibration


def folder(digest: str) -> Path:
    """Where the files of the checkpoint with this digest are."""
    return cache_folder() / "engines" / f"{digest}-{VERSION}"


def file_of(checkpoint: Checkpoint, chosen: Chosen) -> Path:
    """The file that an engine loads, whether it is there or not."""
    quantised = "int8" if chosen.precision == "int8" else "float32"
    stem = "-".join(filter(None, (chosen.kind, quantised, exact(checkpoint.digest, chosen).calibration)))
    return folder(checkpoint.digest) / f"{stem}{FILE_SUFFIXES[chosen.kind]}"


def exact(digest: str, chosen: Chosen) -> Chosen:
    """The engine with the calibration that it means now: the last one, unless it names one."""
    note = _note(digest, chosen)
    if chosen.precision != "int8" or chosen.calibration or not note.exists():
        return chosen
    return chosen._replace(calibration=note.read_text())


def calibration_of(path: Path) -> str:
    """Digest of the images that a file in int8 was calibrated on; empty for other precisions."""
    return path.stem.partition("-int8-")[2]


def prepared(checkpoint: Checkpoint, chosen: Chosen, images: Squares | None = None) -> Path:
    """The file that an engine loads; it is made where it is not there.

    Args:
        checkpoint: Which.
        chosen: An engine that loads a file.
        images: Squares uint8 (N, S, S, 3) of training images, which int8 is calibrated on from now on.

    Raises:
        EngineError: int8 was not calibrated before and no images are given, or a package is missing.
    """
    calibrate = chosen.precision == "int8" and images is not None
    path = file_of(checkpoint, chosen)
    if path.exists() and not calibrate:
        return path
    if chosen.precision == "int8" and images is None:
        raise EngineError(
            f"{chosen.name} is not calibrated for this checkpoint yet: run 'transxv2s export "
            f"{chosen.kind.removesuffix('runtime')} OUT --precision int8 --images FOLDER' on training images."
        )
    _require(chosen)
    folder(checkpoint.digest).mkdir(parents=True, exist_ok=True)
    with FileLock(folder(checkpoint.digest) / "making.lock"):
        return _made(checkpoint, chosen, images if calibrate else None)


def _require(chosen: Chosen) -> None:
    """Before half a minute's work; PyTorch would hide what it misses in errors of its own."""
    quantiser = ["nncf"] if chosen == Chosen("openvino", "int8") else []
    for package in ("onnx", "onnxscript", chosen.kind, *quantiser):
        required(package, chosen.name)


def _made(checkpoint: Checkpoint, chosen: Chosen, images: Squares | None) -> Path:
    from transxv2s.engines import quantised
    from transxv2s.engines.portable import write_onnx

    exported = _written(file_of(checkpoint, EXPORTED), lambda path: write_onnx(checkpoint, path))
    calibration = "" if images is None else _digest(images)
    path = file_of(checkpoint, chosen._replace(calibration=calibration))
    if chosen.kind == "openvino":
        _written(path, lambda to: quantised.openvino(exported, images, to))
    elif images is not None:
        _written(path, lambda to: quantised.onnx(exported, images, to))
    if calibration:
        write_whole(_note(checkpoint.digest, chosen), calibration)
    return path


def _written(path: Path, write: Callable[[Path], None]) -> Path:
    """A file, made elsewhere and moved to its place whole; OpenVINO's weights (.bin) go first."""
    if path.exists():
        return path
    with TemporaryDirectory(prefix="making-", dir=path.parent) as beside:
        made = Path(beside) / path.name
        write(made)
        for suffix in (".bin", path.suffix):
            if (part := made.with_suffix(suffix)).exists():
                part.replace(path.with_suffix(suffix))
    return path


def _note(digest: str, chosen: Chosen) -> Path:
    return folder(digest) / f"{chosen.kind}-calibrated-on"


def _digest(images: Squares) -> str:
    return hashlib.sha256(f"{images.shape}".encode() + images.tobytes()).hexdigest()[:DIGITS]
