"""Images that are no dermoscopy, from packages at hand and from a pen: what a careless user might upload.

Each source gives several views: another crop, flip and quarter turn, and for what is drawn another drawing.
Views of one source resemble each other, so the source is what intervals resample. All arrive as the known
images do, JPEG at 84×84 squashed or at 200×150, so that sharpness alone gives nothing away.
"""

import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from matplotlib.cbook import get_sample_data
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_image

Rgb = NDArray[np.uint8]
Random = np.random.Generator
Source = Callable[[Random], Rgb]
Ink = tuple[int, int, int]

ARRIVAL = ((84, 84), (200, 150))  # width and height of the known images' files
QUALITY = 90
SIDE = 256  # of what is drawn
SKIN, MOLE, WHITE, BLACK = (222, 176, 156), (110, 70, 55), (255, 255, 255), (0, 0, 0)
WORDS = ("patient", "report", "of", "blood", "pressure", "the", "normal", "date", "name", "page", "total")


@dataclass(frozen=True)
class Junk:
    """One view.

    Attributes:
        group: What kind of thing it shows.
        source: What it was made from.
        content: A JPEG file.
    """

    group: str
    source: str
    content: bytes


def junk(views: int) -> Iterator[Junk]:
    """So many views of each source of each group; the same ones every time."""
    for group, sources in GROUPS.items():
        for number, (name, source) in enumerate(sources.items()):
            for view in range(views):
                random = np.random.default_rng([len(group), number, view])
                picture = _seen(source(random), random)
                yield Junk(group, f"{group}/{name}", _file(picture, ARRIVAL[view % len(ARRIVAL)]))


def _seen(picture: Rgb, random: Random) -> Rgb:
    """A crop of 60 to 100 % of each side, flipped and turned."""
    height, width = picture.shape[:2]
    share = random.uniform(0.6, 1)
    top, left = (int(random.uniform(0, 1 - share) * side) for side in (height, width))
    crop = picture[top : top + int(share * height), left : left + int(share * width)]
    turned = np.rot90(crop[:, ::-1] if random.random() < 0.5 else crop, int(random.integers(4)))
    return np.ascontiguousarray(turned)


