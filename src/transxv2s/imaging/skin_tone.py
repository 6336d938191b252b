"""Skin tone from the skin around a lesion, as individual typology angle (ITA).

ITA = atan2(L* − 50, b*)·180/π in CIELAB under D65 (Chardon et al. 1991); the six groups are those of Del
Bino and Bernerd (2013). It was made for calibrated colorimeters. Dermatoscopes are not calibrated: their
light, the gel, polarisation, tan, redness and the camera's white balance shift the angle by more than the
width of a group. So it orders images of one source for a look at subgroups; it does not measure people, and
groups of different sources are not comparable. About a third of HAM10000 has bluish skin (b* < 0, an angle
above 90°), which is a cast of the camera, and most of the rest is "very light". Where the lesion fills the
frame there is little skin to judge by, and the rule often takes lesion for skin.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.imaging.crop import cut, field_of_view
from transxv2s.imaging.hair import HairRemoval, hair_mask

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SKIN_TONES = ("very light", "light", "intermediate", "tan", "brown", "dark")
LOWER_LIMITS = (55.0, 41.0, 28.0, 10.0, -30.0)  # in degrees; a limit itself belongs to the darker group
WORKING_SIDE = 128  # short side of the copy that is looked at
RING = 0.2  # width of the border ring as a share of each side
BLUR = 0.02  # deviation of the blur before Otsu's threshold, as a share of the short side
MIN_SHARE = 0.02  # of the pixels; less skin is not judged


def typology_angle(rgb: Rgb, skin: Mask) -> float | None:
    """ITA in degrees, −180..180, of the median L* and b* of the skin; None for too little skin.

    Args:
        rgb: uint8 (H, W, 3), sRGB.
        skin: Where there is skin without lesion, hair or dark surround: bool (H, W).
    """
    if skin.mean() < MIN_SHARE:
        return None
    lab = cv2.cvtColor((rgb[skin] / 255).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]
    lightness, _, blue_to_yellow = np.median(lab, axis=0)
    return float(np.degrees(np.arctan2(lightness - 50, blue_to_yellow)))


def background_skin(rgb: Rgb) -> Mask:
    """Skin around the lesion: the brighter part, by Otsu's threshold, of a border ring without hair.

    Lesions stand in the middle and are darker than the skin, as dark corners are.

    Args:
        rgb: uint8 (H, W, 3), without the dermatoscope's dark surround where that can be cut off.

    Returns:
        bool (H, W).
    """
    height, width = rgb.shape[:2]
    grey = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), BLUR * min(height, width))
    otsu, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    hair = cv2.dilate(hair_mask(rgb, HairRemoval()).astype(np.uint8), np.ones((3, 3), np.uint8))
    skin = (grey > otsu) & (hair == 0)
    y, x = round(RING * height), round(RING * width)
    skin[y : height - y, x : width - x] = False
    return np.asarray(skin, dtype=np.bool_)


def individual_typology_angle(rgb: Rgb) -> float | None:
    """ITA in degrees of an image's background skin as found by rule; None where too little was found.

    Args:
        rgb: uint8 (H, W, 3) of any size, sRGB, before any colour normalisation.
    """
    box = field_of_view(rgb)
    small = _small(cut(rgb, box) if box else rgb)
    return typology_angle(small, background_skin(small))


def skin_tone(angle: float | None) -> str:
    """The group of an ITA in degrees: one of SKIN_TONES, or "unknown" for None."""
    if angle is None:
        return "unknown"
    return SKIN_TONES[sum(angle <= limit for limit in LOWER_LIMITS)]


def _small(rgb: Rgb) -> Rgb:
    height, width = rgb.shape[:2]
    scale = WORKING_SIDE / min(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
