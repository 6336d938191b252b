"""Against the common library of heat maps, where it is right."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explain.networks import FULL, SMALL, images, shared
from transxv2s.explain import heat_maps
from transxv2s.explain.enlarging import scaled
from transxv2s.explain.observation import Observation
from transxv2s.nets import TransXV2SNet

library = pytest.importorskip("pytorch_grad_cam")
targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
MODULES = {"effnet": "effswin.trunk.bn2", "swin": "effswin.swin", "xception": "xceptmod.trunk.act4"}
TOLERANCE = 1e-4
Maps = NDArray[np.float32]


class ZeroAblation(library.AblationLayer):  # type: ignore[misc, name-defined]
    """Ablates to zero on maps with negative values too, where the library writes −10⁷."""

    def __call__(self, x: Tensor) -> Tensor:
        output: Tensor = self.activations
        for row in range(len(output)):
            output[row, self.indices[row]] = 0
        return output


def of_library(kind: str, network: nn.Module, layers: list[str], x: Tensor, number: int, **more: Any) -> Maps:
    modules = [network.get_submodule(layer) for layer in layers]
    with getattr(library, kind)(model=network, target_layers=modules, **more) as cam:
        values: Maps = cam(x, [targets.ClassifierOutputTarget(number)] * len(x))
    return values


def ours(network: TransXV2SNet, method: str, target: str, x: Tensor, number: int) -> Maps:
    return np.stack([maps[0].values for maps in heat_maps(network, x, [method], [number], [target])])


def telling(network: TransXV2SNet, method: str, target: str, lesions: Tensor) -> tuple[Tensor, int]:
    """A lesion and a class whose map is not empty, of the least positive logit.

    The library divides by the logit, and takes falls from it in float32, which rounds those of a large one.
    """
    for x in (lesions[:1], lesions[1:]):
        for number in network(x)[0].argsort().tolist():
            if network(x)[0, number] > 0 and ours(network, method, target, x, number).max() > 0.99:
                return x, number
    pytest.fail("every map is empty")


@pytest.mark.parametrize("target", MODULES)
@pytest.mark.parametrize(("kind", "method"), [("HiResCAM", "hirescam"), ("GradCAMPlusPlus", "gradcam++")])
def test_gradient_methods(
    shipped: TransXV2SNet, lesions: Tensor, kind: str, method: str, target: str
) -> None:
    expected = of_library(kind, shipped, [MODULES[target]], lesions, 0)
    assert expected.max() > 0.99, "the map must not be empty"
    np.testing.assert_allclose(ours(shipped, method, target, lesions, 0), expected, atol=TOLERANCE)


def test_the_fused_map(shipped: TransXV2SNet, lesions: Tensor) -> None:
    """The mean of the scaled maps, which are taken one by one: together it adds 1e-7 to small ones."""
    both = [
        of_library("GradCAMPlusPlus", shipped, [MODULES[name]], lesions, 1) for name in ("effnet", "xception")
    ]
    expected = scaled(torch.from_numpy(np.mean(both, 0)).unsqueeze(1), lesions.shape[2:])[:, 0]
    np.testing.assert_allclose(ours(shipped, "gradcam++", "fused", lesions, 1), expected, atol=TOLERANCE)


@pytest.mark.parametrize("target", MODULES)
def test_eigencam_up_to_its_sign(shipped: TransXV2SNet, lesions: Tensor, target: str) -> None:
    """The library's sign is arbitrary: of one image it is ours, or what ours would be turned around."""
    expected = of_library("EigenCAM", shipped, [MODULES[target]], lesions[:1], 0)
    (found,) = heat_maps(shipped, lesions[:1], ["eigencam"], [0], [target])[0]
    turned = rescaled(-found.raw)
    assert min(abs(found.values - expected[0]).max(), abs(turned - expected[0]).max()) < TOLERANCE


def rescaled(raw: Maps) -> Maps:
    """As the library does it."""
    scale = pytest.importorskip("pytorch_grad_cam.utils.image").scale_cam_image
    values: Maps = scale(scale(np.maximum(raw, 0)[None], (128, 128)))[0]
    return values


def test_ablationcam_through_the_whole_network(shipped: TransXV2SNet, small_lesions: Tensor) -> None:
    """64 channels of the Swin map."""
    x, number = telling(shipped, "ablationcam", "swin", small_lesions)
    expected = of_library("AblationCAM", shipped, [MODULES["swin"]], x, number, ablation_layer=ZeroAblation())
    np.testing.assert_allclose(ours(shipped, "ablationcam", "swin", x, number), expected, atol=TOLERANCE)


class FromMap(nn.Module):
    """The rest of the network after Xception's last map, so that the library need not run all before it."""

    def __init__(self, network: TransXV2SNet, x: Tensor) -> None:
        super().__init__()
        self.network = network
        with torch.no_grad():
            self.maps = network.get_feature_maps(x)
        self.layer = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        maps = {name: m.expand(len(x), -1, -1, -1) for name, m in self.maps.items()}
        return self.network.forward_head(maps | {"xception": self.layer(maps["xception"])})


def test_ablationcam_where_the_library_is_right(shipped: TransXV2SNet, lesions: Tensor) -> None:
    """On a rectified map its own ablation is to zero. In double: channels change the logit by little."""
    network = copy.deepcopy(shipped).double()
    x, number = telling(network, "ablationcam", "xception", lesions.double())
    expected = of_library("AblationCAM", FromMap(network, x), ["layer"], x, number)
    np.testing.assert_allclose(ours(network, "ablationcam", "xception", x, number), expected, atol=TOLERANCE)


@pytest.mark.parametrize("variant", [SMALL, FULL])
def test_scorecam(variant: str) -> None:
    network, x = shared(variant), images()
    expected = of_library("ScoreCAM", network, [MODULES["swin"]], x, 3)
    np.testing.assert_allclose(ours(network, "scorecam", "swin", x, 3), expected, atol=TOLERANCE)


def test_class_numbers_reach_the_observation(shipped: TransXV2SNet, lesions: Tensor) -> None:
    observation = Observation(shipped, lesions)
    assert torch.equal(observation.classes[:, 0], shipped(lesions).argmax(1))