def _file(picture: Rgb, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _rgb(picture: NDArray[np.generic]) -> Rgb:
    """Grey, or with transparency, or in 0..1, as RGB uint8."""
    values = np.asarray(picture, np.float64)
    values = values * 255 / values.max() if values.max() <= 1 or values.max() > 255 else values
    if values.ndim == 2:
        values = np.stack([values] * 3, axis=2)
    return values[..., :3].astype(np.uint8)


@cache
def _loaded(name: str) -> Rgb:
    found = getattr(skimage.data, name)()
    return _rgb(found[0] if isinstance(found, tuple) else found)


def _of_skimage(name: str, random: Random) -> Rgb:
    return _loaded(name)


def _of_sklearn(name: str, random: Random) -> Rgb:
    return _rgb(load_sample_image(name))


def _of_matplotlib(name: str, random: Random) -> Rgb:
    return np.asarray(Image.open(get_sample_data(name, asfileobj=False)).convert("RGB"))


def _head(random: Random) -> Rgb:
    """A slice of a head in magnetic resonance."""
    content = gzip.decompress(Path(get_sample_data("s1045.ima.gz", asfileobj=False)).read_bytes())
    return _rgb(np.frombuffer(content, np.uint16).reshape(256, 256))


def _face(number: int, random: Random) -> Rgb:
    faces: NDArray[np.float64] = skimage.data.lfw_subset()  # type: ignore[no-untyped-call]
    return _rgb(faces[number])


def _flat(colour: Ink, random: Random) -> Rgb:
    shade = np.clip(np.array(colour) + random.integers(-12, 13, 3), 0, 255)
    return np.full((SIDE, SIDE, 3), shade, np.uint8)


def _ramp(kind: str, random: Random) -> Rgb:
    """From one random colour to another; `spot` from a mole's colour in the middle to skin."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    course = {
        "linear": (x + 1) / 2,
        "diagonal": (x + y + 2) / 4,
        "radial": np.hypot(x, y) / np.sqrt(2),
        "angular": (np.arctan2(y, x) / np.pi + 1) / 2,
        "spot": np.clip((np.hypot(x, y) - 0.25) * 4, 0, 1),
    }[kind][..., None]
    ends = np.array([MOLE, SKIN]) if kind == "spot" else random.integers(0, 256, (2, 3))
    return np.asarray(ends[0] + (ends[1] - ends[0]) * course).astype(np.uint8)


def _noise(kind: str, random: Random) -> Rgb:
    if kind == "uniform":
        return random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    if kind == "salt and pepper":
        return _rgb(random.choice([0, 128, 255], (SIDE, SIDE)).astype(np.uint8))
    if kind == "stripes":
        return np.repeat(random.integers(0, 256, (1, SIDE, 3), np.uint8), SIDE, axis=0)
    if kind == "blocks":
        blocks: Rgb = random.integers(0, 256, (16, 16, 3), np.uint8)
        return blocks.repeat(16, axis=0).repeat(16, axis=1)
    smooth = cv2.GaussianBlur(random.normal(0, 1, (SIDE, SIDE, 3)), (0, 0), 8)
    around = SKIN if kind == "skin-coloured" else (128, 128, 128)
    scaled: Rgb = np.clip(around + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    return scaled


def _written(random: Random, draw: ImageDraw.ImageDraw, start: tuple[int, int], size: int, fill: Ink) -> None:
    """Words from here to the lower right."""
    font = ImageFont.load_default(size)
    for y in range(start[1], SIDE - size, int(1.4 * size)):
        draw.text((start[0], y), " ".join(random.choice(WORDS, 12)), fill=fill, font=font)


def _ink(random: Random, least: int = 0) -> Ink:
    red, green, blue = random.integers(least, 256, 3).tolist()
    return red, green, blue


def _page(random: Random) -> Rgb:
    picture = Image.new("RGB", (SIDE, SIDE), WHITE)
    _written(random, ImageDraw.Draw(picture), (12, 16), int(random.integers(9, 16)), BLACK)
    return np.asarray(picture)


def _terminal(random: Random) -> Rgb:
    picture = Image.new("RGB", (SIDE, SIDE), (20, 24, 30))
    _written(random, ImageDraw.Draw(picture), (4, 4), 9, _ink(random, 120))
    return np.asarray(picture)


def _window(random: Random) -> Rgb:
    """A window with a title bar, a side bar, text and buttons."""
    picture = Image.new("RGB", (SIDE, SIDE), _ink(random))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((16, 20, 240, 236), fill=(245, 245, 245), outline=(120, 120, 120))
    draw.rectangle((16, 20, 240, 40), fill=_ink(random))
    draw.rectangle((16, 40, 70, 236), fill=(225, 228, 232))
    _written(random, draw, (78, 50), 10, (30, 30, 30))
    for left in (90, 160):
        draw.rounded_rectangle((left, 205, left + 60, 225), 6, fill=_ink(random))
    return np.asarray(picture)


def _table(random: Random) -> Rgb:
    picture = Image.new("RGB", (SIDE, SIDE), WHITE)
    draw = ImageDraw.Draw(picture)
    for y in range(8, SIDE, 20):
        draw.line((0, y, SIDE, y), fill=(190, 190, 190))
        for x in range(4, SIDE, 62):
            draw.text((x, y + 4), f"{random.normal(50, 20):.2f}", fill=BLACK, font=ImageFont.load_default(11))
    return np.asarray(picture)


def _chart(kind: str, random: Random) -> Rgb:
    canvas = Figure((2.56, 2.56), dpi=100, layout="constrained")
    axes = canvas.add_subplot()
    if kind == "lines":
        axes.plot(random.normal(0, 1, (40, 3)).cumsum(axis=0))
    elif kind == "bars":
        axes.bar(range(8), random.random(8), color=random.random((8, 3)).tolist())
    else:
        axes.imshow(random.random((12, 12)), cmap="viridis")
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


def _skimages(*names: str) -> dict[str, Source]:
    return {name: partial(_of_skimage, name) for name in names}


GROUPS: dict[str, dict[str, Source]] = {
    "photographs": {
        **_skimages("astronaut", "camera", "cat", "coffee", "coins", "rocket", "hubble_deep_field", "moon"),
        **_skimages("clock", "stereo_motorcycle"),
        **{name: partial(_of_sklearn, name) for name in ("china.jpg", "flower.jpg")},
        "grace_hopper": partial(_of_matplotlib, "grace_hopper.jpg"),
    },
    "faces, 25×25": {f"face {number}": partial(_face, number) for number in range(0, 100, 10)},
    "textures": _skimages("brick", "grass", "gravel"),
    "other organs": {
        **_skimages("retina", "microaneurysms", "immunohistochemistry", "cell", "shepp_logan_phantom"),
        "head": _head,
    },
    "screens and text": {
        **_skimages("page", "text", "logo"),
        "a page": _page,
        "terminal": _terminal,
        "window": _window,
        "table": _table,
        **{f"chart of {kind}": partial(_chart, kind) for kind in ("lines", "bars", "cells")},
    },
    "noise": {
        kind: partial(_noise, kind)
        for kind in ("uniform", "salt and pepper", "stripes", "blocks", "smooth", "skin-coloured")
    },
    "blank": {
        name: partial(_flat, colour)
        for name, colour in {
            "white": WHITE,
            "black": BLACK,
            "grey": (128, 128, 128),
            "skin": SKIN,
            "brown": MOLE,
            "blue": (40, 80, 200),
        }.items()
    },
    "gradients": {kind: partial(_ramp, kind) for kind in ("linear", "diagonal", "radial", "angular", "spot")},
}
