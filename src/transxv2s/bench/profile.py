"""Where the time of our network goes: each stage of each branch, in time and in arithmetic."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from transxv2s.bench.rounds import in_turns
from transxv2s.bench.work import operations
from transxv2s.engines.eager import on_device
from transxv2s.engines.engine import Precision, Squares
from transxv2s.engines.lean import LeanNetwork
from transxv2s.errors import InputError
from transxv2s.hardware import require_bfloat16
from transxv2s.nets import TransXV2SNet
from transxv2s.nets.steps import IMAGE, walk

BRANCHES = {"effswin": "branch 1", "xceptmod": "branch 2", "fusion": "fusion"}


class Stage(NamedTuple):
    """One stage.

    Attributes:
        part: Branch 1, branch 2, a DCGAN, or the fusion.
        name: Of the map that it makes.
        milliseconds: An image, in a batch.
        gigaflops: An image; products alone.
    """

    part: str
    name: str
    milliseconds: float
    gigaflops: float


def profile(
    network: torch.nn.Module, squares: Squares, precision: Precision, lean: bool, rounds: int = 5
) -> list[Stage]:
    """Time every stage on the maps that the stages before it make.

    Args:
        network: A variant of ours, on the processor.
        squares: A batch, uint8 (B, S, S, 3).
        precision: float32, or bfloat16 by autocast or, if lean, throughout.
        lean: Take the lean copy that the engines run instead of the network as trained.
        rounds: How often each stage takes its turn.

    Raises:
        InputError: The network is none of ours, which has no branches to take apart; or the processor does
            not compute in bfloat16.
    """
    if not isinstance(network, TransXV2SNet):
        raise InputError("Only variants of TransXV2S-Net have stages to profile.")
    if precision == "bfloat16":
        require_bfloat16(torch.device("cpu"), "profile in float32")
    taken, dtype = network, torch.float32
    if lean:
        made = LeanNetwork(network)
        made = made.in_bfloat16() if precision == "bfloat16" else made
        taken, dtype = made.network, made.dtype
    taken.to(memory_format=torch.channels_last)
    image = on_device(squares, torch.device("cpu")).to(dtype)
    auto = precision == "bfloat16" and not lean
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=auto):
        runs = _runs(taken, image)
        work = {name: operations(run) for name, run in runs.items()}
        timings = in_turns(runs, rounds=rounds, seconds=0)
    count = len(squares)
    return [
        Stage(
            _part(name),
            name.split("/")[1],
            1000 * timings[name].quantile(0.5) / count,
            work[name] / count / 1e9,
        )
        for name in runs
    ]


def _runs(network: TransXV2SNet, image: Tensor) -> dict[str, Callable[[], Any]]:
    """Each step of each branch as a call on its own inputs, then what is made of the branches' last maps."""
    runs: dict[str, Callable[[], Any]] = {}
    everything: dict[str, Tensor] = {}
    for branch, steps in network.branches().items():
        maps = walk(steps, {IMAGE: image})
        everything |= maps
        for step in steps:
            inputs = [maps[name] for name in step.inputs]
            runs[f"{branch}/{step.name}"] = partial(step.run, *inputs)
    runs["fusion/pooling, projections, classifier"] = partial(network.forward_head, everything)
    return runs


def _part(name: str) -> str:
    branch, stage = name.split("/")
    return "DCGAN" if stage.startswith("dcgan") else "Swin" if stage == "swin" else BRANCHES[branch]
