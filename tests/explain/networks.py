"""Networks whose every bias, statistic and gate matters: fresh ones have zeros and ones there."""

from functools import cache

import torch
from torch import Tensor, nn

from transxv2s.nets import TransXV2SNet, create

FULL = "transxv2s_net"
SMALL = "transxv2s_net_effswin"


def _stir(module: nn.Module) -> None:
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.bias, std=0.2)
        nn.init.uniform_(module.weight, 0.7, 1.3)
        module.momentum = 1.0
    for name, parameter in module.named_parameters(recurse=False):
        if name in {"gate", "position_bias"} or (name == "bias" and isinstance(module, nn.LayerNorm)):
            nn.init.normal_(parameter, std=0.5)


@torch.no_grad()
def stirred(variant: str = FULL, seed: int = 0) -> TransXV2SNet:
    """A network of its own for a test that changes it, in training mode as it is built.

    One batch gives the normalisations their statistics: without them maps would grow a hundred layers long.
    """
    torch.manual_seed(seed)
    network = create(variant).apply(_stir)
    network(torch.randn(4, 3, 64, 64))
    return network


@cache
def shared(variant: str = FULL) -> TransXV2SNet:
    """A network in evaluation mode that tests only read."""
    return stirred(variant).eval()


def images(batch: int = 1, height: int = 64, width: int = 64) -> Tensor:
    """Random images (B, 3, H, W)."""
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1))
