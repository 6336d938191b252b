"""The network in PyTorch, operator by operator: as it was trained, or lean and in bfloat16."""

import numpy as np
import torch
from torch import Tensor, nn

from transxv2s.engines.engine import Chosen, Floats, Precision, Squares
from transxv2s.engines.lean import LeanNetwork, scaled
from transxv2s.hardware import require_bfloat16


class Eager:
    """PyTorch without further ado. In float32 it is the reference that all engines are measured by.

    Args:
        network: Of a checkpoint, in evaluation mode.
        device: Where it runs; in float32 the network is moved there.
        precision: float32, or bfloat16 with a lean copy of the network.

    Raises:
        InputError: The device does not compute in bfloat16.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: Precision = "float32") -> None:
        self.name, self.precision = Chosen("eager", precision).name, precision
        if precision == "bfloat16":
            require_bfloat16(device, "take the engine auto, eager or openvino")
        self._device = device
        self._network = Plain(network) if precision == "float32" else LeanNetwork(network).in_bfloat16()
        with torch.inference_mode(False):  # whoever loads: the reference's weights are the checkpoint's own
            self._network.to(device).to(memory_format=torch.channels_last)

    def run(self, squares: Squares) -> tuple[Floats, Floats]:
        """As Engine."""
        with torch.inference_mode():
            return to_numpy(*self._network(on_device(squares, self._device)))


class Plain(nn.Module):
    """A network as it is: squares to logits and features."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """Squares (B, 3, S, S), scaled by mean = std = 0.5, to logits (B, K) and features (B, F)."""
        features = self.network.forward_features(squares)  # type: ignore[operator]
        return self.network.classify(features), features  # type: ignore[operator]


def on_device(squares: Squares, device: torch.device) -> Tensor:
    """Pixels (B, S, S, 3) to what the network takes, (B, 3, S, S) in channels-last memory."""
    return scaled(torch.from_numpy(np.ascontiguousarray(squares)).to(device))


def to_numpy(logits: Tensor, features: Tensor) -> tuple[Floats, Floats]:
    """Both as float32 arrays."""
    return logits.float().cpu().numpy(), features.float().cpu().numpy()
