"""Pictures side by side on one sheet with titles, colour bar and what must be said beside them, as PNG."""

import io
import textwrap
from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transxv2s import NOTICE
from transxv2s.evaluation.figures import INK, MUTED
from transxv2s.explain.meaning import MEANING
from transxv2s.explain.panels import Bar, Panel

COLUMNS = 4  # at most, where nothing else is asked for
DOTS_PER_INCH = 150
COMPRESSION = 4  # of 9: a third of the time less than by default (6), and as good as no more bytes
SIDE, GAP = 2.4, 0.15  # inches: of a picture, between pictures
HEADING, TITLE, FOOTER = 0.45, 0.58, 0.95  # inches: of the sheet, above each picture, below all
CHARACTERS = 42  # of a caption's line


def sheet(panels: Sequence[Panel | None], heading: str, columns: int = COLUMNS) -> bytes:
    """A PNG file of the panels, row by row; the colour bar is that of the last panel that has one.

    Args:
        panels: What is shown; None leaves a place empty.
        heading: Above all.
        columns: How many panels a row takes at most.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    width = columns * SIDE + (columns + 1) * GAP
    height = HEADING + rows * (TITLE + SIDE) + FOOTER
    canvas = Figure((width, height), dpi=DOTS_PER_INCH)
    _write(canvas, heading, GAP, height - 0.16, size=12)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        if panel:
            _draw(canvas, panel, GAP + column * (SIDE + GAP), height - HEADING - row * (TITLE + SIDE))
    if bars := [panel.bar for panel in panels if panel and panel.bar]:
        _draw_bar(canvas, bars[-1])
    _write(canvas, f"{NOTICE}\n{MEANING}", GAP, 0.38, size=7, color=MUTED)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", pil_kwargs={"compress_level": COMPRESSION})
    return buffer.getvalue()


def _draw(canvas: Figure, panel: Panel, left: float, top: float) -> None:
    """A panel with its words above it; places are in inches."""
    _write(canvas, panel.title, left, top - 0.08, size=9, weight="bold")
    _write(canvas, textwrap.fill(panel.caption, CHARACTERS), left, top - 0.27, size=7, color=MUTED)
    axes = _axes(canvas, left, top - TITLE - SIDE, SIDE, SIDE)
    axes.imshow(panel.picture)
    axes.set_anchor("N")


def _draw_bar(canvas: Figure, bar: Bar) -> None:
    _axes(canvas, GAP, 0.66, SIDE, 0.13).imshow(bar.picture, aspect="auto")
    _write(canvas, bar.low, GAP, 0.62, size=7, color=MUTED)
    _write(canvas, bar.high, GAP + SIDE, 0.62, size=7, color=MUTED, side="right")


def _axes(canvas: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes without lines, placed in inches."""
    across, up = canvas.get_size_inches()
    axes = canvas.add_axes((left / across, bottom / up, width / across, height / up))
    axes.set_axis_off()
    return axes


def _write(
    canvas: Figure,
    words: str,
    left: float,
    top: float,
    *,
    size: int,
    color: str = INK,
    weight: Literal["normal", "bold"] = "normal",
    side: Literal["left", "right"] = "left",
) -> None:
    """Words as they are, their upper corner placed in inches: names may hold signs of mathematical text."""
    across, up = canvas.get_size_inches()
    text = canvas.text(left / across, top / up, words, fontsize=size, color=color, weight=weight)
    text.set(horizontalalignment=side, verticalalignment="top", parse_math=False)
