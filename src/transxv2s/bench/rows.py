"""The rows of a benchmark: one for each contender and size of batch, and one for each ceiling."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from transxv2s.bench.accuracy import Price
from transxv2s.bench.contenders import Contender
from transxv2s.bench.rounds import Timing
from transxv2s.bench.start import Start
from transxv2s.engines.choice import machine

Row = dict[str, Any]
OURS = ("reference", "engine")


def timed(one: Contender, batch: int, timing: Timing) -> Row:
    """What it is, and how fast."""
    return {
        "role": one.role,
        "engine": one.name,
        "precision": one.precision,
        "batch": batch,
        "images_per_second": batch * timing.rate(),
        "p50_ms": 1000 * timing.quantile(0.5),
        "p95_ms": 1000 * timing.quantile(0.95),
    }


def priced(cost: Price | None, started: Start | None) -> Row:
    """What it costs; None for what was not measured."""
    accuracy = {field.name: cost and getattr(cost, field.name) for field in fields(Price)}
    start = {
        "start_up_seconds": started and started.seconds,
        "peak_mib": started and started.mebibytes,
    }
    return accuracy | start


def ceiling(one: Contender, timing: Timing, products: float) -> Row:
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


def compared(row: Row, rows: Sequence[Row], top: Sequence[Row]) -> Row:
    """The row with its ratios to the reference at the same batch and to the highest ceiling."""
    reference = next(r for r in rows if r["role"] == "reference" and r["batch"] == row["batch"])
    limit = max(r["images_per_second"] for r in top)  # in bfloat16 where the hardware computes in it
    speed = row["images_per_second"]
    return row | {
        "ratio_to_reference": speed / reference["images_per_second"],
        "share_of_ceiling": speed / limit if row["role"] in OURS else None,
    }
