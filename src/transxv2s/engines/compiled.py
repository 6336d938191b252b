"""The lean network through torch.compile: kernels made for this machine, which takes minutes at first."""

import shutil
from typing import Any

import numpy as np
import torch

from transxv2s.engines.eager import on_device, to_numpy
from transxv2s.engines.engine import Chosen, EngineError, Floats, Precision, Squares
from transxv2s.engines.lean import LeanNetwork
from transxv2s.hardware import require_bfloat16


class Compiled:
    """Each size of batch is compiled when it first comes; sizes are rounded up to powers of two.

    Args:
        network: Of a checkpoint; it is copied.
        device: Where it runs.
        precision: float32 or bfloat16.
        graphs: On a GPU, replay whole batches as CUDA graphs: one launch instead of one for each kernel.

    Raises:
        EngineError: There is no C++ compiler, without which nothing can be compiled for a processor, or no
            GPU for CUDA graphs.
        InputError: The device does not compute in bfloat16.
    """

    def __init__(
        self, network: Any, device: torch.device, precision: Precision, *, graphs: bool = False
    ) -> None:
        self.name = Chosen("cudagraphs" if graphs else "compiled", precision).name
        self.precision, self._device = precision, device
        _check(self.name, device, graphs)
        if precision == "bfloat16":
            require_bfloat16(device, "take the engine auto, compiled or openvino")
        lean = LeanNetwork(network)
        lean = lean.in_bfloat16() if precision == "bfloat16" else lean
        lean.to(device).to(memory_format=torch.channels_last)
        options: dict[str, Any] = {"triton.cudagraphs": graphs}
        if device.type == "cpu":
            options = {"freezing": True}  # constants may be folded and weights packed
        self._network = torch.compile(lean, dynamic=False, options=options)

    def run(self, squares: Squares) -> tuple[Floats, Floats]:
        """As Engine."""
        count = len(squares)
        rounded = 1 << (count - 1).bit_length()
        padded = np.concatenate([squares, np.repeat(squares[-1:], rounded - count, axis=0)])
        with torch.no_grad():  # freezing does not know inference_mode
            logits, features = to_numpy(*self._network(on_device(padded, self._device)))
        return logits[:count], features[:count]


def _check(name: str, device: torch.device, graphs: bool) -> None:
    if graphs and device.type != "cuda":
        raise EngineError(f"The engine {name} needs a GPU: take it with --device cuda, or another engine.")
    if device.type == "cpu" and not shutil.which("g++") and not shutil.which("clang++"):
        raise EngineError("The engine compiled needs a C++ compiler: install g++, or take another engine.")
