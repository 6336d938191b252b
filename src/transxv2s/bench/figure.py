"""Speed against accuracy, one mark an engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transxv2s.engines.choice import ALLOWED_LOSS
from transxv2s.evaluation.figures import COLOURS, MUTED, figure

MARKS = {"reference": "s", "engine": "o"}
FORMATS = (".png", ".svg", ".pdf")


def draw(rows: Sequence[dict[str, Any]], path: Path) -> bool:
    """Write the figure; False where no row has an accuracy to show."""
    priced = [row for row in rows if row["balanced_accuracy_change"] is not None]
    if not priced:
        return False
    best = {row["engine"]: row for row in sorted(priced, key=lambda row: float(row["images_per_second"]))}
    canvas, axes = figure(7.2, 4.2)
    for colour, row in zip(COLOURS * 2, best.values(), strict=False):
        x, y = row["images_per_second"], 100 * row["balanced_accuracy_change"]
        low, high = (100 * row[f"balanced_accuracy_change_{end}"] for end in ("low", "high"))
        axes.vlines(x, low, high, color=colour, linewidth=1)
        axes.scatter(
            x, y, 50, color=colour, marker=MARKS[row["role"]], label=f"{row['engine']}, batch {row['batch']}"
        )
    ceilings = [row for row in rows if row["role"] == "ceiling"]
    for row, style in zip(ceilings, (":", "--"), strict=False):
        speed = row["images_per_second"]
        axes.axvline(
            speed, color=MUTED, linestyle=style, linewidth=1, label=f"matrix product, {row['precision']}"
        )
    axes.axhline(-100 * ALLOWED_LOSS, color="#d55e00", linewidth=1, label="half a point lost")
    axes.set_xlabel("images a second, at the batch that suits each engine best")
    axes.set_ylabel("change of balanced accuracy, points")
    axes.grid(alpha=0.3)
    axes.legend(
        title="bars: 95 % intervals",
        title_fontsize=7,
        fontsize=7,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
    )
    canvas.savefig(path, dpi=150)
    return True
