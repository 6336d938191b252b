"""The HTML report of a prediction: one file that a clinician can read, print and send."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import jinja2
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ValidationError

from transxv2s import NOTICE
from transxv2s.checkpoint import CheckpointConfig
from transxv2s.finding import Finding
from transxv2s.taxonomy import ISIC2019

THUMBNAIL_SIDE = 480  # pixels: sharp at 15 rem on a display of double density


@dataclass(frozen=True)
class Pictures:
    """The two pictures of a card, as ``data:`` addresses of JPEG files.

    Attributes:
        original: The image, its longer side at most 480 pixels.
        seen: The square that the network saw.
    """

    original: str
    seen: str


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


def thumbnail(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Scales an RGB image (H, W, 3) down until no side is over 480 pixels; smaller ones stay as they are."""
    picture = Image.fromarray(image)
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return np.asarray(picture)


def data_uri(image: npt.NDArray[np.uint8]) -> str:
    """RGB uint8 (H, W, 3) as the ``data:`` address of a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def percent(probability: float) -> str:
    """A probability for people: ``87 %``, unbroken, but never a false ``0 %`` or ``100 %``."""
    if 0 < probability < 0.01:
        return "<\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}%"
    if 0.99 < probability < 1:
        return ">\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"
    return f"{100 * probability:.0f}\N{NO-BREAK SPACE}%"


class Interval(BaseModel):
    """A score in [0, 1] and its interval."""

    value: float
    low: float
    high: float


class HeldOut(BaseModel):
    """What a report needs of a checkpoint's metrics on its test split."""

    balanced_accuracy: Interval
    images: int
    split: str


def performance(config: CheckpointConfig) -> str:
    """One sentence on the checkpoint's balanced accuracy on its test split, or that none is known."""
    try:
        test = HeldOut.model_validate(config.metrics.get("test"))
    except ValidationError:
        return "The checkpoint carries no test result: how well it does is not known."
    score = test.balanced_accuracy
    return (
        f"Balanced accuracy {100 * score.value:.1f} % "
        f"(interval {100 * score.low:.1f} to {100 * score.high:.1f} %) "
        f"on {test.images:,} held-out images: {test.split}."
    )


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
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("transxv2s"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "class_name": lambda code: ISIC2019[code].name}
    environment.globals |= {"taxonomy": ISIC2019}
    return environment.get_template("report.html.j2").render(
        cards=cards,
        failures=failures,
        config=config,
        digest=digest,
        performance=performance(config),
        moment=moment,
        notice=NOTICE,
    )
