"""Which images the hair benchmark paints on, and which it must and must not touch."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rgb = NDArray[np.uint8]

# UDA-1 has no table of artefacts: these were chosen by eye. No hair was painted on them during development,
# but which of them are touched was looked at, so their share is a development figure.
# fmt: off
UDA1_WITHOUT_HAIR = (
    0, 9, 39, 54, 63, 87, 105, 110, 121, 130, 135, 166, 186, 196, 202,
    257, 288, 291, 310, 311, 314, 335, 346, 349, 364, 406, 415, 491, 532, 539,
)
# fmt: on


@dataclass(frozen=True)
class Images:
    """File paths.

    Attributes:
        development: Of HAM10000, hair and ruler improbable.
        test: The same, other lesions.
        hairy_development: Of HAM10000, hair probability of at least 0.9.
        hairy: The same, other lesions.
        large: Of UDA-1, without hair by eye.
    """

    development: list[Path]
    test: list[Path]
    hairy_development: list[Path]
    hairy: list[Path]
    large: list[Path]


def read(path: Path) -> Rgb:
    """RGB uint8 (H, W, 3)."""
    return np.asarray(Image.open(path).convert("RGB"))


def images(ham: Path, uda1: Path) -> Images:
    """Every second image by name is for development, those of other lesions among the rest for the test."""
    with (ham / "HAM10000_metadata.csv").open() as file:
        lesion = {row["image_id"]: row["lesion_id"] for row in csv.DictReader(file)}
    with (ham / "artefact_probabilities.csv").open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["image"])

    def halves(wanted: Callable[[dict[str, str]], bool]) -> tuple[list[Path], list[Path]]:
        names = [row["image"] for row in rows if wanted(row)]
        first, known = names[::2], {lesion[name] for name in names[::2]}
        second = [name for name in names[1::2] if lesion[name] not in known]
        folder = ham / "HAM10000_images"
        return [folder / f"{name}.jpg" for name in first], [folder / f"{name}.jpg" for name in second]

    bald = halves(lambda row: float(row["hair"]) < 0.05 and float(row["ruler"]) < 0.05)
    hairy = halves(lambda row: float(row["hair"]) >= 0.9)
    large = [uda1 / "images" / f"ISIC_{number:07d}.jpg" for number in UDA1_WITHOUT_HAIR]
    return Images(*bald, *hairy, large)
