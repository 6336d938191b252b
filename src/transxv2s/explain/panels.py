"""Heat maps and attention as pictures with their words, for sheets and pages alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from transxv2s.explain.attention import GraphAttention
from transxv2s.explain.maps import HeatMap
from transxv2s.explain.methods import METHODS
from transxv2s.explain.overlay import (
    CEILING,
    MASK_RANGE,
    Field,
    colour_bar,
    enlarged,
    heat_overlay,
    mask_overlay,
    node_overlay,
)
from transxv2s.imaging.pipeline import Rgb

SAME = "same for every class"
EMPTY = "empty: this method marks nothing, which says nothing about the answer"


@dataclass(frozen=True)
class Bar:
    """What the colours of a picture stand for.

    Attributes:
        picture: The colours from left to right, RGB uint8.
        low: Words at its left end.
        high: Words at its right end.
    """

    picture: Rgb
    low: str
    high: str


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        title: What it is.
        caption: What it answers.
        picture: RGB uint8.
        bar: None where no colour stands for a value.
    """

    title: str
    caption: str
    picture: Rgb
    bar: Bar | None = None


def plain_panels(original: Rgb, square: Rgb) -> list[Panel]:
    """The image as given, and the square that the network saw."""
    return [
        Panel("As given", "", original),
        Panel("Seen by the network", "after preprocessing", enlarged(square)),
    ]


def heat_panel(square: Rgb, heat_map: HeatMap, asked: str) -> Panel:
    """A heat map over the square that the network saw.

    Args:
        square: RGB uint8 (H, W, 3).
        heat_map: Of that square.
        asked: The class it was asked for and its probability, in words.
    """
    answers = f"for {asked}" if heat_map.class_dependent else SAME
    if not heat_map.values.any():
        answers = f"{answers}; {EMPTY}"
    bar = Bar(colour_bar(square), "0", f"strongest {100 - CEILING:g} % of the map")
    picture = heat_overlay(square, heat_map.values)
    return Panel(METHODS[heat_map.method].title, f"{answers}; target {heat_map.target}", picture, bar)


def node_panels(square: Rgb, modules: Sequence[GraphAttention]) -> list[Panel]:
    """The nodes that each module's adaptive sampling chose."""
    return [
        Panel(
            f"{module.module} nodes",
            f"{module.nodes.sum()} of {module.nodes.size} positions",
            node_overlay(square, module.nodes),
        )
        for module in modules
    ]


def mask_panels(square: Rgb, modules: Sequence[GraphAttention]) -> list[Panel]:
    """Each module's context masks over positions: its collector's, and its distributor's over its mean."""
    return [
        _mask_panel(square, f"{module.module} {part}", mask / mask.mean())
        for module in modules
        for part, mask in (("collector", module.collected), ("distributor", module.distributed))
    ]


def _mask_panel(square: Rgb, title: str, mask: Field) -> Panel:
    """A mask (h, w) of mean 1."""
    low, high = MASK_RANGE
    bar = Bar(colour_bar(square), f"{low:g} × mean", f"{high:g} × mean")
    caption = f"mask, {mask.min():.2f} to {mask.max():.2f} × mean"
    return Panel(title, caption, mask_overlay(square, mask), bar)
