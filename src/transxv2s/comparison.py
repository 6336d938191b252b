"""What preprocessing does to an image, to look at: before, what is taken away, and after, side by side."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from transxv2s.imaging.crop import Box, central, cut, field_of_view
from transxv2s.imaging.hair import hair_mask
from transxv2s.imaging.pipeline import Preprocessing, bounded, resize
from transxv2s.reports.page import fill

Rgb = NDArray[np.uint8]

HEIGHT = 192  # pixels of a strip
GAP = 6
HAIR_COLOUR = (0, 200, 60)  # skin has no green
CUT_AWAY = 0.35  # brightness of what is cut away


@dataclass(frozen=True)
class Taken:
    """What preprocessing takes away.

    Attributes:
        hair: Share of the image that is taken for hair.
        kept: Share of the area that the crop keeps.
    """

    hair: float
    kept: float

    @classmethod
    def read(cls, strip: Path) -> Self | None:
        """What a strip's file says; None for a file of another kind."""
        try:
            with Image.open(strip, formats=["JPEG"]) as picture:
                return cls(**json.loads(picture.info["comment"]))
        except (OSError, KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class Entry:
    """One image of the page: its name, its strip relative to the page, and what was taken away."""

    name: str
    strip: Path
    taken: Taken

    @property
    def address(self) -> str:
        """The strip's address, whatever characters its name has."""
        return quote(self.strip.as_posix().encode("utf-8", "surrogateescape"))


def compare(rgb: Rgb, square: Rgb, preprocessing: Preprocessing) -> tuple[Rgb, Taken]:
    """A strip (HEIGHT, W, 3): the image, the same with hair marked and what is cut away dimmed, the result.

    Args:
        rgb: uint8 (H, W, 3), as decoded.
        square: What preprocessing made of it.
        preprocessing: How.
    """
    before = bounded(rgb)
    marked = before.copy()
    hair = np.zeros(before.shape[:2], np.bool_)
    if preprocessing.hair_removal:
        hair = hair_mask(before, preprocessing.hair_removal)
    marked[hair] = HAIR_COLOUR
    kept = _kept(before, preprocessing)
    marked[~kept] = (CUT_AWAY * marked[~kept]).astype(np.uint8)
    taken = Taken(round(float(hair.mean()), 5), round(float(kept.mean()), 5))
    return _side_by_side(before, marked, square), taken


def _kept(rgb: Rgb, preprocessing: Preprocessing) -> NDArray[np.bool_]:
    """Where the crop leaves the image (H, W)."""
    kept = np.zeros((*rgb.shape[:2], 1), np.uint8)
    box = field_of_view(rgb) if preprocessing.field_of_view else None
    central(cut(kept, box or Box(0, 1, 0, 1)), preprocessing.crop_fraction)[:] = 1  # cuts are views
    return kept[..., 0] > 0


def _side_by_side(*pictures: Rgb) -> Rgb:
    scaled = [resize(p, HEIGHT, max(1, round(p.shape[1] * HEIGHT / p.shape[0]))) for p in pictures]
    framed = [cv2.copyMakeBorder(p, 0, 0, 0, GAP, cv2.BORDER_CONSTANT, value=(255,) * 3) for p in scaled]
    return np.asarray(np.hstack(framed)[:, :-GAP], dtype=np.uint8)


def strip_file(strip: Rgb, taken: Taken) -> bytes:
    """A JPEG file that says itself what was taken away, so that a page can be made of strips alone."""
    buffer = io.BytesIO()
    Image.fromarray(strip).save(buffer, "JPEG", quality=88, comment=json.dumps(asdict(taken)))
    return buffer.getvalue()


def render(entries: Sequence[Entry], preprocessing: Preprocessing, title: str) -> str:
    """An HTML page that shows all strips, those with most hair first, without a script."""
    hairy = sorted((e for e in entries if e.taken.hair), key=lambda e: -e.taken.hair)
    cropped = sorted(
        (e for e in entries if not e.taken.hair and e.taken.kept < 1), key=lambda e: e.taken.kept
    )
    rest = [e for e in entries if not e.taken.hair and e.taken.kept == 1]
    groups = {"Hair removed": hairy, "Cropped only": cropped, "Neither hair nor crop": rest}
    return fill("preprocess.html.j2", groups=groups, preprocessing=preprocessing, title=title, height=HEIGHT)
