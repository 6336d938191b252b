"""The four variants, each built once for all tests of this folder."""

from functools import cache

import torch
from torch import Tensor

from transxv2s.nets import VARIANTS, TransXV2SNet, create
from transxv2s.nets.xceptmod import XceptMod

NAMES = tuple(VARIANTS)
FULL = "transxv2s_net"
SMALL = "transxv2s_net_effswin"


def fresh(variant: str = FULL, seed: int = 0) -> TransXV2SNet:
    """A network of its own for a test that changes it."""
    torch.manual_seed(seed)
    return create(variant)


@cache
def shared(variant: str = FULL) -> TransXV2SNet:
    """A network in evaluation mode that tests only read."""
    return fresh(variant).eval().requires_grad_(False)


def branch_two(network: TransXV2SNet) -> XceptMod:
    """The second branch of a variant that has one."""
    assert network.xceptmod is not None
    return network.xceptmod


def images(batch: int, height: int = 64, width: int | None = None, channels: int = 3) -> Tensor:
    """Random images, or maps of more channels, (B, C, H, W), square unless a width is given."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, channels, height, width or height, generator=generator)
