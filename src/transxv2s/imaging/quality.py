"""Plain words for pictures that cannot be trusted.

Too small, dark, overexposed, uniform, blurred or noisy; dim and without contrast; with a colour cast; not
dermoscopic at all; the lesion cut off by the frame; hair over the lesion.

The thresholds were chosen on real images outside the test part of the splits and are judged on others by
`benchmarks/quality.py`: of 1,500 of HAM10000, 1,500 of ISIC 2019 and the 557 of UDA-1, at most 0.8 % get each
note, and 0.8, 1.7 and 2.0 % any. That binds most where real images are often at fault: one in thirty lesions
of HAM10000 takes a fifth of the frame or more, and only those that fill it, or lie at its edge and off the
middle, get a note. A cat, brown tissue and other pictures in the colours of skin get none.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.imaging.crop import cut, field_of_view
from transxv2s.imaging.hair import HairRemoval, hair_mask
from transxv2s.imaging.hair.channels import dark_and_light
from transxv2s.imaging.pipeline import bounded

Rgb = NDArray[np.uint8]
Grey = NDArray[np.uint8]

WORKING_SIDE = 128  # what the network sees by default
MIN_SIDE = 64  # half of it
MIN_MEAN = 30.0  # grey levels; the darkest real image has 42
MAX_WHITE = 0.5  # share of pixels
WHITE = 250  # at least this in every channel
MIN_DEVIATION = 4.0  # grey levels; the flattest real image has 4.7
MIN_SHARPNESS = 0.8  # see `sharpness`; 0.1 % of real images have less, and most that are blurred or moved
DIRECTIONS = np.deg2rad(np.arange(0, 180, 7.5))  # along which that is looked for
MAX_NOISE = 7.0  # median change of colour between neighbours; no real image had over 5
DIM, FLAT_LIGHT = 90.0, 15.0  # mean and deviation in grey levels; no real image has less of both

MIN_COLOUR = 5.0  # mean difference of the largest and the smallest channel
GREENER = 5  # levels that green is above red and blue; no skin is
MAX_GREEN = 0.04  # share of pixels
SHARP = 100  # grey levels between neighbours within one pixel
MAX_SHARP = 0.045  # share of pixels
SHARP_EDGES = "it has sharp edges everywhere"
MAX_FLAT = 0.28  # share of pixels that all neighbours equal

CAST_MIDDLE = (14.0, 5.0)  # medians of a* and b* over real images,
CAST_SPREAD = (11.0, 8.8)  # their standard deviations
CAST_CORRELATION = 0.38  # and correlation
MAX_CAST = 3.9  # Mahalanobis distance

FRAME_SIDE = 64  # the lesion is outlined in a copy of this size
FILLED_FRAME, FILLED_MIDDLE = 0.4, 0.9  # shares that a lesion takes which fills the image
FILLED_CONTRAST, EDGE_CONTRAST = 70, 50  # levels of blue between lesion and skin; shadows have less
ON_FRAME = 0.02  # share of the frame; a lesion that takes less is not cut off
OFF_CENTRE = 0.5  # of the way from the middle to the edge; whole lesions are nearer to the middle

MAX_HAIR = 0.12  # share of the middle of the image
MIDDLE = 0.5  # of each side
LINED, LINE_WIDTH, LINE_LEVELS = 0.25, 9, 16  # share, pixels, grey levels: see `_is_lined`


def quality_notes(rgb: Rgb, shrunk: Rgb | None = None) -> list[str]:
    """What is wrong with an image, in words; nothing for nearly all real ones.

    What is too dark, overexposed, uniform, blurred or noisy is not judged further, and what is not
    dermoscopic not for skin and hair.

    Args:
        rgb: uint8 (H, W, 3) of any size.
        shrunk: What `pipeline.bounded` makes of it, where that is there already.
    """
    height, width = rgb.shape[:2]
    size = [f"the image is only {width}×{height} pixels"] if min(height, width) < MIN_SIDE else []
    small = np.asarray(cv2.resize(rgb, (WORKING_SIDE, WORKING_SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    if unusable := _unusable(small, grey):
        return size + unusable
    box = field_of_view(small)
    field = cut(small, box) if box else small
    foreign = foreign_marks(field)
    hair = [] if foreign and foreign != [SHARP_EDGES] else _hair(bounded(rgb) if shrunk is None else shrunk)
    if foreign and not hair:  # much hair makes sharp edges, too
        return [*size, f"this does not look like a dermoscopic image: {', '.join(foreign)}"]
    return [*size, *_cast(field), *_frame(field), *hair]


def _unusable(small: Rgb, grey: Grey) -> list[str]:
    mean, deviation = (float(value.item()) for value in cv2.meanStdDev(grey))
    red, green, blue = cv2.split(small)
    white = float((cv2.min(cv2.min(red, green), blue) >= WHITE).mean())
    exposure = {
        "the image is very dark": mean < MIN_MEAN,
        f"the image is overexposed: {white:.0%} of it is white": white > MAX_WHITE,
        "the image is nearly uniform, as if it showed no lesion": deviation < MIN_DEVIATION,
    }
    if notes := [note for note, applies in exposure.items() if applies]:
        return notes
    if mean < DIM and deviation < FLAT_LIGHT:
        return ["the image is underexposed and has little contrast"]
    grain = {
        "the image is very blurred": sharpness(grey) < MIN_SHARPNESS,
        "the image is very noisy": _colour_noise(small) > MAX_NOISE,
    }
    return [note for note, applies in grain.items() if applies]


def sharpness(grey: Grey) -> float:
    """Mean square of the second derivative of brightness, along the direction in which that is least.

    What is out of focus has no fine changes in any direction, what moved none along its way.

    Args:
        grey: uint8 (H, W) of WORKING_SIDE pixels a side.
    """
    levels = grey.astype(np.float32)
    orders = ((2, 0), (0, 2), (1, 1))
    xx, yy, xy = (cv2.Sobel(levels, cv2.CV_32F, *order).ravel() / 4 for order in orders)  # 4: of the kernels
    derivatives = np.stack([xx, yy, 2 * xy])
    products = derivatives @ derivatives.T / grey.size
    cos, sin = np.cos(DIRECTIONS), np.sin(DIRECTIONS)
    along = np.stack([cos**2, sin**2, cos * sin])
    return float((along * (products @ along)).sum(0).min())


def _colour_noise(small: Rgb) -> float:
    """Median magnitude of the Laplacian of red − green: skin changes brightness faster than colour."""
    red, green = (small[..., channel].astype(np.float32) for channel in (0, 1))
    return float(np.median(np.abs(cv2.Laplacian(red - green, cv2.CV_32F))))


def foreign_marks(field: Rgb) -> list[str]:
    """What skin under a dermatoscope does not have, in words.

    Args:
        field: The field of view, uint8 (h, w, 3) of about WORKING_SIDE pixels a side.
    """
    red, green, blue = cv2.split(field)
    largest, smallest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    grey = cv2.cvtColor(field, cv2.COLOR_RGB2GRAY)
    change = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    found = {
        "it has no colours": cv2.subtract(largest, smallest).mean() < MIN_COLOUR,
        "parts of it are green": (cv2.subtract(green, cv2.max(red, blue)) > GREENER).mean() > MAX_GREEN,
        SHARP_EDGES: (change > SHARP).mean() > MAX_SHARP,
        "parts of it have one flat colour": (change == 0).mean() > MAX_FLAT,
    }
    return [mark for mark, applies in found.items() if applies]


def colour_cast(field: Rgb) -> float:
    """How far the median colour of the field of view is from that of real images, in standard deviations.

    The Mahalanobis distance in CIELAB's a* and b*.
    """
    lab = cv2.cvtColor(field, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    red, yellow = (np.median(lab[:, k]) - 128 for k in (1, 2))
    u, v = (red - CAST_MIDDLE[0]) / CAST_SPREAD[0], (yellow - CAST_MIDDLE[1]) / CAST_SPREAD[1]
    return float(np.sqrt((u * u + v * v - 2 * CAST_CORRELATION * u * v) / (1 - CAST_CORRELATION**2)))


def _cast(field: Rgb) -> list[str]:
    return ["the image has a strong colour cast"] if colour_cast(field) > MAX_CAST else []


def _frame(field: Rgb) -> list[str]:
    """Notes on the largest dark region, by Otsu's threshold on blue, in which lesions stand out most."""
    square = cv2.resize(field, (FRAME_SIDE, FRAME_SIDE), interpolation=cv2.INTER_AREA)
    dark = np.asarray(255 - cv2.GaussianBlur(square, (0, 0), 1.5)[..., 2], np.uint8)
    _, darker = cv2.threshold(dark, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, regions, stats, centres = cv2.connectedComponentsWithStats(darker)
    if len(stats) < 2 or darker.all():
        return []
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    lesion = regions == largest
    sides = [lesion[0], lesion[-1], lesion[1:-1, 0], lesion[1:-1, -1]]
    on_frame = float(np.concatenate(sides).mean())
    contrast = float(np.median(dark[lesion]) - np.median(dark[darker == 0]))
    quarter = FRAME_SIDE // 4
    middle = float(lesion[quarter:-quarter, quarter:-quarter].mean())
    if on_frame > FILLED_FRAME and middle > FILLED_MIDDLE and contrast > FILLED_CONTRAST:
        return ["the lesion fills the image and goes beyond it"]
    off = 2 * float(np.abs(centres[largest] / (FRAME_SIDE - 1) - 0.5).max())
    in_corner = bool(lesion[1 :: FRAME_SIDE - 3, 1 :: FRAME_SIDE - 3].any())  # as shadows and vignettes are
    if on_frame > ON_FRAME and off > OFF_CENTRE and contrast > EDGE_CONTRAST and not in_corner:
        return ["the lesion lies at the edge of the image, which cuts it off"]
    return []


def hair_share(rgb: Rgb) -> float:
    """Share of the middle of the image that hair removal would paint over; 0 where hair cannot be seen."""
    return float(_middle(hair_mask(bounded(rgb), HairRemoval())).mean())


def _hair(shrunk: Rgb) -> list[str]:
    share = hair_share(shrunk) if _is_lined(shrunk) else 0.0
    return [f"hair covers {share:.0%} of the middle of the image"] if share > MAX_HAIR else []


def _is_lined(shrunk: Rgb) -> bool:
    """Whether so much of the middle is darker or lighter than what is around it that it may be full of hair.

    Finding hair takes longer than everything else here; this spares it for most images. The share was chosen
    on real images outside the test part, below that of any which has hair on a tenth of the middle or more.
    """
    kernel = np.ones((LINE_WIDTH, LINE_WIDTH), np.uint8)
    lines = [cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel) for grey in dark_and_light(shrunk)]
    return bool((_middle(cv2.max(*lines)) > LINE_LEVELS).mean() >= LINED)


def _middle(values: NDArray[Any]) -> NDArray[Any]:
    height, width = ((round((1 - MIDDLE) / 2 * side), side) for side in values.shape[:2])
    return values[height[0] : height[1] - height[0], width[0] : width[1] - width[0]]
