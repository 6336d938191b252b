"""Explaining leaves a network as it was, whatever happens, in any number of threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.networks import FULL, SMALL, images, own, shared
from transxv2s.explain import SIX, HeatMap, graph_attention, heat_maps
from transxv2s.explain.observation import Observation
from transxv2s.explain.scorecam import AT_ONCE
from transxv2s.explain.twin import twin
from transxv2s.nets import TransXV2SNet

TARGETS = ("fused", "swin")


def state(network: nn.Module) -> dict[str, Any]:
    """Everything that could be left behind, apart from the values of weights."""
    found: dict[str, Any] = {}
    for name, module in network.named_modules():
        hooks = {key: dict(value) for key, value in vars(module).items() if "_hooks" in key and value}
        rest = {key: id(value) for key, value in vars(module).items() if key[0] != "_" and key != "training"}
        children = {key: id(value) for key, value in module._modules.items()}
        found[name] = (type(module), module.training, hooks, rest, children)
    for name, p in [*network.named_parameters(), *network.named_buffers()]:
        found[name + ":"] = (id(p), p.requires_grad, p.data_ptr(), None if p.grad is None else id(p.grad))
    return found


@contextmanager
def unchanged(network: nn.Module) -> Iterator[None]:
    before, values = state(network), {n: v.clone() for n, v in network.state_dict().items()}
    grads = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    yield
    assert state(network) == before
    assert all(torch.equal(value, values[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(p.grad, grads[n]) for n, p in network.named_parameters() if p.grad is not None)


def in_use(training: bool) -> TransXV2SNet:
    """A network amid someone's work: hooks, gradients, some weights frozen."""
    network = own(FULL).train(training)
    torch.autograd.backward(network(images(2)).sum())
    network.effswin.requires_grad_(False)
    network.classifier.register_forward_hook(lambda module, inputs, output: output + 100)
    return network


@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_left_behind(training: bool) -> None:
    network = in_use(training)
    with unchanged(network):
        (found,) = heat_maps(network, images(), classes=[1], targets=TARGETS)
        graph_attention(network, images())
    assert {(h.target, h.method) for h in found} == {(t, m) for t in TARGETS for m in SIX}


def test_hooks_of_others_do_not_change_the_maps() -> None:
    found = heat_maps(in_use(training=False), images(), classes=[1])[0]
    same(found, heat_maps(shared(FULL), images(), classes=[1])[0])


@pytest.mark.parametrize("method", [*SIX, "scorecam"])
@pytest.mark.parametrize("call", [0, 1])
def test_nothing_is_left_behind_by_an_exception(
    monkeypatch: pytest.MonkeyPatch, method: str, call: int
) -> None:
    """The network's head fails the first time, and when the method is at work."""
    network, calls = own(SMALL), iter(range(1000))
    head, logits_from = TransXV2SNet.forward_head, Observation.logits_from

    def perhaps_fail() -> None:
        if next(calls) == (0 if method == "eigencam" else call):  # it looks no further than the map
            raise RuntimeError("no memory")

    def failing(self: TransXV2SNet, maps: dict[str, Tensor]) -> Tensor:
        perhaps_fail()
        return head(self, maps)

    def failing_from(self: Observation, *arguments: Any) -> Tensor:
        perhaps_fail()
        return logits_from(self, *arguments)

    monkeypatch.setattr(Observation, "logits_from", failing_from)
    monkeypatch.setattr(TransXV2SNet, "forward_head", failing)
    monkeypatch.setattr(TransXV2SNet, "forward", lambda self, x: failing(self, self.get_feature_maps(x)))
    with unchanged(network), pytest.raises(RuntimeError, match="no memory"):
        heat_maps(network, images(), [method], targets=["swin"])
    assert torch.is_grad_enabled()


def same(found: list[HeatMap], expected: list[HeatMap]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.method, one.target, one.class_index) == (other.method, other.target, other.class_index)
        tolerance = 0.02 if one.method == "scorecam64" else 1e-4  # scored in bfloat16, which has 8 bits
        what = f"{one.method} {one.target}"
        np.testing.assert_allclose(one.values, other.values, atol=tolerance, err_msg=what)


def test_a_network_in_training_is_explained_as_in_evaluation() -> None:
    x = images()
    same(
        heat_maps(own(SMALL).train(), x, targets=["swin"])[0],
        heat_maps(shared(SMALL), x, targets=["swin"])[0],
    )


def test_threads_do_not_meet() -> None:
    """Several explain while another switches the network between training and evaluation."""
    network, x, stop = own(SMALL), images(3), Event()

    def explain(image: int) -> list[HeatMap]:
        return heat_maps(network, x[image : image + 1], targets=["fused", "swin"])[0]

    alone = [explain(image) for image in range(3)]

    def switch() -> None:
        while not stop.is_set():
            network.train().eval()

    switching = Thread(target=switch)
    switching.start()
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(explain, [0, 1, 2]))
    stop.set()
    switching.join()
    for found, expected in zip(together, alone, strict=True):
        same(found, expected)


@pytest.mark.parametrize(
    "mode", [torch.inference_mode, torch.no_grad, lambda: torch.autocast("cpu", torch.bfloat16)]
)
def test_the_callers_modes_do_not_matter(mode: Callable[[], Any]) -> None:
    expected = heat_maps(shared(SMALL), images(), ["hirescam", "fullgrad"])[0]
    with mode():
        same(heat_maps(shared(SMALL), images(), ["hirescam", "fullgrad"])[0], expected)


def test_a_twin_shares_the_weights_and_nothing_else() -> None:
    network = in_use(training=True)
    other = twin(network)
    assert not any(module.training for module in other.modules())
    assert not {id(m) for m in other.modules()} & {id(m) for m in network.modules()}
    for name, value in other.state_dict().items():
        assert value.data_ptr() == network.state_dict()[name].data_ptr()
        assert not value.requires_grad
    assert abs(other(images()) - network.eval()(images())).min() > 90, "hooks stay behind"


def test_scorecam_holds_few_masked_images_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, forward = [], TransXV2SNet.forward

    def counted(self: TransXV2SNet, x: Tensor) -> Tensor:
        sizes.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(TransXV2SNet, "forward", counted)
    heat_maps(shared(SMALL), images(), ["scorecam"], targets=["swin"])
    assert sizes == [AT_ONCE, AT_ONCE, 1], "64 channels and the baseline"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees() -> None:
    expected = heat_maps(shared(FULL), images(), classes=[1])[0]
    with torch.backends.cudnn.flags(allow_tf32=False):
        found = heat_maps(own(FULL).cuda(), images(), classes=[1])[0]
    for one, other in zip(found, expected, strict=True):
        tolerance = 0.05 if one.method == "scorecam64" else 5e-3  # bfloat16
        np.testing.assert_allclose(one.values, other.values, atol=tolerance)
