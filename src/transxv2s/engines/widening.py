"""Channels that are always zero, added where a width does not fit the tiles of matrix units.

Xception's 728 channels fill 22 tiles of 32 and three quarters of another, and no row of them begins on a
cache line: a product of that width is clearly slower than one of 736.
"""

import torch.nn.functional as F
from torch import Tensor, nn

TILE = 32  # bfloat16 numbers that a tile register holds in a row


def extra(width: int) -> int:
    """How many channels a width lacks to the next whole tile; none where it has fewer than one tile."""
    return -width % TILE if width > TILE else 0


def widen_convolutions(trunk: nn.Module, width: int) -> None:
    """Add zero channels, in place, wherever a convolution reads or writes maps of this width.

    A convolution of zeros with no bias is zero, and so is all that activation, pooling and sums make of it.

    Args:
        trunk: Its batch normalisations must be folded.
        width: The number of channels that is not whole tiles.
    """
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d) and width in (module.in_channels, module.out_channels):
            _widen(module, width)


def wide(linear: nn.Linear, before: int, after: int) -> nn.Linear:
    """A copy of a linear layer with more inputs that count nothing and more outputs that are zero."""
    layer = nn.Linear(linear.in_features + before, linear.out_features + after, device="meta")
    layer.weight = _constant(F.pad(linear.weight, (0, before, 0, after)))
    layer.bias = _constant(F.pad(linear.bias, (0, after)))
    return layer


def _widen(conv: nn.Conv2d, width: int) -> None:
    depthwise = conv.groups > 1
    before = extra(width) if conv.in_channels == width else 0
    after = extra(width) if conv.out_channels == width else 0
    conv.weight = _constant(F.pad(conv.weight, (0, 0, 0, 0, 0, 0 if depthwise else before, 0, after)))
    if conv.bias is not None:
        conv.bias = _constant(F.pad(conv.bias, (0, after)))
    conv.in_channels += before
    conv.out_channels += after
    conv.groups = conv.out_channels if depthwise else conv.groups


def _constant(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight, requires_grad=False)
