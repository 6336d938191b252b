"""What an engine is, and the names of those there are."""

from importlib import import_module
from types import ModuleType
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from transxv2s.errors import InputError

Precision = Literal["float32", "bfloat16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

REFERENCE = "eager"
AUTO = "auto"
PRECISIONS_OF: dict[str, tuple[Precision, ...]] = {
    "eager": ("float32", "bfloat16"),
    "compiled": ("float32", "bfloat16"),
    "cudagraphs": ("float32", "bfloat16"),
    "onnxruntime": ("float32", "int8"),
    "openvino": ("float32", "bfloat16", "int8"),
}
COMPILING = ("compiled", "cudagraphs")  # kinds that take minutes at each start
FILE_SUFFIXES = {"onnxruntime": ".onnx", "openvino": ".xml"}  # of kinds that load a file
INPUT = "squares"  # of such a file
OUTPUTS = ("probabilities", "adjusted", "logits", "features")

Squares = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Engine(Protocol):
    """Runs a network. It keeps no state between calls, so threads may share it.

    Attributes:
        name: Such as "openvino-bfloat16", in int8 with the calibration: two engines of one name say the same.
        precision: In which the bulk of the network is computed.
    """

    name: str
    precision: Precision

    def run(self, squares: Squares) -> tuple[Floats, Floats]:
        """Squares as pixels, uint8 (B, S, S, 3) with B ≥ 1, to logits (B, K) and features (B, F)."""


class Chosen(NamedTuple):
    """An engine by its parts.

    Attributes:
        kind: A key of `PRECISIONS_OF`.
        precision: Of the bulk of the network.
        calibration: Digest of the images that int8 was calibrated on; empty for the last ones.
    """

    kind: str
    precision: Precision
    calibration: str = ""

    @property
    def name(self) -> str:
        """The shortest name that means it: float32 goes without saying."""
        name = self.kind if self.precision == "float32" else f"{self.kind}-{self.precision}"
        return f"{name}@{self.calibration}" if self.calibration else name


ENGINES = {
    chosen.name: chosen
    for kind, precisions in PRECISIONS_OF.items()
    for chosen in (Chosen(kind, p) for p in precisions)
}


def parse(name: str) -> Chosen:
    """The engine of a name: a kind, a precision after a hyphen unless it is float32, a calibration after @.

    Raises:
        InputError: There is none of that name.
    """
    kind, _, calibration = name.partition("@")
    chosen = ENGINES.get(kind.removesuffix("-float32"))
    if chosen and (not calibration or chosen.precision == "int8"):
        return chosen._replace(calibration=calibration)
    raise InputError(f"There is no engine {name!r}; choose {AUTO} or one of {', '.join(ENGINES)}.")


class EngineError(InputError):
    """An engine cannot be used: what it needs is not installed, not prepared or not in the processor."""


def required(package: str, engine: str) -> ModuleType:
    """A package that an engine needs.

    Raises:
        EngineError: It is not installed.
    """
    try:
        return import_module(package)
    except ImportError:
        raise EngineError(
            f"The engine {engine} needs {package}, which is not installed: pip install 'transxv2s[engines]'."
        ) from None
