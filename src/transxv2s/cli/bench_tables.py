"""What `transxv2s bench` prints."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from transxv2s.bench.profile import Stage

COLUMNS = {
    "images/s": ("images_per_second", "{:.1f}"),
    "× reference": ("ratio_to_reference", "{:.2f}"),
    "of ceiling": ("share_of_ceiling", "{:.0%}"),
    "p50 ms": ("p50_ms", "{:.1f}"),
    "p95 ms": ("p95_ms", "{:.1f}"),
    "same class": ("agreement", "{:.1%}"),
    "balanced accuracy": ("balanced_accuracy_change", "{:+.4f}"),
    "95 % from": ("balanced_accuracy_change_low", "{:+.4f}"),
    "to": ("balanced_accuracy_change_high", "{:+.4f}"),
    "start s": ("start_up_seconds", "{:.1f}"),
    "peak MiB": ("peak_mib", "{:.0f}"),
    "model MiB": ("model_mib", "{:.0f}"),
}
WIDTH = 200  # of a table that goes to a file
WORDS = ("role", "engine", "precision", "part", "stage")


def print_rows(rows: Sequence[Mapping[str, Any]], missing: Mapping[str, str]) -> None:
    """A line a row, with the columns that any row has; then what could not be measured."""
    shown = {heading: c for heading, c in COLUMNS.items() if any(row.get(c[0]) is not None for row in rows)}
    table = _table("role", "engine", "precision", "batch", *shown)
    for row in rows:
        values = ["" if row.get(key) is None else text.format(row[key]) for key, text in shown.values()]
        table.add_row(row["role"], row["engine"], row["precision"], str(row["batch"] or ""), *values)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    console.print(table)
    for name, why in missing.items():
        console.print(f"{name} was left out: {why}")


def print_stages(stages: "Sequence[Stage]") -> None:
    """A line a stage, then a line a part and one for all."""
    table = _table("part", "stage", "ms an image", "share", "GFLOP", "GFLOP/s")
    whole = sum(stage.milliseconds for stage in stages)

    def add(part: str, name: str, some: "Sequence[Stage]") -> None:
        taken, work = sum(s.milliseconds for s in some), sum(s.gigaflops for s in some)
        share, speed = f"{taken / whole:.1%}", f"{1000 * work / taken:.0f}"
        table.add_row(part, name, f"{taken:.3f}", share, f"{work:.3f}", speed)

    for stage in stages:
        add(stage.part, stage.name, [stage])
    table.add_section()
    for part in dict.fromkeys(stage.part for stage in stages):
        add(part, "all", [stage for stage in stages if stage.part == part])
    add("network", "", stages)
    Console(highlight=False).print(table)


def _table(*headings: str) -> Table:
    table = Table(box=None)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in WORDS else "right")
    return table
