"""The HTML page of explanations: each image with its heat maps and the network's own attention."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from transxv2s.checkpoint import CheckpointConfig
from transxv2s.reports.page import fill
from transxv2s.reports.panels import Shown
from transxv2s.reports.prediction import Card, Failure, standing


@dataclass(frozen=True)
class Explained:
    """One image of the page.

    Attributes:
        card: What is said of it, with its pictures.
        asked: The class that was asked for and its probability, in words.
        folder: Where its files lie, seen from the page.
        heat_maps: One a method.
        nodes: Chosen nodes by module; empty where the network's own attention was not asked for.
        masks: Context masks by module, likewise.
    """

    card: Card
    asked: str
    folder: str
    heat_maps: Sequence[Shown]
    nodes: Sequence[Shown]
    masks: Sequence[Shown]


def render(
    explained: Sequence[Explained],
    failures: Sequence[Failure],
    config: CheckpointConfig,
    digest: str,
    moment: datetime,
) -> str:
    """The page as one HTML document, without a script or an outside resource.

    Args:
        explained: The explained images, in the order of the page.
        failures: The images that could not be explained.
        config: Of the checkpoint that is explained.
        digest: Of that checkpoint.
        moment: When they were explained; with a time zone.
    """
    facts = standing(config, digest, moment)
    return fill("explanation.html.j2", explained=explained, failures=failures, **facts)
