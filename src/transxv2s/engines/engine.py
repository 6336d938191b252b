"""What an engine is, and the names of those there are."""

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
    "onnxruntime": ("float32", "int8"),
    "openvino": ("float32", "bfloat16", "int8"),
}

Squares = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Engine(Protocol):
    """Runs a network. It keeps no state between calls, so threads may share it.

    Attributes:
        name: Such as "openvino-bfloat16".
        precision: In which the bulk of the network is computed.
    """

    name: str
    precision: Precision

    def run(self, squares: Squares) -> tuple[Floats, Floats]:
        """Squares as pixels, uint8 (B, S, S, 3) with B ≥ 1, to logits (B, K) and features (B, F)."""


class Chosen(NamedTuple):
    """An engine by its parts."""

    kind: str
    precision: Precision

    @property
    def name(self) -> str:
        """The shortest name that means it: float32 goes without saying."""
        return self.kind if self.precision == "float32" else f"{self.kind}-{self.precision}"


ENGINES = {
    chosen.name: chosen
    for kind, precisions in PRECISIONS_OF.items()
    for chosen in (Chosen(kind, p) for p in precisions)
}


def parse(name: str) -> Chosen:
    """The engine of a name: a kind, and a precision after a hyphen unless it is float32.

    Raises:
        InputError: There is none of that name.
    """
    if chosen := ENGINES.get(name.removesuffix("-float32")):
        return chosen
    raise InputError(f"There is no engine {name!r}; choose {AUTO} or one of {', '.join(ENGINES)}.")


class EngineError(InputError):
    """An engine cannot be used: what it needs is not installed, not prepared or not in the processor."""


def not_installed(package: str, engine: str) -> EngineError:
    """What to say where an engine's package is missing."""
    return EngineError(
        f"The engine {engine} needs {package}, which is not installed: pip install 'transxv2s[engines]'."
    )
