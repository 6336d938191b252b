"""The lean network is the network: the same logits and features, whatever was folded or widened."""

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from engines.networks import FULL, SMALL, checkpoint, squares
from transxv2s.engines.eager import Plain
from transxv2s.engines.folding import fold_batch_norms
from transxv2s.engines.lean import LeanDCGAN, LeanNetwork, UnpaddedMaxPool, scaled
from transxv2s.engines.widening import TILE, extra, wide
from transxv2s.imaging.pipeline import to_tensor
from transxv2s.nets import VARIANTS
from transxv2s.nets.dcgan import DCGAN
from transxv2s.nets.xceptmod import use_keras_pooling

VARIANT_NAMES = [*VARIANTS, "timm/resnet18"]


def difference(network: nn.Module, images: torch.Tensor) -> float:
    """Largest difference of the lean copy's logits and features, relative to the largest feature."""
    lean, plain = LeanNetwork(network), Plain(network)
    with torch.inference_mode():
        pairs = list(zip(lean(images), plain(images), strict=True))
    return max(float((mine - theirs).abs().max() / theirs.abs().max()) for mine, theirs in pairs)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
def test_every_variant_computes_what_it_did(variant: str) -> None:
    network = checkpoint(variant).model
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    assert difference(network, scaled(torch.from_numpy(squares(3)))) < 1e-4

    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("size", [(75, 64), (96, 130), (128, 128)])
def test_odd_sides_pool_and_pad_alike(size: tuple[int, int]) -> None:
    images = scaled(torch.from_numpy(squares(2, size=130)))[:, :, : size[0], : size[1]]

    assert difference(checkpoint(FULL).model, images) < 1e-4


def test_no_batch_normalisation_is_left() -> None:
    lean = LeanNetwork(checkpoint(FULL).model)

    assert not [name for name, module in lean.named_modules() if isinstance(module, nn.BatchNorm2d)]


def test_only_a_normalisation_that_follows_a_convolution_is_folded() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.between = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
            self.follows = nn.BatchNorm2d(4)
            self.conv2 = nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.follows(self.conv2(self.between(self.conv(x).relu())))
            return out

    torch.manual_seed(0)
    network = Network()
    network(torch.randn(8, 3, 64, 64))  # statistics
    network.eval()
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = network(image)
        fold_batch_norms(network)

        torch.testing.assert_close(network(image), expected)
    assert isinstance(network.between, nn.BatchNorm2d)
    assert isinstance(network.follows, nn.Identity)


@pytest.mark.parametrize(("channels", "more"), [(728, 8), (128, 0), (20, 0), (33, 31)])
def test_a_module_is_the_same_with_channels_that_are_zero(channels: int, more: int) -> None:
    torch.manual_seed(0)
    module = DCGAN(channels).eval()
    nn.init.normal_(module.distributor.gate)
    x = torch.randn(2, channels, 6, 5)

    with torch.inference_mode():
        enhanced, context = LeanDCGAN(module, channels)(nn.functional.pad(x, (0, 0, 0, 0, 0, more)))
        expected = module(x)

    assert extra(channels) == more
    for mine, theirs in zip((enhanced, context), expected, strict=True):
        assert mine.shape[1] == channels + more
        torch.testing.assert_close(mine[:, :channels], theirs, rtol=1e-4, atol=1e-5)
        assert not mine[:, channels:].any()


def test_a_wide_layer_fills_whole_tiles() -> None:
    layer = nn.Linear(728, 45)
    x = torch.randn(3, 728)
    more = wide(layer, extra(728), 2)

    assert more.in_features % TILE == 0
    torch.testing.assert_close(more(nn.functional.pad(x, (0, 8)))[:, :45], layer(x))
    assert not more(nn.functional.pad(x, (0, 8)))[:, 45:].any()


@pytest.mark.parametrize("sides", [(7, 7), (8, 8), (7, 8), (8, 7), (61, 16)])
def test_pooling_pads_as_keras_does(sides: tuple[int, int]) -> None:
    trunk: Any = timm.create_model("legacy_xception", num_classes=0)
    use_keras_pooling(trunk)
    pool = trunk.block1.rep[-1]
    x = torch.randn(1, 2, *sides)
    expected = pool(x)
    pool.__class__ = UnpaddedMaxPool

    assert torch.equal(pool(x), expected)


def test_pixels_are_scaled_as_in_training() -> None:
    pictures = squares(2)

    assert torch.equal(scaled(torch.from_numpy(pictures)), torch.stack([to_tensor(p) for p in pictures]))


def test_bfloat16_says_nearly_the_same() -> None:
    network, images = checkpoint(SMALL).model, scaled(torch.from_numpy(squares(8)))
    with torch.inference_mode():
        logits, features = LeanNetwork(network).in_bfloat16()(images)
        expected = Plain(network)(images)[0]

    assert logits.dtype == features.dtype == torch.float32
    spread = float(expected.std(0).max())
    assert 0 < float((logits - expected).abs().max()) < spread / 2  # bfloat16 it is, and no other function
    assert np.isfinite(logits.numpy()).all()
