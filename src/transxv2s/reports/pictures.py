"""Pictures inside of a page, as ``data:`` addresses."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

THUMBNAIL_SIDE = 480  # pixels: sharp at 15 rem on a display of double density


def thumbnail(image: npt.NDArray[np.uint8], side: int = THUMBNAIL_SIDE) -> npt.NDArray[np.uint8]:
    """Scales an RGB image (H, W, 3) down until no side is longer; smaller ones stay as they are."""
    picture = Image.fromarray(image)
    picture.thumbnail((side, side))
    return np.asarray(picture)


def data_uri(image: npt.NDArray[np.uint8]) -> str:
    """RGB uint8 (H, W, 3) as the ``data:`` address of a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
