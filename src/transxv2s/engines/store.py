"""Files that engines need, made once from a checkpoint and kept in the cache under its digest."""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from transxv2s.cache import cache_folder
from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.engine import Chosen, EngineError, Squares, not_installed
from transxv2s.engines.portable import write_onnx

VERSION = 2  # of what is made; raised whenever the same checkpoint would give another file
EXPORTED = Chosen("onnxruntime", "float32")  # whose file all others are made from
COMPILED = "compiled"  # folder in which OpenVINO keeps what it made for this machine


def folder(checkpoint: Checkpoint) -> Path:
    """Where the files of a checkpoint are."""
    return cache_folder() / "engines" / f"{checkpoint.digest}-{VERSION}"


def file_of(checkpoint: Checkpoint, chosen: Chosen) -> Path:
    """The file that an engine of this kind loads, whether it is there or not."""
    quantised = "int8" if chosen.precision == "int8" else "float32"
    suffix = ".onnx" if chosen.kind == "onnxruntime" else ".xml"
    return folder(checkpoint) / f"{chosen.kind}-{quantised}{suffix}"


def prepared(checkpoint: Checkpoint, chosen: Chosen, images: Squares | None = None) -> Path:
    """The file that an engine loads; it is made where it is not there.

    Args:
        checkpoint: Which.
        chosen: An engine that loads a file.
        images: Squares uint8 (N, S, S, 3) of training images, which int8 is calibrated on; files that
            were calibrated before are then made again.

    Raises:
        EngineError: int8 was not calibrated before and no images are given, or a package is missing.
    """
    path = file_of(checkpoint, chosen)
    calibrate = chosen.precision == "int8" and images is not None
    if path.exists() and not calibrate:
        return path
    if chosen.precision == "int8" and images is None:
        raise EngineError(
            f"{chosen.name} is not calibrated for this checkpoint yet: run 'transxv2s export "
            f"{chosen.kind.removesuffix('runtime')} OUT --precision int8 --images FOLDER' on training images."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if calibrate or not path.exists():
            _make(checkpoint, chosen, images, path)
    return path


def _make(checkpoint: Checkpoint, chosen: Chosen, images: Squares | None, path: Path) -> None:
    from transxv2s.engines import quantised

    onnx_file = _made(file_of(checkpoint, EXPORTED), lambda part: write_onnx(checkpoint, part))
    try:
        if chosen.kind == "openvino":
            _made(path, lambda part: quantised.openvino(onnx_file, images, part), again=True)
        elif images is not None:
            _made(path, lambda part: quantised.onnx(onnx_file, images, part), again=True)
    except ImportError as error:
        raise not_installed(error.name or "a package", chosen.name) from error


def _made(path: Path, write: Callable[[Path], None], again: bool = False) -> Path:
    """A file, written beside its place and moved there whole; OpenVINO's weights (.bin) go first."""
    if path.exists() and not again:
        return path
    beside = path.with_name(f"part-{path.name}")
    write(beside)
    for suffix in (".bin", path.suffix):
        if (part := beside.with_suffix(suffix)).exists():
            shutil.move(part, path.with_suffix(suffix))
    return path
