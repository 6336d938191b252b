"""Safe decoding: any source to RGB, or one `ImageError` that says what is wrong and what to do."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from transxv2s.errors import ImageError

Rgb = NDArray[np.uint8]
Grey = NDArray[np.uint8]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
ACCEPTED = "a JPEG, PNG, WebP, BMP or TIFF image"
PHOTOGRAPHS = ("JPEG", "MPO")  # further frames of a camera's JPEG are its preview, depth or gain map
GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N")
NO_NOMINAL_RANGE = ("I", "F")
CONVERTIBLE = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
COPY_AGAIN = "copy or export it again"


@dataclass(frozen=True)
class Limits:
    """What an image may cost before it is decoded.

    Attributes:
        max_bytes: Size of the file.
        max_pixels: Width × height; below the 89 million at which Pillow begins to print warnings.
        max_side: Longest side in pixels.
        min_side: Shortest side in pixels; smaller ones are icons.
    """

    max_bytes: int = 50_000_000
    max_pixels: int = 80_000_000
    max_side: int = 20_000
    min_side: int = 16

    def problem_of_bytes(self, size: int) -> str | None:
        """What is wrong with a file of this size, and what to do."""
        if size > self.max_bytes:
            return f"the file is larger than {self.max_bytes / 1e6:g} MB; make the image smaller"
        return None

    def problem_of_pixels(self, width: int, height: int) -> str | None:
        """What is wrong with an image of this size, and what to do."""
        found = f"the image is {width}×{height} pixels"
        if min(width, height) < self.min_side:
            return f"{found}; send one of at least {self.min_side} on each side"
        if max(width, height) > self.max_side:
            return f"{found}; make it smaller, to at most {self.max_side} on each side"
        if width * height > self.max_pixels:
            return f"{found}; make it smaller, to at most {self.max_pixels:,} pixels"
        return None


DEFAULT_LIMITS = Limits()


def decode(
    source: str | Path | bytes | NDArray[np.uint8], name: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> Rgb:
    """RGB of an image file, its bytes, or an array, upright and without its metadata.

    What counts is the content of a file, not its suffix. Transparency is put on white, 16-bit grey is scaled
    to 8 bits, and grey levels without a nominal range (32-bit integers, floats) are stretched to 0..255.

    Args:
        source: Path, content of a file, or RGB uint8 (H, W, 3), which comes back as it is.
        name: What to call it in errors; by default the file name, or "image".
        limits: Larger or smaller images are refused before they are decoded.

    Returns:
        uint8 (H, W, 3), C-contiguous.

    Raises:
        ImageError: The image cannot be used, for whatever reason.
    """
    name = name or (_file_name(source) if isinstance(source, str | Path) else "image")
    try:
        if isinstance(source, np.ndarray):
            return _checked_array(source, limits)
        return _decoded(_content(source, limits), limits)
    except _Refused as refusal:
        raise ImageError(name, str(refusal)) from refusal.__cause__


class _Refused(Exception):  # noqa: N818 - becomes an ImageError as soon as the name is known
    """The reason why an image cannot be used."""


def _file_name(path: str | Path) -> str:
    """The last part, or all of what has none; what cannot be printed becomes a question mark."""
    return (Path(path).name or str(Path(path))).encode("utf-8", "replace").decode()


def _checked_array(array: NDArray[np.generic], limits: Limits) -> Rgb:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise _Refused(
            f"the array is {array.dtype} {array.shape}; pass RGB as uint8 of shape (height, width, 3)"
        )
    _check_size(array.shape[1], array.shape[0], limits)
    return np.ascontiguousarray(array, dtype=np.uint8)


def _content(source: object, limits: Limits) -> bytes:
    """The bytes of a file, none of which is read where there are too many."""
    if isinstance(source, str | Path):
        source = _read(Path(source), limits)
    if not isinstance(source, bytes):
        raise _Refused(f"a {type(source).__name__} is no image; pass a path, bytes or an RGB uint8 array")
    if not source:
        raise _Refused(f"the file is empty; {COPY_AGAIN}")
    _check_bytes(len(source), limits)
    return source


def _read(path: Path, limits: Limits) -> bytes:
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise _Refused("this is a folder; name the image files in it")
        if not path.is_file():  # a pipe or device, which may never end
            raise _Refused("this is not a regular file; name an image file")
        _check_bytes(size, limits)
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)  # it may have grown meanwhile
    except FileNotFoundError as error:
        raise _Refused("there is no such file; check the path") from error
    except PermissionError as error:
        raise _Refused("it may not be read; ask for permission to read it") from error
    except (OSError, ValueError) as error:
        raise _Refused(f"it cannot be read ({error}); check the path and the disk") from error


def _decoded(content: bytes, limits: Limits) -> Rgb:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_size(*image.size, limits)
            _check_frames(image)
            ImageOps.exif_transpose(image, in_place=True)
            return np.array(_rgb(image))
    except _Refused:
        raise
    except UnidentifiedImageError as error:
        raise _Refused(
            f"this is not {ACCEPTED}, whatever its name says, or its beginning is damaged; "
            f"convert it to one of these, or {COPY_AGAIN}"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _Refused(f"it has more than {limits.max_pixels:,} pixels; make it smaller") from error
    except Exception as error:  # Pillow's plugins raise all kinds: SyntaxError, struct.error, zlib.error …
        raise _Refused(f"the file is damaged or cut off ({error}); {COPY_AGAIN}") from error


def _check_bytes(size: int, limits: Limits) -> None:
    if problem := limits.problem_of_bytes(size):
        raise _Refused(problem)


def _check_size(width: int, height: int, limits: Limits) -> None:
    if problem := limits.problem_of_pixels(width, height):
        raise _Refused(problem)


def _check_frames(image: Image.Image) -> None:
    if image.format not in PHOTOGRAPHS and getattr(image, "is_animated", False):
        raise _Refused("it is animated or has several pages; save the one to look at as a file of its own")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in GREY_16:
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.mode in NO_NOMINAL_RANGE:
        return Image.fromarray(_stretched(image)).convert("RGB")
    if image.mode not in CONVERTIBLE:
        raise _Refused(f"its colour mode {image.mode} is not supported; save it as RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Grey:
    """16-bit grey (12-bit in some TIFF files) to 8 bits by its nominal range."""
    bits: int = getattr(image, "tag_v2", {}).get(ExifTags.Base.BitsPerSample, (16,))[0]
    scaled: Grey = np.rint(np.asarray(image, np.float32) * (255 / (2**bits - 1))).astype(np.uint8)
    return scaled


def _stretched(image: Image.Image) -> Grey:
    """Smallest value to 0 and largest to 255; Pillow would clip at 0 and 255."""
    values = np.asarray(image, np.float64)
    if not np.isfinite(values).all():
        raise _Refused("some of its values are not finite numbers; save it as 8-bit RGB")
    lowest, highest = values.min(), values.max()
    scaled: Grey = np.rint((values - lowest) * (255 / ((highest - lowest) or 1))).astype(np.uint8)
    return scaled
