"""Cropping: black bars and the dermatoscope's dark surround, where there are any, and a central fraction.

`benchmarks/crop.py` chooses DARK_SHARE_OF_OTSU and ALLOWED_DARK_AREA on one half of HAM10000 and prints, for
the other half, what is cropped, what stays dark and how much of the lesions is lost.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Grey = NDArray[np.uint8]
Points = NDArray[np.float64]

WORKING_SIDE = 128  # bars and circle are looked for in a copy of this size
BLACK = 48  # grey levels; the darkest lesions and hairs are brighter over most of a row
LIT = 0.05  # of a row or column; with less that is not black it is part of a bar
SMALLEST_LIT = 0.5  # of each side between the bars; less is no picture in a frame
DARK_SHARE_OF_OTSU = 0.6  # darker than this share of Otsu's threshold is outside the field of view
DARK_CORNERS = 3  # of four; a dark lesion at the border reaches fewer
CORNER = 5  # side of a corner patch in working pixels
MIN_DARK_AREA = 0.005  # less is not worth a crop
MIN_RIM = 8  # points of the outline that are not on the frame; fewer decide nothing
RIM_DEVIATION = 0.05  # of the radius; a point as near as this to the ellipse lies on the rim
MIN_ON_RIM = 0.6  # of these points; the others are where hair or a lesion meets the rim
FITS = 3
ALLOWED_DARK_AREA = 0.002  # of the crop
SMALLEST_CROP = 0.6  # of each side of the circle's box; tighter crops would lose the lesion


class Box(NamedTuple):
    """A rectangle in shares of the image's sides, 0..1."""

    top: float
    bottom: float
    left: float
    right: float


class _Rectangle(NamedTuple):
    """A rectangle in working pixels; the ends are exclusive."""

    top: int
    bottom: int
    left: int
    right: int


def field_of_view(rgb: Rgb) -> Box | None:
    """The box that is left when black bars and the dermatoscope's dark surround are cut off.

    A surround is dark, takes at least three corners, and its rim is a circle (an ellipse, where the image is
    squashed). Hair, limbs before a black background, shadows and lesions at the border are none.

    Args:
        rgb: uint8 (H, W, 3).

    Returns:
        None where there is nothing to cut off, or where the box would become too small.
    """
    small = cv2.resize(rgb, (WORKING_SIDE, WORKING_SIDE), interpolation=cv2.INTER_AREA)
    red, green, blue = cv2.split(small)
    grey = np.asarray(cv2.max(cv2.max(red, green), blue), dtype=np.uint8)
    lit = _between_bars(grey)
    clear = _within_circle(grey[lit.top : lit.bottom, lit.left : lit.right])
    if clear:
        top, bottom, left, right = clear
        lit = _Rectangle(lit.top + top, lit.top + bottom, lit.left + left, lit.left + right)
    whole = _Rectangle(0, WORKING_SIDE, 0, WORKING_SIDE)
    return None if lit == whole else Box(*(edge / WORKING_SIDE for edge in lit))


def _between_bars(grey: Grey) -> _Rectangle:
    """What remains between rows, and between columns, that are black nearly from end to end.

    Outermost lines that are not black again, such as a thin frame, go with the bars.
    """
    vertical, horizontal = (_between((grey > BLACK).mean(axis=axis) < LIT) for axis in (1, 0))
    return _Rectangle(*vertical, *horizontal)


