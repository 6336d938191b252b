"""The lean network through torch.compile: kernels made for this machine, which takes minutes at first."""

import shutil
from typing import Any

import numpy as np
import torch

from transxv2s.engines.eager import on_device, to_numpy
from transxv2s.engines.engine import Chosen, EngineError, Floats, Precision, Squares
from transxv2s.engines.lean import LeanNetwork


class Compiled:
    """Each size of batch is compiled when it first comes; sizes are rounded up to powers of two.

    Args:
        network: Of a checkpoint; it is copied.
        device: Where it runs. On a GPU whole batches are replayed as CUDA graphs.
        precision: float32 or bfloat16.

    Raises:
        EngineError: There is no C++ compiler, without which nothing can be compiled for a processor.
    """

    def __init__(self, network: Any, device: torch.device, precision: Precision) -> None:
        if device.type == "cpu" and not shutil.which("g++") and not shutil.which("clang++"):
            raise EngineError(
                "The engine compiled needs a C++ compiler: install g++, or take another engine."
            )
        self.name, self.precision = Chosen("compiled", precision).name, precision
        self._device = device
        lean = LeanNetwork(network)
        lean = lean.in_bfloat16() if precision == "bfloat16" else lean
        lean.to(device).to(memory_format=torch.channels_last)
        # constants may be folded and weights packed on a processor; a GPU gets CUDA graphs
        options: dict[str, Any] = {"freezing": True} if device.type == "cpu" else {"triton.cudagraphs": True}
        self._network = torch.compile(lean, dynamic=False, options=options)

    def run(self, squares: Squares) -> tuple[Floats, Floats]:
        """As Engine."""
        count = len(squares)
        rounded = 1 << (count - 1).bit_length()
        padded = np.concatenate([squares, np.repeat(squares[-1:], rounded - count, axis=0)])
        with torch.no_grad():  # freezing does not know inference_mode
            logits, features = to_numpy(*self._network(on_device(padded, self._device)))
        return logits[:count], features[:count]
