"""Optimisers and schedules: who learns at which rate, and how the rate changes."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import nn

from transxv2s.nets import create
from transxv2s.nets.baselines import Baseline
from transxv2s.training import optim
from transxv2s.training.recipe import Data, Network, Optimizer, Recipe, Schedule

DATA = Data(dataset="isic2019", root="images", split="split.csv")  # type: ignore[arg-type]


def recipe(**changes: object) -> Recipe:
    return Recipe.model_validate({"data": DATA, **changes})


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.device("meta"):  # names and shapes are all that counts
        return create()


def test_every_parameter_is_in_one_group_once(network: nn.Module) -> None:
    grouped = [id(p) for group in optim.parameter_groups(network, recipe()) for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in network.parameters()}


def test_only_dcgan_modules_learn_slower(network: nn.Module) -> None:
    """The article's listing slowed all of Xception down."""
    groups = optim.parameter_groups(network, recipe(optimizer=Optimizer(learning_rate=0.2, dcgan_factor=0.5)))
    rate_of = {id(p): group["lr"] for group in groups for p in group["params"]}
    slower = {name for name, p in network.named_parameters() if rate_of[id(p)] == 0.1}
    dcgan = {name for name, _ in network.named_parameters() if name.startswith("xceptmod.dcgan.")}
    assert len(dcgan) > 50
    assert slower == dcgan
    assert set(rate_of.values()) == {0.1, 0.2}


@pytest.mark.parametrize(
    ("start", "parts"),
    [
        ({}, ()),
        ({"xception_weights": "x.safetensors"}, ("xceptmod.trunk.",)),
        ({"pretrained": True}, ("xceptmod.trunk.", "effswin.trunk.")),
        ({"checkpoint": "there"}, ("effswin.", "xceptmod.", "fusion.")),
    ],
)
def test_what_was_loaded_has_its_own_rate(
    start: dict[str, Any], parts: tuple[str, ...], network: nn.Module
) -> None:
    optimizer = Optimizer(learning_rate=0.2, dcgan_factor=1, pretrained_factor=0.25)
    groups = optim.parameter_groups(network, recipe(optimizer=optimizer, network=start))
    rate_of = {id(p): group["lr"] for group in groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        assert rate_of[id(parameter)] == (0.05 if name.startswith(parts) else 0.2), name


def test_of_a_baseline_all_but_the_head_is_pretrained() -> None:
    with torch.device("meta"):
        baseline = Baseline("resnet18")
    loaded = optim.pretrained(baseline, Network(pretrained=True))
    fresh = {name for name, _ in baseline.named_parameters()} - loaded
    assert fresh == {"trunk.fc.weight", "trunk.fc.bias"}


def test_biases_norms_and_fusion_weights_do_not_decay(network: nn.Module) -> None:
    groups = optim.parameter_groups(network, recipe(optimizer=Optimizer(weight_decay=0.3)))
    decay_of = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        matrix = parameter.ndim > 1 and not name.endswith("position_bias")
        assert decay_of[id(parameter)] == (0.3 if matrix else 0), name
    parts = ("fusion.weights", "effswin.swin.blocks.0.attention.position_bias")
    for part in parts:
        assert {decay_of[id(p)] for n, p in network.named_parameters() if n.startswith(part)} == {0}


@pytest.mark.parametrize(("name", "kind"), [("adamax", torch.optim.Adamax), ("adamw", torch.optim.AdamW)])
def test_the_optimiser_is_the_named_one(name: str, kind: type) -> None:
    changes = {"optimizer": {"name": name}}
    configured = optim.configure(nn.Linear(2, 2), recipe(**changes), lambda: 0.0)
    assert isinstance(configured["optimizer"], kind)


def test_one_cycle_rises_to_the_peak_and_falls_to_zero() -> None:
    assert optim.one_cycle(0, 0.2) == pytest.approx(1 / 25)
    assert optim.one_cycle(0.2, 0.2) == pytest.approx(1)
    assert optim.one_cycle(1, 0.2) == pytest.approx(0)
    rates = [optim.one_cycle(i / 1000, 0.2) for i in range(1001)]
    assert rates[:201] == sorted(rates[:201])
    assert rates[200:] == sorted(rates[200:], reverse=True)
    assert max(abs(b - a) for a, b in itertools.pairwise(rates)) < 0.01  # no jump


def test_one_cycle_is_pytorchs_at_the_same_share_of_the_run() -> None:
    """PyTorch's ends at 1/10,000 of the start instead of 0."""
    steps, warmup = 41, 0.25
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    peer = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        1.0,
        total_steps=steps,
        pct_start=11 / steps,
        cycle_momentum=False,
        final_div_factor=math.inf,
    )
    for step in range(steps):
        rate = optimizer.param_groups[0]["lr"]
        assert optim.one_cycle(step / (steps - 1), warmup) == pytest.approx(rate, abs=1e-9)
        optimizer.step()
        if step < steps - 1:
            peer.step()


def test_one_cycle_follows_the_progress_in_every_group() -> None:
    progress = [0.0]
    schedule = Schedule(name="one_cycle", warmup=0.5)
    configured = optim.configure(
        nn.Linear(2, 2),
        recipe(schedule=schedule, optimizer=Optimizer(learning_rate=0.1)),
        lambda: progress[0],
    )
    assert configured["lr_scheduler"]["interval"] == "step"
    for progress[0] in (0.1, 0.5, 0.9, 1.0):
        configured["optimizer"].step()
        configured["lr_scheduler"]["scheduler"].step()
        rates = [group["lr"] for group in configured["optimizer"].param_groups]
        assert rates == pytest.approx([0.1 * optim.one_cycle(progress[0], 0.5)] * 2)


def test_the_plateau_schedule_halves_after_the_patience() -> None:
    schedule = Schedule(name="plateau", factor=0.5, patience=1)
    configured = optim.configure(nn.Linear(2, 2), recipe(schedule=schedule), lambda: 0.0)
    assert configured["lr_scheduler"]["monitor"] == "validation/loss"
    rates = []
    for loss in (1.0, 0.9, 0.95, 0.95, 0.95):
        configured["lr_scheduler"]["scheduler"].step(loss)
        rates.append(configured["optimizer"].param_groups[0]["lr"])
    assert rates == pytest.approx([1e-3, 1e-3, 1e-3, 5e-4, 5e-4])
