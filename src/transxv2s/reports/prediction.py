"""The HTML report of a prediction: one file that a clinician can read, print and send."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from transxv2s.checkpoint import CheckpointConfig
from transxv2s.explain.meaning import MEANING
from transxv2s.finding import Finding
from transxv2s.reports.page import fill
from transxv2s.reports.panels import Shown


@dataclass(frozen=True)
class Pictures:
    """The pictures of a card, as ``data:`` addresses of JPEG files.

    Attributes:
        original: The image, its longer side at most 480 pixels.
        seen: The square that the network saw.
        heat_map: Where the network looked; None where that was not asked.
    """

    original: str
    seen: str
    heat_map: Shown | None = None


@dataclass(frozen=True)
class Card:
    """One image of the report.

    Attributes:
        file: Path of the image as it was given.
        finding: What is said of it.
        pictures: What it looks like; None where no pictures were kept.
    """

    file: str
    finding: Finding
    pictures: Pictures | None = None


@dataclass(frozen=True)
class Failure:
    """An image that could not be examined, and why."""

    file: str
    reason: str


class Interval(BaseModel):
    """A score in [0, 1] and its interval."""

    value: float
    low: float
    high: float


class HeldOut(BaseModel):
    """What a report needs of a checkpoint's metrics on images that it was not trained on."""

    balanced_accuracy: Interval
    images: int
    split: str


def performance(config: CheckpointConfig) -> str:
    """One sentence on the checkpoint's balanced accuracy, or that none is known.

    On its test part, or on the images of a hospital that it was calibrated on.
    """
    try:
        test = HeldOut.model_validate(config.metrics.get("test", config.metrics.get("calibration")))
    except ValidationError:
        return "The checkpoint carries no test result: how well it does is not known."
    score = test.balanced_accuracy
    return (
        f"Balanced accuracy {100 * score.value:.1f} % "
        f"(interval {100 * score.low:.1f} to {100 * score.high:.1f} %) "
        f"on {test.images:,} images: {test.split}."
    )


def standing(config: CheckpointConfig, digest: str, moment: datetime) -> dict[str, Any]:
    """What every page on a checkpoint's work tells of the checkpoint; arguments as of `render`."""
    return {
        "config": config,
        "taxonomy": config.to_taxonomy(),
        "digest": digest,
        "performance": performance(config),
        "moment": moment,
        "meaning": MEANING,
    }


def render(
    cards: Sequence[Card],
    failures: Sequence[Failure],
    config: CheckpointConfig,
    digest: str,
    moment: datetime,
) -> str:
    """The report as one HTML document, without a script or an outside resource.

    Args:
        cards: The examined images, in the order of the report.
        failures: The images that could not be examined.
        config: Of the checkpoint that examined them.
        digest: Of that checkpoint.
        moment: When they were examined; with a time zone.
    """
    return fill("report.html.j2", cards=cards, failures=failures, **standing(config, digest, moment))
