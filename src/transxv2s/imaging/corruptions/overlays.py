"""What is drawn over an image: the dark surround of a dermatoscope and writing."""

import string

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from transxv2s.imaging.corruptions.scale import LONGEST, REFERENCE_SIDE, Reals, Rgb, clipped

FEWEST_LETTERS = 3
SMALLEST_LETTER = 0.14  # of the font's own size, which is about 21 pixels high
LETTER_WIDTH = 8  # pixels that each letter may need
MARGIN = 10  # pixels between a word and the border
FONT = cv2.FONT_HERSHEY_SIMPLEX


def black_corner(rgb: Rgb, _: Generator, radius: float) -> Rgb:
    """Blackens all beyond an ellipse whose half axes are this share of the sides' halves.

    In a square, and in one to which the image is squashed, it is a circle: the same share of every image
    becomes black.
    """
    y, x = (np.abs((np.arange(side) + 0.5) / side - 0.5) * 2 for side in rgb.shape[:2])
    inside = y[:, None] ** 2 + x**2 <= radius**2
    return np.asarray(rgb * inside[..., None], np.uint8)


def characters(rgb: Rgb, generator: Generator, words: int, letters: int, size: float) -> Rgb:
    """Writes words of random lower-case letters, places and colours.

    Args:
        rgb: uint8 (H, W, 3).
        generator: Draws the same first words whatever their number.
        words: How many.
        letters: Most of a word; it has at least FEWEST_LETTERS.
        size: Largest size of a word, in units of the font's; at least SMALLEST_LETTER.
    """
    image = rgb.astype(np.float32)
    for _ in range(words):
        choice, length, height, x, y = generator.integers(0, 26, 26), *generator.random(4)
        colour = generator.integers(0, 256, 3)
        text = "".join(string.ascii_lowercase[k] for k in choice)
        text = text[: FEWEST_LETTERS + int(length * (letters - FEWEST_LETTERS + 1))]
        scale = SMALLEST_LETTER + height * (size - SMALLEST_LETTER)
        cover = written(text, rgb.shape[:2], scale, (x, y))[..., None]
        image = cover * colour.astype(np.float32) + (1 - cover) * image
    return clipped(image)


def written(text: str, shape: tuple[int, int], size: float, place: tuple[float, float]) -> Reals:
    """How much of each pixel a word covers, float32 (H, W) in 0..1.

    It is drawn on a canvas at least as large as the reference, long strips apart, and shrunk.

    Args:
        text: The word.
        shape: Height and width of the image.
        size: Of the letters at the reference, in units of the font's.
        place: Of the word, x and y in 0..1, between the first and the last place where it fits.
    """
    ratio = min(shape) / REFERENCE_SIDE
    enlarged = max(1.0, min(1 / ratio, LONGEST * REFERENCE_SIDE / max(shape)))
    height, width = (round(side * enlarged) for side in shape)
    unit = ratio * enlarged
    spans = width - unit * (MARGIN + LETTER_WIDTH * len(text)), height - unit * 2 * MARGIN
    x, y = (int(unit * MARGIN + share * max(span, 0.0)) for share, span in zip(place, spans, strict=True))
    canvas: NDArray[np.uint8] = np.zeros((height, width), np.uint8)
    cv2.putText(canvas, text, (x, y), FONT, size * unit, 255, max(1, round(unit)), cv2.LINE_AA)
    covered = cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(covered / 255, np.float32)
