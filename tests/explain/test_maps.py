"""What heat maps are: their form, their order, and that they depend on what they should depend on."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr  # type: ignore[import-untyped]
from torch import Tensor

from explain.networks import FULL, SMALL, images, shared
from transxv2s.errors import InputError
from transxv2s.explain import METHODS, SIX, heat_maps
from transxv2s.explain.ablationcam import channel_falls
from transxv2s.explain.eigencam import eigencam
from transxv2s.explain.enlarging import scaled
from transxv2s.explain.observation import Observation
from transxv2s.nets import VARIANTS, TransXV2SNet, create


@pytest.mark.parametrize("variant", VARIANTS)
def test_form_and_order(variant: str) -> None:
    found = heat_maps(shared(variant), images(2, 64, 84), classes=[6, 1], targets=["effswin", "fused"])
    order = [(c, t, m) for c in (6, 1) for t in ("effswin", "fused") for m in SIX]
    for maps in found:
        assert [(h.class_index, h.target, h.method) for h in maps] == order
        for heat_map in maps:
            assert heat_map.values.shape == (64, 84)
            assert heat_map.values.dtype == heat_map.raw.dtype == np.float32
            assert (heat_map.values.min(), heat_map.values.max()) in {(0, 1), (0, 0)}
            assert heat_map.class_dependent == (heat_map.method != "eigencam")


def test_a_branch_is_its_last_map_and_the_fused_map_the_mean() -> None:
    found = heat_maps(
        shared(FULL), images(), ["eigencam"], [2], ["effswin", "effnet", "xceptmod", "xception", "fused"]
    )
    one, last, two, other_last, fused = (h.values for h in found[0])
    assert np.array_equal(one, last)
    assert np.array_equal(two, other_last)
    mean = torch.from_numpy((one + two) / 2)[None, None]
    np.testing.assert_allclose(fused, scaled(mean, mean.shape[2:])[0, 0], atol=1e-6)


@pytest.mark.parametrize("method", ["hirescam", "fullgrad"])
def test_maps_in_logits_add_up_in_the_fused_network(method: str) -> None:
    one, two, fused = heat_maps(shared(FULL), images(), [method], [2], ["effswin", "xceptmod", "fused"])[0]
    assert fused.raw.sum() == pytest.approx(one.raw.sum() + two.raw.sum(), rel=1e-3)
    assert fused.raw.shape == (64, 64)


@pytest.mark.parametrize("method", SIX)
def test_a_batch_is_its_images(
    shipped: TransXV2SNet, lesions: Tensor, small_lesions: Tensor, method: str
) -> None:
    x = small_lesions if method == "scorecam64" else lesions  # which takes 66 passes an image
    together = heat_maps(shipped, x, [method])
    for image, maps in enumerate(together):
        (alone,) = heat_maps(shipped, x[image : image + 1], [method])
        assert alone[0].class_index == maps[0].class_index
        tolerance = 0.02 if method == "scorecam64" else 1e-3  # bfloat16 has 8 bits
        np.testing.assert_allclose(maps[0].values, alone[0].values, atol=tolerance)
    assert abs(together[0][0].values - together[1][0].values).max() > 0.1, "the image must matter"


def test_repeats_are_the_same_but_for_the_order_of_sums() -> None:
    """Threads add up gradients in any order: the last bits of float32 may differ."""
    one, two = (heat_maps(shared(FULL), images(), classes=[0])[0] for _ in range(2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a.raw, b.raw, atol=1e-6 * abs(a.raw).max(), err_msg=a.method)


def test_only_eigencam_ignores_the_class(shipped: TransXV2SNet, small_lesions: Tensor) -> None:
    found = heat_maps(shipped, small_lesions[:1], classes=[0, 4])[0]
    for one, other in zip(found[: len(SIX)], found[len(SIX) :], strict=True):
        differs = not np.array_equal(one.values, other.values)
        assert differs == one.class_dependent == METHODS[one.method].class_dependent


def test_classes_may_differ_between_images(shipped: TransXV2SNet, small_lesions: Tensor) -> None:
    found = heat_maps(shipped, small_lesions, ["hirescam"], torch.tensor([[3], [5]]))
    assert [maps[0].class_index for maps in found] == [3, 5]
    for number, image in [(3, 0), (5, 1)]:
        (alone,) = heat_maps(shipped, small_lesions[image : image + 1], ["hirescam"], [number])[0]
        np.testing.assert_allclose(found[image][0].values, alone.values, atol=1e-3)


def test_random_weights_take_the_maps_apart(shipped: TransXV2SNet, small_lesions: Tensor) -> None:
    """A map that survived would show the image and not the network (Adebayo et al. 2018)."""
    torch.manual_seed(0)
    random = create(FULL)
    found = heat_maps(shipped, small_lesions[1:], classes=[0], targets=["fused"])[0]
    fallen = heat_maps(random, small_lesions[1:], classes=[0], targets=["fused"])[0]
    for one, other in zip(found, fallen, strict=True):
        assert abs(one.values - other.values).max() > 0.2, one.method
        assert spearmanr(one.values.ravel(), other.values.ravel()).statistic < 0.95, one.method


def test_more_images_than_fit_at_once(shipped: TransXV2SNet, small_lesions: Tensor) -> None:
    found = heat_maps(shipped, small_lesions[[0, 1, 1, 0, 1]], ["hirescam"])
    assert len(found) == 5
    for one, other in [(0, 3), (1, 2), (1, 4)]:
        np.testing.assert_allclose(found[one][0].values, found[other][0].values, atol=1e-3)
    assert heat_maps(shared(SMALL), images(0)) == []


@torch.no_grad()
def test_eigencams_sign_follows_the_energy() -> None:
    observation = Observation(shared(FULL), images(2))
    for name in ("effnet", "xception", "swin", "dcgan3"):
        found = eigencam(observation, name)[:, 0]
        energy = observation.maps[name].square().sum(1)
        assert (((energy - energy.mean((1, 2), keepdim=True)) * found).sum((1, 2)) >= 0).all()


def test_ablating_one_channel_after_the_other() -> None:
    """The definition, with the whole network run once for every channel."""
    network, x, number = shared(SMALL), images(), 5
    with torch.no_grad():
        maps = network.get_feature_maps(x)
        weights = []
        for channel in range(8):
            without = maps["effnet"].clone()
            without[:, channel] = 0
            fallen = network.forward_head(maps | {"effnet": without})
            weights.append((network(x) - fallen)[0, number])
    observation = Observation(network, x, torch.tensor([[number]]))
    found = channel_falls(observation, "effnet", 0)[0, :8]
    torch.testing.assert_close(found, torch.stack(weights), atol=1e-5, rtol=1e-3)


def test_the_reduced_scorecam_ranks_as_the_exact_one(shipped: TransXV2SNet, small_lesions: Tensor) -> None:
    both = heat_maps(shipped, small_lesions, ["scorecam64"], targets=["swin"])
    place = next(i for i, (found,) in enumerate(both) if found.values.any())  # one that is not empty
    lesion = small_lesions[place : place + 1]
    exact, reduced = heat_maps(shipped, lesion, ["scorecam", "scorecam64"], targets=["swin"])[0]
    assert spearmanr(exact.values.ravel(), reduced.values.ravel()).statistic > 0.9


def test_a_flat_map_is_empty() -> None:
    assert scaled(torch.full((1, 1, 4, 4), 3.0), torch.Size((8, 8))).sum() == 0
    assert scaled(torch.full((1, 1, 4, 4), -3.0), torch.Size((8, 8))).sum() == 0


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="no method 'gradcam'; choose from hirescam"):
        heat_maps(shared(SMALL), images(), ["gradcam"])
    with pytest.raises(InputError, match=r"no map 'xception'; choose fused.*effnet.stage1"):
        heat_maps(shared(SMALL), images(), ["hirescam"], targets=["xceptmod"])
    with pytest.raises(InputError, match="no map 'image'"):
        heat_maps(shared(SMALL), images(), ["hirescam"], targets=["image"])
