"""The whole benchmark: every contender at every size of batch, in turns, and what each costs in accuracy."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

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
from transxv2s.bench.start import Start, start
from transxv2s.bench.work import PRODUCT
from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.choice import computes_in_bfloat16, machine
from transxv2s.engines.engine import Squares
from transxv2s.trust.judgement import scores_of

Row = dict[str, Any]
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        engines: Their names.
        batches: Sizes of batch.
        rounds: How often everything takes its turn.
        seconds: Of one turn.
        with_baselines: Whether networks of timm run beside ours.
        first_image: An image file; with it, start-up and memory are measured in processes of their own.
        watch: Goes over the names of a round, for a progress bar.
    """

    engines: Sequence[str]
    batches: Sequence[int]
    rounds: int = 5
    seconds: float = 1.0
    with_baselines: bool = True
    first_image: Path | None = None
    watch: Callable[[Iterable[str]], Iterable[str]] = field(default=iter)


@dataclass(frozen=True)
class Outcome:
    """What was measured.

    Attributes:
        rows: One for each contender and size of batch, and one for each ceiling.
        missing: Engines that cannot be used here, and why.
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
    precisions = ("float32", "bfloat16") if computes_in_bfloat16(device) else ("float32",)
    others = [one for p in precisions if plan.with_baselines for one in baselines(classes, size, device, p)]
    limits = ceilings(device)
    timings = _timings([*ours, *others], limits, squares, plan)
    prices = _prices(checkpoint, ours, labelled) if labelled else {}
    starts = _starts(checkpoint, ours, device, plan.first_image)
    cost = products_an_image(checkpoint)
    found = [
        _timed(one, batch, timings[_key(one, batch)])
        | _priced(prices.get(one.name), starts.get(one.name), cost if one.engine else None)
        for one in (*ours, *others)
        for batch in plan.batches
    ]
    for row in found:
        if row["role"] in ("reference", "engine"):
            row["model_mib"] = bytes_of(checkpoint, row["engine"]) / MEBIBYTE
    top = [_ceiling_row(one, timings[_key(one, None)], cost) for one in limits]
    return Outcome([_compared(row, found, top) for row in found] + top, missing)


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
    return {name: price(found, reference, labelled.labels) for name, found in scores.items()}


def _starts(
    checkpoint: Checkpoint, ours: Sequence[Contender], device: torch.device, image: Path | None
) -> dict[str, Start | None]:
    if image is None or checkpoint.directory is None:
        return {}
    return {one.name: start(checkpoint.directory, one.name, str(device), image) for one in ours}


def _timed(one: Contender, batch: int, timing: Timing) -> Row:
    return {
        "role": one.role,
        "engine": one.name,
        "precision": one.precision,
        "batch": batch,
        "images_per_second": batch * timing.rate(),
        "p50_ms": 1000 * timing.quantile(0.5),
        "p95_ms": 1000 * timing.quantile(0.95),
    }


def _priced(cost: Price | None, started: Start | None, products: float | None) -> Row:
    return {
        "balanced_accuracy_change": cost and cost.balanced_accuracy_change,
        "balanced_accuracy": cost and cost.balanced_accuracy,
        "agreement": cost and cost.agreement,
        "start_up_seconds": started and started.seconds,
        "peak_mib": started and started.mebibytes,
        "gigaflops_an_image": products and products * PRODUCT / 1e9,
    }


def _ceiling_row(one: Contender, timing: Timing, products: float) -> Row:
    """What our network could reach if all of it were products of large matrices."""
    return {
        "role": one.role,
        "engine": one.name,
        "precision": one.precision,
        "batch": None,
        "images_per_second": timing.rate() / products,
        "p50_ms": 1000 * timing.quantile(0.5) * products,
        "p95_ms": 1000 * timing.quantile(0.95) * products,
        "balanced_accuracy_change": None,
        "machine": machine(),
    }


def _compared(row: Row, rows: Sequence[Row], top: Sequence[Row]) -> Row:
    """The row with its ratios to the reference at the same batch and to the ceiling of bfloat16."""
    reference = next(r for r in rows if r["role"] == "reference" and r["batch"] == row["batch"])
    ceiling = next(r for r in top if r["precision"] == "bfloat16")["images_per_second"]
    speed = row["images_per_second"]
    ours = row["role"] in ("reference", "engine")
    return row | {
        "ratio_to_reference": speed / reference["images_per_second"],
        "share_of_bfloat16_ceiling": speed / ceiling if ours else None,
    }
