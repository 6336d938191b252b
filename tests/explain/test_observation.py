"""Going on from any map of the network."""

import copy

import pytest
import torch
from torch import Tensor, nn

from explain.networks import FULL, SMALL, images, shared
from transxv2s.errors import InputError
from transxv2s.explain.observation import Observation
from transxv2s.nets import VARIANTS, TransXV2SNet
from transxv2s.nets.steps import IMAGE


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_from_every_map_the_network_comes_to_the_same_logits(variant: str) -> None:
    observation = Observation(shared(variant), images(2))
    names = [name for name in observation.maps if name != IMAGE]
    assert len(names) >= 7
    for name in names:
        steps = observation.branch_of(name)
        logits = observation.logits_from(steps, name, observation.maps[name][1:], image=1)
        torch.testing.assert_close(logits.float(), observation.logits[1:], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("swin", "effswin.swin"),
        ("effnet.stage2", "effswin.trunk.blocks.1"),
        ("xception.block4", "xceptmod.trunk.block4"),
        ("xception", "xceptmod.trunk.act4"),
    ],
)
@torch.no_grad()
def test_a_changed_map_changes_the_logits_as_in_the_network(name: str, module: str) -> None:
    """The oracle is the whole network with a hook that changes the module's output."""
    network, x = shared(FULL), images()
    observation = Observation(network, x)
    changed = observation.maps[name].flip(1)

    def change(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return changed

    handle = network.get_submodule(module).register_forward_hook(change)
    expected = network(x)
    handle.remove()
    actual = observation.logits_from(observation.branch_of(name), name, changed)
    torch.testing.assert_close(actual.float(), expected)
    assert not torch.allclose(expected, network(x), atol=1e-3), "the map must matter"


@pytest.mark.parametrize("name", ["effnet.stage3", "dcgan", "xception"])
def test_gradients_are_the_slopes_of_the_logits(shipped: TransXV2SNet, lesions: Tensor, name: str) -> None:
    observation = Observation(copy.deepcopy(shipped).double(), lesions[:1].double(), torch.tensor([[1, 6]]))
    direction = torch.randn_like(observation.maps[name])
    steps, point, step = observation.branch_of(name), observation.maps[name], 1e-6
    ahead = observation.logits_from(steps, name, point + step * direction)
    behind = observation.logits_from(steps, name, point - step * direction)
    expected = ((ahead - behind) / (2 * step))[0, [1, 6]].detach()
    actual = (observation.gradients(name)[0] * direction).sum((1, 2, 3))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-6)


def test_what_cannot_be_explained_is_refused() -> None:
    network = shared(SMALL)
    with pytest.raises(InputError, match="not finite"):
        Observation(network, torch.full((1, 3, 64, 64), torch.nan))
    with pytest.raises(InputError, match="at least 64×64"):
        Observation(network, images(1, 32, 32))
    with pytest.raises(InputError, match="from 0 to 7"):
        Observation(network, images(), torch.tensor([[8]]))
    with pytest.raises(InputError, match="as many for each image"):
        Observation(network, images(2), torch.tensor([[1]]))
