"""Plain words for pictures that cannot be trusted: too small, dark, overexposed, uniform or blurred.

The thresholds lie beyond what was measured on real dermoscopic images: 1,500 each of HAM10000 and ISIC 2019
and the 557 of UDA-1, so that far fewer than 1 % of such images get a note.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

WORKING_SIDE = 128  # what the network sees by default
MIN_SIDE = 64  # half of it
MIN_MEAN = 30.0  # grey levels; the darkest real image has 43
MAX_WHITE = 0.5  # share of pixels; the brightest real image has 0.39
WHITE = 250  # at least this in every channel
MIN_DEVIATION = 4.0  # grey levels; the flattest real image has 5.8
MIN_LAPLACIAN = 4.5  # variance; 0.1 % of real images have less, and most after a blur of σ = 2 % of a side


def quality_notes(rgb: NDArray[np.uint8]) -> list[str]:
    """What is wrong with an image, in words; nothing for nearly all real ones.

    Args:
        rgb: uint8 (H, W, 3) of any size.
    """
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (WORKING_SIDE, WORKING_SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    white = float((small.min(axis=2) >= WHITE).mean())
    uniform = bool(grey.std() < MIN_DEVIATION)
    blurred = bool(cv2.Laplacian(grey, cv2.CV_64F).var() < MIN_LAPLACIAN)
    found = {
        f"the image is only {width}×{height} pixels": min(height, width) < MIN_SIDE,
        "the image is very dark": bool(grey.mean() < MIN_MEAN),
        f"the image is overexposed: {white:.0%} of it is white": white > MAX_WHITE,
        "the image is nearly uniform, as if it showed no lesion": uniform,
        "the image is very blurred": blurred and not uniform,
    }
    return [note for note, applies in found.items() if applies]
