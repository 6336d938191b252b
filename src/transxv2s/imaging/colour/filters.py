"""CLAHE and the Wiener filter, which change a pixel by its surroundings."""

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from transxv2s.errors import InputError
from transxv2s.imaging.colour.images import Method, each, to_type


class CLAHE(Method):
    """Contrast-limited adaptive histogram equalisation of L in CIELAB (OpenCV), in 8 bits.

    Attributes:
        clip_limit: Of a tile's histogram, in multiples of its mean.
        tiles: So many rows and columns of tiles.
    """

    method: Literal["clahe"] = "clahe"
    clip_limit: float = Field(default=2.0, gt=0)
    tiles: int = Field(default=8, ge=1, le=64)

    def apply_to_array(self, image: NDArray[Any]) -> NDArray[Any]:
        """Floating-point images are rounded to 8 bits, in which OpenCV works."""
        return each(image, self._equalised)

    def _equalised(self, rgb: NDArray[Any]) -> NDArray[np.uint8]:
        if rgb.shape[2] != 3:
            raise InputError(f"CLAHE takes images of three channels (RGB), not {rgb.shape[2]}")
        lab = cv2.cvtColor(to_type(rgb, np.dtype(np.uint8)), cv2.COLOR_RGB2LAB)
        lab[..., 0] = cv2.createCLAHE(self.clip_limit, (self.tiles, self.tiles)).apply(lab[..., 0])
        return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


class Wiener(Method):
    """Adaptive Wiener filter of each channel (SciPy; Lim 1990): smooths where there is little but noise.

    Attributes:
        radius: The window reaches so many pixels to each side (2: 5×5); the image is continued by reflection.
    """

    method: Literal["wiener"] = "wiener"
    radius: int = Field(default=2, ge=1, le=15)

    def apply_to_array(self, image: NDArray[Any]) -> NDArray[Any]:
        """Each channel of each image."""
        return each(image, self._smoothed)

    def _smoothed(self, rgb: NDArray[Any]) -> NDArray[Any]:
        channels = [self._channel(rgb[..., c].astype(np.float64)) for c in range(rgb.shape[2])]
        return to_type(np.stack(channels, axis=-1), rgb.dtype)

    def _channel(self, channel: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.signal import wiener  # type: ignore[import-untyped]  # takes most of a second to import

        inner = slice(self.radius, -self.radius)
        padded = np.pad(channel, self.radius, "symmetric")
        with np.errstate(divide="ignore", invalid="ignore"):  # flat windows
            smooth = wiener(padded, 2 * self.radius + 1)[inner, inner]
        return np.where(np.isfinite(smooth), smooth, channel)
