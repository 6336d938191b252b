"""The figure of the colour-constancy benchmark."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colour_lights import DISTURBANCES

Values = NDArray[np.float64]

SHOWN = ("identity", "GWSD, 163.7 / 47.5", "GWSD, estimated", "Shades of Gray, p = 6")
COLOURS = {"HAM10000": "tab:blue", "BCN_20000": "tab:orange", "MSK": "tab:green"}


def draw(rows: dict[str, dict[str, float]], points: dict[str, dict[str, Values]], path: Path) -> None:
    """Skin by source for the main methods; below, the response to casts and to bad light."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(12, 7.5), layout="constrained")
    parts: Any = figure.subfigures(2, 1)
    axes = parts[0].subplots(1, len(SHOWN))
    for axis, name in zip(axes, SHOWN, strict=True):
        _skin(axis, points[name], 45 if name == "identity" else 12)
        axis.set_title(f"{name}\n{rows[name]['between_within']:.2f} spreads apart", fontsize="medium")
    axes[0].set_ylabel("b* of skin")
    axes[0].legend(fontsize="small")
    casts, lights = parts[1].subplots(1, 2)
    measures = {
        "gains_response": "gains of channels",
        "gains_colour": "the same, brightness aside",
        "idempotence": "a second time",
    }
    _bars(casts, rows, measures, "change left, in shares of contrast")
    disturbed = {name: row for name, row in rows.items() if "vignette" in row}
    title = "change by bad light, in shares of contrast"
    _bars(lights, disturbed, {name: name for name in DISTURBANCES}, title)
    figure.savefig(path, dpi=130)


def _skin(axis: Any, points: dict[str, Values], limit: float) -> None:
    """A dot an image, a cross a source's mean, in a square of ±limit."""
    for source, values in points.items():
        axis.scatter(*values.T, s=3, alpha=0.35, color=COLOURS[source], label=source)
    for source, values in points.items():
        axis.plot(*values.mean(0), "P", ms=9, mfc=COLOURS[source], mec="black")
    axis.axhline(0, color="grey", lw=0.5)
    axis.axvline(0, color="grey", lw=0.5)
    axis.set(xlabel=f"a* of skin (±{limit:.0f})", xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")


def _bars(axis: Any, rows: dict[str, dict[str, float]], measures: dict[str, str], title: str) -> None:
    """Horizontal bars, the first method on top."""
    place = np.arange(len(rows))
    for i, (measure, label) in enumerate(measures.items()):
        height = 0.8 / len(measures)
        axis.barh(place + i * height, [row[measure] for row in rows.values()], height, label=label)
    axis.set_yticks(place + 0.4 - 0.4 / len(measures), list(rows), fontsize="small")
    axis.invert_yaxis()
    axis.set_title(title, fontsize="medium")
    axis.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=3)
    axis.grid(axis="x", alpha=0.3)
