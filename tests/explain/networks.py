"""Every variant with the weights of the shipped network, whose parts they all are.

Trained weights, because an untrained network of this depth turns rounding into different maps.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from transxv2s.checkpoint import read_checkpoint
from transxv2s.classifier import SHIPPED_CHECKPOINT
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import to_tensor
from transxv2s.nets import TransXV2SNet, create

FULL = "transxv2s_net"
SMALL = "transxv2s_net_effswin"
SAMPLE = SHIPPED_CHECKPOINT.parents[1] / "samples" / "ISIC_0000142.jpg"


@cache
def _weights() -> dict[str, Tensor]:
    return dict(read_checkpoint(SHIPPED_CHECKPOINT).model.state_dict())


def own(variant: str = FULL) -> TransXV2SNet:
    """A network of its own for a test that changes it, in training mode as it is built."""
    network = create(variant)
    network.load_state_dict({name: _weights()[name].clone() for name in network.state_dict()})
    return network


@cache
def shared(variant: str = FULL) -> TransXV2SNet:
    """A network in evaluation mode that tests only read."""
    return own(variant).eval()


@cache
def _lesion() -> Tensor:
    return to_tensor(decode(SAMPLE)).unsqueeze(0)


def images(batch: int = 1, height: int = 64, width: int = 64) -> Tensor:
    """A lesion (B, 3, H, W), turned by quarters from image to image."""
    whole = torch.cat([F.interpolate(_lesion().rot90(i, (2, 3)), (height, width)) for i in range(4)])
    return whole[:batch]
