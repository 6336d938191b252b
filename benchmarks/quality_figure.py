"""What notes on image quality are given for: examples, real ones first."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Example = tuple[str, Rgb, Sequence[str]]
COLUMNS = 8


def draw(groups: dict[str, Sequence[Example]], path: Path) -> None:
    """Rows of named images with their notes below; each group begins a new row."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [
        (title if start == 0 else "", examples[start : start + COLUMNS])
        for title, examples in groups.items()
        for start in range(0, len(examples), COLUMNS)
    ]
    figure, axes = plt.subplots(
        len(rows), COLUMNS, figsize=(2.1 * COLUMNS, 2.5 * len(rows)), layout="constrained", squeeze=False
    )
    for line, (title, examples) in zip(axes, rows, strict=True):
        for axis in line:
            axis.axis("off")
        line[0].set_title(title, loc="left", fontsize=11, fontweight="bold")
        for axis, (name, image, notes) in zip(line, examples, strict=False):
            axis.imshow(image)
            words = textwrap.fill("; ".join(notes) or "no note", 34)
            axis.text(0.5, -0.04, f"{name}\n{words}", transform=axis.transAxes, ha="center", va="top", size=6)
    figure.savefig(path, dpi=110)
