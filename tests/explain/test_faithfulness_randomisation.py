"""Random networks, and how alike two maps are."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr  # type: ignore[import-untyped]
from skimage.metrics import structural_similarity as judge
from torch import Tensor, nn

from explain.networks import FULL, SMALL, images, shared
from transxv2s.explain import heat_maps
from transxv2s.explain.faithfulness.agreement import rank_correlations, structural_similarity
from transxv2s.explain.faithfulness.randomisation import STAGES, cascade
from transxv2s.nets import TransXV2SNet, create
from transxv2s.nets.transxv2s import VARIANTS


def three_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 50), nn.Linear(50, 60), nn.Linear(60, 3))


def weights_of(layer: nn.Module) -> Tensor:
    return dict(layer.named_parameters())["weight"]


def test_stages_add_up_keep_distributions_and_leave_the_network_alone() -> None:
    network = three_layers()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = cascade(network, {"top": ["2"], "middle": ["1"], "all": [""]})
    changed = {
        stage: {n for n, value in random.named_parameters() if not torch.equal(value, before[n])}
        for stage, random in found.items()
    }
    assert changed["top"] == {"2.weight", "2.bias"}
    assert changed["middle"] == {"2.weight", "2.bias", "1.weight", "1.bias"}
    assert changed["all"] == set(before)
    for random in found.values():
        for name, value in random.named_parameters():
            assert torch.equal(value.flatten().sort().values, before[name].flatten().sort().values)
    assert torch.equal(weights_of(found["top"][2]), weights_of(found["all"][2]))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_seed_decides() -> None:
    first, again, other = (cascade(three_layers(), {"all": [""]}, seed)["all"] for seed in (0, 0, 1))
    assert torch.equal(weights_of(first[0]), weights_of(again[0]))
    assert not torch.equal(weights_of(first[0]), weights_of(other[0]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_stage_takes_something_of_every_variant_and_every_name_is_of_the_network(variant: str) -> None:
    with torch.device("meta"):
        network = create(variant)
    names = [name for name, _ in network.named_parameters()]
    for stage, prefixes in STAGES.items():
        under = {p: [n for n in names if not p or n.startswith(p + ".")] for p in prefixes}
        assert any(under.values()), stage
        if variant == FULL:
            empty = {p for p, of_prefix in under.items() if not of_prefix}
            assert empty <= {"xceptmod.dcgan.4", "xceptmod.dcgan.6", "xceptmod.dcgan.8", "xceptmod.dcgan.10"}


def test_maps_of_random_networks_are_finite_and_others() -> None:
    network, x = shared(SMALL), images()
    (before,) = heat_maps(network, x, ["hirescam"], [2])[0]
    for random in cascade(network).values():
        assert isinstance(random, TransXV2SNet)
        (after,) = heat_maps(random, x, ["hirescam"], [2])[0]
        assert np.isfinite(after.values).all()
        assert abs(after.values - before.values).max() > 0.01


def test_rank_correlations_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    maps = [random.random((12, 9), np.float32).round(1) for _ in range(3)]
    expected = spearmanr(np.stack([m.ravel() for m in maps]), axis=1).statistic
    np.testing.assert_allclose(rank_correlations(maps), expected)
    flat = np.zeros((12, 9), np.float32)
    assert np.isnan(rank_correlations([maps[0], flat])[0, 1]), "it puts no pixel before another"


def test_structural_similarity_is_that_of_scikit_image() -> None:
    random = np.random.default_rng(0)
    first, second = (random.random((40, 40), np.float32) for _ in range(2))
    second = 0.5 * first + 0.5 * second
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    assert structural_similarity(first, second) == pytest.approx(judge(first, second, **options), abs=0.01)  # type: ignore[no-untyped-call]
    assert structural_similarity(first, first) == pytest.approx(1)
