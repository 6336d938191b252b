"""What every variant of the network must do: one set of tests, run for all four."""

import itertools
from pathlib import Path

import pytest
import timm
import torch
from networks import FULL, NAMES, fresh, images, shared
from safetensors.torch import load_file, save_file
from torch import Tensor

from transxv2s.errors import InputError
from transxv2s.nets import VARIANTS, TransXV2SNet, count_parameters, create

every_variant = pytest.mark.parametrize("variant", NAMES)
SIDES = [(64, 64), (84, 84), (100, 100), (128, 128), (150, 150), (224, 224), (64, 100), (97, 71)]


@every_variant
@torch.no_grad()
def test_timm_builds_it(variant: str) -> None:
    network = timm.create_model(variant, num_classes=5, drop_rate=0.1)
    assert variant in timm.list_models("transxv2s*")
    assert network(images(2)).shape == (2, 5)
    assert isinstance(network, TransXV2SNet)
    assert (network.num_classes, network.num_features, network.dropout.p) == (5, 512, 0.1)


@every_variant
@torch.no_grad()
def test_without_classes_it_gives_the_fused_features(variant: str) -> None:
    network = create(variant, num_classes=0).eval()
    x = images(1)
    assert network(x).shape == (1, 512)
    torch.testing.assert_close(network(x), network.forward_features(x))


@every_variant
@pytest.mark.parametrize("side", SIDES, ids=str)
def test_any_side_gives_finite_logits(variant: str, side: tuple[int, int]) -> None:
    logits = shared(variant)(images(1, *side))
    assert logits.shape == (1, 8)
    assert logits.isfinite().all()


@every_variant
@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other(variant: str) -> None:
    network, x = fresh(variant).eval().double(), images(3, 84).double()
    together = network(x)
    alone = torch.cat([network(x[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(alone, together)
    assert not torch.allclose(together[0], together[1], atol=1e-3), "the images must matter"


@every_variant
def test_evaluation_repeats_itself_bit_for_bit(variant: str) -> None:
    network, x = shared(variant), images(2)
    assert torch.equal(network(x), network(x))


@every_variant
@torch.no_grad()
def test_channels_last_changes_nothing(variant: str) -> None:
    """In double precision, as the order of summation differs and the network is a hundred layers deep."""
    network, x = fresh(variant).eval().double(), images(2, 84).double()
    expected, last = network(x), x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(last), expected)
    torch.testing.assert_close(network.to(memory_format=torch.channels_last)(last), expected)


def relative_error(actual: Tensor, expected: Tensor) -> float:
    return float((actual.float() - expected).norm() / expected.norm())


@every_variant
@torch.no_grad()
def test_bfloat16_costs_no_more_than_rounding(variant: str) -> None:
    """An untrained deep network amplifies every rounding.

    The yardstick is therefore how far its logits move when only weights and input are rounded once.
    """
    network, x = fresh(variant).eval(), images(2, 84)
    exact = network(x)
    with torch.autocast("cpu", torch.bfloat16):
        automatic = network(x)
    rounded = network.bfloat16().float()(x.bfloat16().float())
    assert relative_error(automatic, exact) < 5 * relative_error(rounded, exact)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_variant
def test_cuda_agrees(variant: str) -> None:
    expected = shared(variant)(images(2, 84))
    with torch.backends.cudnn.flags(allow_tf32=False):
        actual = fresh(variant).eval().cuda()(images(2, 84).cuda())
    torch.testing.assert_close(actual.cpu(), expected, atol=1e-4, rtol=1e-3)


@every_variant
@torch.no_grad()
def test_a_saved_network_comes_back(variant: str, tmp_path: Path) -> None:
    network, other = shared(variant), fresh(variant, seed=1).eval()
    x = images(1)
    assert not torch.allclose(other(x), network(x), atol=1e-3)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(other(x), network(x))


@every_variant
def test_one_step_reaches_every_parameter(variant: str) -> None:
    network, x, labels = fresh(variant), images(4, 100), torch.tensor([0, 1, 2, 3])
    torch.autograd.backward(torch.nn.functional.cross_entropy(network.train()(x), labels))
    without = [
        name
        for name, p in network.named_parameters()
        if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()
    ]
    assert without == []


@every_variant
def test_it_trains_on_a_single_image(variant: str) -> None:
    """The last batch of an epoch may hold one image; at 64 px the deepest maps are still 2×2."""
    network = fresh(variant).train()
    torch.autograd.backward(network(images(1)).sum())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@every_variant
@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 4, 64, 64), (1, 64, 64, 3)], ids=str)
def test_only_rgb_batches(variant: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="RGB"):
        shared(variant)(torch.zeros(shape))


@every_variant
def test_too_small_an_image_is_refused(variant: str) -> None:
    with pytest.raises(InputError, match=r"at least 64×64, not \(64, 63\)"):
        shared(variant)(torch.zeros(1, 3, 64, 63))


def test_unknown_variants_and_other_channel_counts_are_refused() -> None:
    with pytest.raises(InputError, match="'resnet'; choose one of transxv2s_net_efficientnetv2_s"):
        create("resnet")
    with pytest.raises(InputError, match="RGB"):
        timm.create_model(FULL, in_chans=1)


MAPS_128: dict[str, dict[str, tuple[int, int]]] = {  # part → name → channels and side at 128 px
    "": {
        **{f"effnet.stage{n}": (c, s) for n, c, s in [(1, 24, 64), (2, 48, 32), (3, 64, 16), (4, 128, 8)]},
        **{f"effnet.stage{n}": (c, s) for n, c, s in [(5, 160, 8), (6, 256, 4)]},
        "effnet": (1280, 4),
    },
    "swin": {"swin": (64, 8), "effnet.stage4.unmerged": (128, 8)},
    "xception": {
        **{
            f"xception.block{n}": (c, s)
            for n, c, s in [(1, 128, 31), (2, 256, 16), (3, 728, 8), (12, 1024, 4)]
        },
        **{f"xception.block{n}": (728, 8) for n in range(4, 12)},
        "xception": (2048, 4),
    },
    "dcgan": {
        "dcgan1": (128, 31),
        "dcgan2": (256, 16),
        **{f"dcgan{n}": (728, 8) for n in (3, 5, 7, 9, 11)},
        "dcgan": (728, 8),
    },
}


@every_variant
def test_feature_maps(variant: str) -> None:
    maps: dict[str, Tensor] = shared(variant).get_feature_maps(images(2, 128))
    expected = {
        name: (2, c, side, side)
        for part in ("", *VARIANTS[variant])
        for name, (c, side) in MAPS_128[part].items()
    }
    assert {name: tuple(value.shape) for name, value in maps.items()} == expected


def test_the_default_has_the_size_of_the_article() -> None:
    counts = count_parameters(shared(FULL))
    assert counts["total"] == pytest.approx(60.69e6, rel=0.01)
    assert counts["total"] == sum(n for name, n in counts.items() if name != "total")


def test_the_ablation_is_cumulative() -> None:
    components = [set(count_parameters(shared(variant))) for variant in NAMES]
    for smaller, larger in itertools.pairwise(components):
        assert smaller < larger
    assert "xceptmod.dcgan" not in components[2]