def _between(black: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and end of what lies between the black lines before and behind the middle."""
    middle = len(black) // 2
    before, behind = np.flatnonzero(black[:middle]), np.flatnonzero(black[middle:])
    start = int(before[-1]) + 1 if before.size else 0
    end = middle + int(behind[0]) if behind.size else len(black)
    return (start, end) if end - start >= SMALLEST_LIT * len(black) else (0, len(black))


def _within_circle(grey: Grey) -> _Rectangle | None:
    """The box in the circle of the field of view; None where there is no circle.

    What is dark within the rim is a lesion, hair or shadow, and no reason for a crop.
    """
    outline = _outline(grey)
    if not outline.size:
        return None
    dark = np.ones_like(grey)
    cv2.drawContours(dark, [outline], -1, 0, cv2.FILLED)
    if dark.mean() < MIN_DARK_AREA or _dark_corners(dark) < DARK_CORNERS:
        return None
    rim = _rim(outline, grey.shape)
    if rim is None:
        return None
    positions = np.flatnonzero(dark)
    rows, columns = np.divmod(positions, grey.shape[1])
    dark.flat[positions] = rim.distances(np.stack([columns, rows], axis=1)) > 1 - RIM_DEVIATION
    return _clear(dark)


def _outline(grey: Grey) -> NDArray[np.int32]:
    """Outline (N, 1, 2), as x and y, of the largest region that is not dark."""
    smooth = cv2.GaussianBlur(grey, (5, 5), 0)
    otsu, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    bright = (smooth > DARK_SHARE_OF_OTSU * otsu).astype(np.uint8)
    outlines, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    none = np.zeros((0, 1, 2), np.int32)
    return np.asarray(max(outlines, key=cv2.contourArea, default=none), dtype=np.int32)


def _dark_corners(dark: Grey) -> int:
    """How many of the four corners are dark by half or more."""
    near, far = slice(None, CORNER), slice(-CORNER, None)
    return sum(dark[rows, columns].mean() >= 0.5 for rows in (near, far) for columns in (near, far))


class _Ellipse(NamedTuple):
    """An ellipse with upright axes, in working pixels."""

    x: float
    y: float
    radius_x: float
    radius_y: float

    def distances(self, points: Points) -> Points:
        """Distances (N,) of points (N, 2) from the middle, in shares of the radius."""
        scaled = (points - (self.x, self.y)) / (self.radius_x, self.radius_y)
        return np.asarray(np.hypot(*scaled.T))


def _rim(outline: NDArray[np.int32], shape: tuple[int, ...]) -> _Ellipse | None:
    """The ellipse on which the outline lies where it is not on the frame; None where there is none.

    It is fitted again without points far off, where hair or a lesion meets the rim.
    """
    points = outline[:, 0].astype(np.float64)
    on_frame = (points <= 1) | (points >= np.array(shape)[::-1] - 2)
    free = near = points[~on_frame.any(axis=1)]
    ellipse = None
    for _ in range(FITS):
        ellipse = _fitted(near) if len(near) >= MIN_RIM else None
        if ellipse is None:
            return None
        deviation = np.abs(ellipse.distances(free) - 1)
        near = free[deviation <= max(RIM_DEVIATION, 2 * float(np.median(deviation)))]
    return ellipse if (deviation <= RIM_DEVIATION).mean() >= MIN_ON_RIM else None


def _fitted(points: Points) -> _Ellipse | None:
    """Least squares of a·x² + b·y² + c·x + d·y = 1; None where that is no ellipse (a or b ≤ 0)."""
    x, y = (points / WORKING_SIDE - 0.5).T  # from the middle, which is never on the rim
    (a, b, c, d), *_ = np.linalg.lstsq(np.stack([x * x, y * y, x, y], axis=1), np.ones(len(x)), rcond=None)
    if min(a, b) <= 0:
        return None
    level = 1 + c**2 / (4 * a) + d**2 / (4 * b)
    middle_x, middle_y, radius_x, radius_y = (
        -c / (2 * a),
        -d / (2 * b),
        (level / a) ** 0.5,
        (level / b) ** 0.5,
    )
    return _Ellipse(*(WORKING_SIDE * v for v in (middle_x + 0.5, middle_y + 0.5, radius_x, radius_y)))


def _clear(dark: Grey) -> _Rectangle | None:
    """What is left when the darkest edge is trimmed, again and again, until hardly anything is dark."""
    left, top, width, height = cv2.boundingRect(1 - dark)
    box = _Rectangle(top, top + height, left, left + width)
    smallest = SMALLEST_CROP * height, SMALLEST_CROP * width
    sums = cv2.integral(dark)

    def share(top: int, bottom: int, left: int, right: int) -> float:
        total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return float(total) / ((bottom - top) * (right - left))

    while share(*box) > ALLOWED_DARK_AREA:
        top, bottom, left, right = box
        edges = {
            share(top, top + 1, left, right): box._replace(top=top + 1),
            share(bottom - 1, bottom, left, right): box._replace(bottom=bottom - 1),
            share(top, bottom, left, left + 1): box._replace(left=left + 1),
            share(top, bottom, right - 1, right): box._replace(right=right - 1),
        }
        box = edges[max(edges)]
        if box.bottom - box.top < smallest[0] or box.right - box.left < smallest[1]:
            return None
    return box


def cut(rgb: Rgb, box: Box) -> Rgb:
    """The pixels of a box (at least one)."""
    height, width = rgb.shape[:2]
    y0, x0 = round(box.top * height), round(box.left * width)
    return rgb[y0 : max(y0 + 1, round(box.bottom * height)), x0 : max(x0 + 1, round(box.right * width))]


def central(rgb: Rgb, fraction: float) -> Rgb:
    """The central part that keeps this fraction of each side.

    Args:
        rgb: uint8 (H, W, 3).
        fraction: In (0, 1]; 1 gives the image itself.
    """
    trim = (1 - fraction) / 2
    return cut(rgb, Box(trim, 1 - trim, trim, 1 - trim))
