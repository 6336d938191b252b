"""Heat maps and attention in a page."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transxv2s.reports.pictures import data_uri

if TYPE_CHECKING:  # pages without heat maps need no network
    from transxv2s.explain.panels import Panel


@dataclass(frozen=True)
class Shown:
    """A panel as a page takes it.

    Attributes:
        title: What it is.
        caption: What it answers.
        uri: The picture.
        bar: The colours from left to right; empty where no colour stands for a value.
        low: Words at the bar's left end.
        high: Words at its right end.
    """

    title: str
    caption: str
    uri: str
    bar: str = ""
    low: str = ""
    high: str = ""


def shown(panel: "Panel") -> Shown:
    """A panel for a page."""
    picture, bar = data_uri(panel.picture), panel.bar
    if bar is None:
        return Shown(panel.title, panel.caption, picture)
    return Shown(panel.title, panel.caption, picture, data_uri(bar.picture), bar.low, bar.high)
