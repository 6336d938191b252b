"""Checkpoints of random weights that behave like trained ones, and squares like lesions; none is changed."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from transxv2s import nets
from transxv2s.checkpoint import Checkpoint, CheckpointConfig
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.trust.adjustment import LogitAdjustment
from trusting import plain_trust

SMALL, FULL = "transxv2s_net_effswin", "transxv2s_net"
SHARES = (0.2, 0.4, 0.15, 0.04, 0.1, 0.02, 0.05, 0.04)
TRUST = plain_trust(1.7, min_confidence=0.6).model_copy(
    update={"adjustment": LogitAdjustment(tau=0.5, shares=SHARES)}
)
SIZE = 64

Squares = NDArray[np.uint8]


def squares(count: int, seed: int = 0, size: int = SIZE) -> Squares:
    """Brown blots of different places and sizes on skin, uint8 (count, size, size, 3)."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    pictures = []
    for _ in range(count):
        centre, radius = generator.uniform(0.3, 0.7, 2) * size, size * generator.uniform(0.1, 0.35)
        blot = 1 / (1 + np.exp(np.hypot(rows - centre[0], columns - centre[1]) / 3 - radius / 3))[..., None]
        skin, brown = generator.uniform((190, 130, 110), (240, 180, 160)), generator.uniform(40, 120, 3)
        picture = skin * (1 - blot) + brown * blot + generator.normal(0, 12, (size, size, 3))
        pictures.append(picture.clip(0, 255))
    return np.array(pictures, dtype=np.uint8)


@cache
def checkpoint(variant: str, digest: str = "0123456789ab") -> Checkpoint:
    """Random weights, as insensitive to rounding as trained ones; no two scales or biases are alike.

    The digest is what files of engines are kept under.
    """
    torch.manual_seed(0)
    model = nets.network(variant, 8)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.05, 0.15)  # small: skip connections prevail
            nn.init.uniform_(module.bias, -0.05, 0.05)
    pictures = torch.from_numpy(squares(8, 1)).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        model.train()(pictures)
    for name, parameter in model.named_parameters():
        if name.endswith(("classifier.weight", "trunk.fc.weight")):
            parameter.data.mul_(4)  # so that pictures differ in what is predicted
    config = CheckpointConfig(variant=variant, preprocessing=Preprocessing(size=SIZE), trust=TRUST)
    return Checkpoint(config, model.eval, digest)
