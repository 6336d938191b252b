"""Weight averaging: the definition, what is not averaged, resumption, and which weights are published."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from transxv2s.training import run, start
from transxv2s.training.averaging import EVERY, Average
from transxv2s.training.recipe import Averaging, Recipe
from transxv2s.training.trainer import BEST, LAST

from .tiny import EPOCHS, STEPS_PER_EPOCH, TinyNetwork, recipe

DECAY = 0.9

Watch = Callable[[TinyNetwork, str, int], None]  # before each batch: the network, the kind and the count


class KilledError(Exception):
    """Stands for a kill."""


class WithBuffers(nn.Module):
    """Batch normalisation counts batches, and windowed attention has a table of positions."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("table", torch.arange(100))


def averaged(values: list[Tensor]) -> Tensor:
    """By the definition: every fourth step; the nth of these keeps 4(n−1) / (10 + 4(n−1)), at most DECAY⁴."""
    average, *others = values[EVERY - 1 :: EVERY]
    for n, value in enumerate(others, start=1):
        keep = min(DECAY**EVERY, EVERY * n / (10 + EVERY * n))
        average = keep * average + (1 - keep) * value
    return average


def test_parameters_and_statistics_are_averaged_and_integers_are_not() -> None:
    torch.manual_seed(0)
    network = WithBuffers()
    average = Average(network, Averaging(decay=DECAY))
    states = []
    for step in range(1, 61):
        network.norm(torch.randn(8, 3) + step)
        network.norm.weight.data.normal_()
        average.after(step, network)
        states.append({k: v.clone() for k, v in network.state_dict().items()})
    found = average.module.state_dict()
    for name in ("norm.weight", "norm.running_mean", "norm.running_var"):
        torch.testing.assert_close(found[name], averaged([state[name] for state in states]))
    assert found["norm.num_batches_tracked"] == 60
    assert torch.equal(found["table"], torch.arange(100))
    assert not any(p.requires_grad for p in average.parameters())


def train(
    folder: Path, wanted: Recipe, resume: bool = False, watch: Watch = lambda *_: None
) -> dict[str, Any]:
    """Trains in the folder, and gives what the end of the run is saved with."""

    def create(*_: Any, **__: Any) -> TinyNetwork:
        network = TinyNetwork(folder.with_suffix(".log"), lambda kind, count: watch(network, kind, count))
        return network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "create", create)
        run.train(wanted, folder, resume)
    last: dict[str, Any] = torch.load(folder / LAST, weights_only=True)
    return last


@pytest.fixture(scope="module")
def wanted(data: Path) -> Recipe:
    return recipe(data, averaging=Averaging(decay=DECAY))


@dataclass
class Whole:
    """A run that nothing interrupted, and its weights after each step."""

    folder: Path
    end: dict[str, Any]
    steps: list[Tensor]


@pytest.fixture(scope="module")
def whole(wanted: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder, before = tmp_path_factory.mktemp("averaging") / "run", []

    def watch(network: TinyNetwork, kind: str, _: int) -> None:
        if kind == "train":
            before.append(network.linear.weight.detach().clone())

    end = train(folder, wanted, watch=watch)
    return Whole(folder, end, [*before[1:], end["state_dict"]["network.linear.weight"]])


def test_a_run_averages_every_step(whole: Whole) -> None:
    assert len(whole.steps) == EPOCHS * STEPS_PER_EPOCH
    found = whole.end["state_dict"]["average.module.linear.weight"]
    torch.testing.assert_close(found, averaged(whole.steps))


@pytest.mark.parametrize("place", [("train", STEPS_PER_EPOCH + 2), ("evaluate", 1)])
def test_a_killed_and_resumed_run_ends_as_if_nothing_had_happened(
    place: tuple[str, int], whole: Whole, wanted: Recipe, tmp_path: Path
) -> None:
    def kill(_: TinyNetwork, kind: str, count: int) -> None:
        if (kind, count) == place:
            raise KilledError

    with pytest.raises(KilledError):
        train(tmp_path / "run", wanted, watch=kill)
    end = train(tmp_path / "run", wanted, resume=True)
    assert end["global_step"] == whole.end["global_step"]
    assert end["state_dict"].keys() == whole.end["state_dict"].keys()
    assert all(torch.equal(tensor, whole.end["state_dict"][k]) for k, tensor in end["state_dict"].items())


def test_the_average_of_the_best_epoch_is_published(whole: Whole) -> None:
    best = torch.load(whole.folder / BEST, weights_only=True)["state_dict"]
    published = load_file(whole.folder / "checkpoint" / "model.safetensors")["linear.weight"]
    assert torch.equal(published, best["average.module.linear.weight"].half())
    assert not torch.equal(published, best["network.linear.weight"].half())
