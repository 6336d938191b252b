"""The shipped network and sample lesions, which share one trained answer."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from transxv2s.checkpoint import read_checkpoint
from transxv2s.classifier import SHIPPED_CHECKPOINT
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import to_tensor
from transxv2s.nets import TransXV2SNet

SAMPLES = SHIPPED_CHECKPOINT.parents[1] / "samples"


@pytest.fixture(scope="session")
def shipped() -> TransXV2SNet:
    """Tests only read it."""
    model = read_checkpoint(SHIPPED_CHECKPOINT).model
    assert isinstance(model, TransXV2SNet)
    return model


@pytest.fixture(scope="session")
def lesions() -> Tensor:
    """Two lesions as the shipped network sees them, (2, 3, 128, 128)."""
    preprocessing = read_checkpoint(SHIPPED_CHECKPOINT).config.preprocessing
    files = [SAMPLES / "ISIC_0000019.jpg", SAMPLES / "ISIC_0000142.jpg"]
    return torch.stack([to_tensor(preprocessing.apply(decode(file))) for file in files])


@pytest.fixture(scope="session")
def small_lesions(lesions: Tensor) -> Tensor:
    """The same at a quarter of the cost, (2, 3, 64, 64)."""
    return functional.interpolate(lesions, (64, 64), mode="area")
