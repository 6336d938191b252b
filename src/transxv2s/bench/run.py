"""The whole benchmark: every contender at every size of batch, in turns, and what each costs in accuracy."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from transxv2s import hardware
from transxv2s.bench.accuracy import Labelled, Price, logits_of, price
from transxv2s.bench.contenders import (
    Contender,
    baselines,
    bytes_of,
    ceilings,
    our_engines,
    products_an_image,
)
from transxv2s.bench.rounds import Timing, in_turns
from transxv2s.bench.rows import Row, ceiling, compared, priced, timed
from transxv2s.bench.start import Start, start
from transxv2s.bench.work import PRODUCT
from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.engine import EngineError, Squares
from transxv2s.trust.judgement import scores_of

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        engines: Their names.
        batches: Sizes of batch.
        first_image: An image file, for start-up and memory in processes of their own.
        rounds: How often everything takes its turn.
        seconds: Of one turn.
        with_baselines: Whether networks of timm run beside ours.
        watch: Goes over the names of a round, for a progress bar.
    """

    engines: Sequence[str]
    batches: Sequence[int]
    first_image: Path
    rounds: int = 5
    seconds: float = 1.0
    with_baselines: bool = True
    watch: Callable[[Iterable[str]], Iterable[str]] = field(default=iter)


@dataclass(frozen=True)
class Outcome:
    """What was measured.

    Attributes:
        rows: One for each contender and size of batch, and one for each ceiling.
        missing: What could not be measured, and why.
    """

    rows: list[Row]
    missing: dict[str, str]


def run(
    checkpoint: Checkpoint,
    squares: Squares,
    plan: Plan,
    device: torch.device,
    labelled: Labelled | None = None,
) -> Outcome:
    """Measure.

    Args:
        checkpoint: Whose network.
        squares: What is run, uint8 (N, S, S, 3); repeated to fill the largest batch.
        plan: What to measure.
        device: Where PyTorch runs.
        labelled: For the price in accuracy.
    """
    ours, missing = our_engines(checkpoint, plan.engines, device)
    size, classes = squares.shape[1], len(checkpoint.config.classes)
    precisions = ("float32", "bfloat16") if hardware.computes_in_bfloat16(device) else ("float32",)
    others = [one for p in precisions if plan.with_baselines for one in baselines(classes, size, device, p)]
    limits = ceilings(device, precisions)
    timings = _timings([*ours, *others], limits, squares, plan)
    prices = _prices(checkpoint, ours, labelled) if labelled else {}
    starts, failed = _starts(checkpoint, ours, device, plan.first_image)
    cost = products_an_image(checkpoint)
    rows = [
        timed(one, batch, timings[_key(one, batch)])
        | priced(prices.get(one.name), starts.get(one.name))
        | _of_ours(checkpoint, one, cost)
        for one in (*ours, *others)
        for batch in plan.batches
    ]
    top = [ceiling(one, timings[_key(one, None)], cost) for one in limits]
    return Outcome([compared(row, rows, top) for row in rows] + top, missing | failed)


def _key(one: Contender, batch: int | None) -> str:
    return f"{one.name}, {one.precision}, batch {batch}"


def _timings(
    contenders: Sequence[Contender], limits: Sequence[Contender], squares: Squares, plan: Plan
) -> dict[str, Timing]:
    runs: dict[str, Callable[[], object]] = {_key(one, None): partial(one.run, squares) for one in limits}
    for batch in plan.batches:
        images = np.resize(squares, (batch, *squares.shape[1:]))
        runs |= {_key(one, batch): partial(one.run, images) for one in contenders}
    return in_turns(runs, rounds=plan.rounds, seconds=plan.seconds, watch=plan.watch)


def _prices(checkpoint: Checkpoint, ours: Sequence[Contender], labelled: Labelled) -> dict[str, Price]:
    logits = {one.name: logits_of(one.engine, labelled.squares) for one in ours if one.engine}
    scores = {name: scores_of(checkpoint.config.trust, found)[1] for name, found in logits.items()}
    reference = scores[ours[0].name]
    return {name: price(found, reference, labelled) for name, found in scores.items()}


def _starts(
    checkpoint: Checkpoint, ours: Sequence[Contender], device: torch.device, image: Path
) -> tuple[dict[str, Start], dict[str, str]]:
    """The starts, and why others failed."""
    if checkpoint.directory is None:
        return {}, {}
    found, failed = {}, {}
    for one in ours:
        try:
            found[one.name] = start(checkpoint.directory, one.name, str(device), image)
        except EngineError as error:
            failed[f"the start of {one.name}"] = str(error)
    return found, failed


def _of_ours(checkpoint: Checkpoint, one: Contender, products: float) -> Row:
    """What only our engines have."""
    if one.engine is None:
        return {}
    return {
        "model_mib": bytes_of(checkpoint, one.name) / MEBIBYTE,
        "gigaflops_an_image": products * PRODUCT / 1e9,
    }
