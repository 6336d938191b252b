"""FullGrad's terms: they give the logit, and each is what its definition says."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explain.networks import FULL, images, shared
from transxv2s.explain.fullgrad import Term, full_gradient, fullgrad
from transxv2s.explain.layouts import InWindows, OnTokens
from transxv2s.explain.observation import Observation
from transxv2s.explain.tracing import implicit_bias
from transxv2s.nets import VARIANTS, TransXV2SNet
from transxv2s.nets.dcgan import DCGAN
from transxv2s.nets.swin import WindowAttention, padded, to_windows

RELATIVE = 1e-9  # float64


def total(terms: list[Term]) -> Tensor:
    return torch.stack([term.total for term in terms]).sum(0)


def in_double(network: TransXV2SNet) -> TransXV2SNet:
    return copy.deepcopy(network).double()


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_terms_give_the_logit(variant: str) -> None:
    """Two classes, and a grid that windows do not divide."""
    network, x = in_double(shared(variant)), images(1, 64, 76).double()
    observation = Observation(network, x, torch.tensor([[0, 3]]))
    logits = network(x).detach().gather(1, observation.classes)
    for k, terms in enumerate(full_gradient(observation)):
        torch.testing.assert_close(total(terms), logits[:, k], rtol=RELATIVE, atol=0)


def test_all_terms_give_the_logit_of_the_shipped_network(shipped: TransXV2SNet, lesions: Tensor) -> None:
    network, x = in_double(shipped), lesions[:1].double()
    (terms,) = full_gradient(Observation(network, x))
    torch.testing.assert_close(total(terms), network(x).amax(1), rtol=RELATIVE, atol=0)


def by_parameters(network: TransXV2SNet, x: Tensor, number: int) -> dict[str, Tensor]:
    """By kind of layer, the sum of biases times their gradients, the biases being parameters.

    That of a batch normalisation is β − μ·w / √(σ² + ε), and its gradient that of β.
    """
    torch.autograd.backward(network(x)[0, number])
    found = {"conv2d": torch.tensor(0.0).double(), "linear": torch.tensor(0.0).double()}
    found["batch_norm"] = torch.tensor(0.0).double()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            assert module.bias.grad is not None
            kind = "linear" if isinstance(module, nn.Linear) else "conv2d"
            found[kind] += (module.bias.grad * module.bias).sum().detach()
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            assert module.running_var is not None
            assert module.bias.grad is not None
            slope = module.weight / (module.running_var + module.eps).sqrt()
            found["batch_norm"] += (
                (module.bias.grad * (module.bias - module.running_mean * slope)).sum().detach()
            )
    return found


def test_layers_with_a_bias_have_the_terms_that_their_parameters_say() -> None:
    """Of the class whose least term is largest: of a tiny one rounding would be a great part."""
    network, x = in_double(shared()), images().double()
    said = {}
    for number in range(8):
        network.zero_grad()
        said[number] = by_parameters(network, x, number)
    number = max(said, key=lambda n: min(term.abs().item() for term in said[n].values()))
    (terms,) = full_gradient(Observation(network, x, torch.tensor([[number]])))
    for kind, expected in said[number].items():
        assert expected.abs() > 1e-3
        actual = total([term for term in terms if term.name == kind])[0]
        torch.testing.assert_close(actual, expected, rtol=RELATIVE, atol=0)


def active(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


def test_biases_of_single_operations() -> None:
    a, b = active(3, 5), active(3, 5)
    gate = a.detach().sigmoid()
    silu_bias = a * gate - a * (gate + a * gate * (1 - gate))
    soft = a.detach().softmax(1)
    softmax_bias = soft - soft * (a - (soft * a).sum(1, keepdim=True))
    constant = torch.randn(5, dtype=torch.float64)
    cases: list[tuple[Callable[..., Tensor], tuple[Any, ...], Tensor]] = [
        (torch.mul, (a, b), -a * b),
        (torch.matmul, (a, b.T), -a @ b.T),
        (torch.add, (a, constant), constant.expand(3, 5)),
        (F.silu, (a,), silu_bias),
        (torch.softmax, (a, 1), softmax_bias),
        (F.relu, (a,), torch.zeros(3, 5, dtype=torch.float64)),
    ]
    for function, arguments, expected in cases:
        torch.testing.assert_close(implicit_bias(function, arguments, {}, function(*arguments)), expected)


def test_forbidden_places_have_no_bias() -> None:
    scores = active(2, 4)
    masked = scores + torch.tensor([0.5, -torch.inf, 0.0, 1.0])
    bias = implicit_bias(torch.add, (scores, torch.tensor([0.5, -torch.inf, 0.0, 1.0])), {}, masked)
    torch.testing.assert_close(bias[0], torch.tensor([0.5, 0, 0, 1]).double())
    assert implicit_bias(torch.softmax, (masked, 1), {}, masked.softmax(1)).isfinite().all()


@pytest.mark.parametrize("grid", [(8, 8), (7, 10), (4, 9)])
@pytest.mark.parametrize("shift", [0, 2])
def test_windows_are_brought_back_to_their_places(grid: tuple[int, int], shift: int) -> None:
    attention = WindowAttention(8, 2, 4, shift)
    places = torch.arange(1.0, grid[0] * grid[1] + 1).view(1, *grid, 1)
    rows, columns = attention.shifts(grid)
    wide = F.pad(places, (0, 0, 0, padded(grid[1], 4) - grid[1], 0, padded(grid[0], 4) - grid[0]))
    windows = to_windows(wide.roll((-rows, -columns), (1, 2)), 4)
    found = InWindows(attention, places)(windows)
    assert found is not None
    assert torch.equal(found, places[..., 0])


def test_sampled_nodes_are_brought_back_to_their_places() -> None:
    layout = OnTokens(DCGAN(4), torch.zeros(1, 4, 2, 3))
    layout.chosen = torch.tensor([[5, 1]])
    found = layout(torch.tensor([[[2.0, 3], [7, 0]]]))
    assert found is not None
    assert found.tolist() == [[[0, 7, 0], [0, 0, 5]]]
    assert layout(torch.ones(1, 1, 4)) is None, "channel attention is at no position"


def test_the_map_holds_all_that_is_at_a_position_in_its_branch() -> None:
    observation = Observation(shared(FULL).double(), images().double(), torch.tensor([[4]]))
    (terms,) = full_gradient(observation)
    both = fullgrad(observation, "effnet").sum() + fullgrad(observation, "xception").sum()
    placed = [term.magnitude.sum() for term in terms if term.magnitude is not None]
    torch.testing.assert_close(both, torch.stack(placed).sum(), rtol=0.02, atol=0)
    shared(FULL).float()
