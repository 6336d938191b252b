"""Decoding: what is taken, what is refused and with which words, and that nothing but ImageError escapes."""

import os
import pickle
import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin

from transxv2s.errors import ImageError
from transxv2s.imaging import decode as module
from transxv2s.imaging.decode import SUFFIXES, Limits, decode

from .files import LOSSLESS, SOUND, colour_png, damaged, encoded, header_only, picture, tiff, turned

Rgb = NDArray[np.uint8]


def refused(source: Any, *words: str, limits: Limits | None = None) -> None:
    """Decoding fails with a reason that holds these words."""
    with pytest.raises(ImageError) as caught:
        decode(source, "it", limits or Limits())
    assert caught.value.name == "it"
    for word in words:
        assert word in caught.value.reason
    assert "\n" not in caught.value.reason


# --- what is taken ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_the_pixels_from_path_string_and_bytes(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded(picture(), kind, **LOSSLESS[kind]))
    for source in (path, str(path), path.read_bytes()):
        result = decode(source)
        np.testing.assert_array_equal(result, picture())
        assert result.dtype == np.uint8
        assert result.flags.c_contiguous
        assert result.flags.writeable


@pytest.mark.parametrize("options", [{}, {"quality": 30}, {"subsampling": 0}, {"progressive": True}])
def test_plain_jpegs_give_pillow_s_pixels(options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(encoded(picture(84, 84), "JPEG", **options))
    np.testing.assert_array_equal(decode(path), np.array(Image.open(path).convert("RGB")))


def test_content_counts_and_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "a_png_named.jpg"
    path.write_bytes(encoded(picture()))
    np.testing.assert_array_equal(decode(path), picture())


def test_suffixes_are_those_of_the_formats() -> None:
    registered = {suffix for suffix, kind in Image.registered_extensions().items() if kind in module.FORMATS}
    assert set(SUFFIXES) <= registered
    assert {Image.registered_extensions()[suffix] for suffix in SUFFIXES} == set(module.FORMATS)


UPRIGHT: dict[int, Callable[[Rgb], Rgb]] = {  # how a viewer turns what is stored, by EXIF orientation
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_images_are_turned_upright(kind: str, orientation: int) -> None:
    options = {**LOSSLESS[kind], "exif": turned(orientation)}
    np.testing.assert_array_equal(
        decode(encoded(picture(), kind, **options)), UPRIGHT[orientation](picture())
    )


def test_jpegs_are_turned_upright() -> None:
    plain, lying = encoded(picture(), "JPEG"), encoded(picture(), "JPEG", exif=turned(6))
    np.testing.assert_array_equal(decode(lying), np.rot90(decode(plain), -1))


def test_a_camera_s_jpeg_with_a_second_frame_gives_the_first() -> None:
    second = Image.fromarray(picture(20, 25))
    both = encoded(picture(), "MPO", save_all=True, append_images=[second])
    np.testing.assert_array_equal(decode(both), decode(encoded(picture(), "JPEG")))


def grey(image: NDArray[np.generic]) -> Rgb:
    """What a grey image is expected to give."""
    return np.stack([image.astype(np.uint8)] * 3, axis=-1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_grey_one_bit_and_palette(kind: str) -> None:
    level = picture()[..., 0]
    bit = level > 100
    np.testing.assert_array_equal(decode(encoded(level, kind)), grey(level))
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(bit), kind)), grey(bit * 255))
    palette = Image.fromarray(picture()).quantize(8)
    np.testing.assert_array_equal(decode(encoded(palette, kind)), np.array(palette.convert("RGB")))


def on_white(image: Rgb, alpha: NDArray[np.uint8]) -> NDArray[np.float64]:
    share = alpha[..., None] / 255
    return image * share + 255 * (1 - share)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_put_on_white(kind: str) -> None:
    alpha = np.tile(np.linspace(0, 255, 50).astype(np.uint8), (40, 1))
    layers = Image.fromarray(np.dstack([picture(), alpha]))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    result = decode(encoded(layers, kind, **options))
    assert np.abs(result - on_white(picture(), alpha)).max() <= 1
    assert (result[:, 0] == 255).all()


def test_transparency_of_grey_and_palette_images_is_put_on_white() -> None:
    level = picture()[..., 0]
    alpha = np.tile(np.array([0, 255], np.uint8), (40, 25))
    both = Image.merge("LA", [Image.fromarray(level), Image.fromarray(alpha)])
    np.testing.assert_array_equal(decode(encoded(both)), on_white(grey(level), alpha))
    indices = np.tile(np.array([0, 1], np.uint8), (20, 10))
    palette = Image.fromarray(indices)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    result = decode(encoded(palette, transparency=0))
    np.testing.assert_array_equal(result[0, :2], [[255, 255, 255], [40, 50, 60]])
    key = decode(encoded(np.full((20, 20, 3), 9, np.uint8), transparency=(9, 9, 9)))
    assert (key == 255).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str) -> None:
    inks = Image.fromarray(np.full((20, 20, 3), (200, 120, 40), np.uint8)).convert("CMYK")
    result = decode(encoded(inks, kind))
    assert np.abs(result.astype(int) - (200, 120, 40)).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(kind: str) -> None:
    """Every one of 65,536 levels is within a rounding of its 257th part."""
    levels = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(levels), kind)), grey(np.rint(levels / 257)))


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiffs_of_both_byte_orders(order: str) -> None:
    levels = (picture()[..., 0] * np.uint16(257)).astype(f"{order}u2")
    np.testing.assert_array_equal(decode(tiff(levels, 16, 1)), grey(levels // 257))
    colours = (picture() * np.uint16(257)).astype(f"{order}u2")
    np.testing.assert_array_equal(decode(tiff(colours, 16, 2)), picture())


def test_sixteen_bit_colour_png() -> None:
    np.testing.assert_array_equal(decode(colour_png(picture() * np.uint16(257))), picture())


def test_twelve_bit_tiff_is_scaled_by_its_own_range() -> None:
    """Two values in three bytes."""
    values = np.linspace(0, 4095, 16 * 32).astype(int).reshape(16, 32)
    first, second = values[:, ::2], values[:, 1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    data = packed.astype(np.uint8).reshape(16, 48)
    content = tiff(data, 12, 1, {256: 32})
    np.testing.assert_array_equal(decode(content), grey(np.rint(values * 255 / 4095)))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 255), (-3000, 40000)])
def test_levels_without_a_nominal_range_are_stretched(dtype: type[np.float32], low: int, high: int) -> None:
    values = (picture()[..., 0] / 200 * (high - low) + low).astype(dtype)
    exact = (values - values.min()) / np.float64(values.max() - values.min()) * 255
    result = decode(encoded(Image.fromarray(values), "TIFF"))
    assert np.abs(result - exact[..., None]).max() <= 0.501
    assert (result.min(), result.max()) == (0, 255)


def test_one_level_without_a_nominal_range_is_black() -> None:
    assert not decode(encoded(Image.fromarray(np.full((20, 20), 7.5, np.float32)), "TIFF")).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value: float) -> None:
    values = picture()[..., 0].astype(np.float32)
    values[3, 4] = value
    refused(encoded(Image.fromarray(values), "TIFF"), "not finite", "save it")


def test_other_colour_modes_are_refused_by_name() -> None:
    refused(encoded(Image.new("LAB", (20, 20)), "TIFF"), "LAB", "save it as RGB")


def test_metadata_does_not_change_the_pixels() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "patient name"
    np.testing.assert_array_equal(
        decode(encoded(picture(), exif=exif, dpi=(300, 300), icc_profile=b"none")), picture()
    )


# --- arrays ----------------------------------------------------------------------------------------------


def test_arrays_are_taken_as_they_are() -> None:
    image = picture()
    assert decode(image) is image
    flipped = decode(image[::-1, :, ::-1])
    assert flipped.flags.c_contiguous
    np.testing.assert_array_equal(flipped, image[::-1, :, ::-1])


@pytest.mark.parametrize(
    "array",
    [
        picture()[..., 0],
        picture().astype(np.float32),
        picture().astype(np.int64),
        np.zeros((40, 50, 4), np.uint8),
        np.zeros((3, 40, 50), np.uint8),
        np.zeros((1, 40, 50, 3), np.uint8),
        np.array("text"),
    ],
)
def test_other_arrays_are_refused(array: NDArray[np.generic]) -> None:
    refused(array, str(array.dtype), "uint8 of shape (height, width, 3)")


@pytest.mark.parametrize("source", [None, 7, Image.new("RGB", (20, 20)), [1, 2]])
def test_other_objects_are_refused(source: object) -> None:
    refused(source, type(source).__name__, "pass a path")


# --- limits ----------------------------------------------------------------------------------------------


def test_the_byte_limit_holds_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(picture())
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    exactly, less = Limits(max_bytes=len(content)), Limits(max_bytes=len(content) - 1)
    assert decode(path, limits=exactly).shape == decode(content, limits=exactly).shape == (40, 50, 3)
    refused(content, "larger than", "make the image smaller", limits=less)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("it was opened"))
    refused(path, "larger than", limits=less)


def test_a_sparse_file_of_a_terabyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.touch()
    os.truncate(path, 10**12)
    refused(path, "larger than 50 MB")


@pytest.mark.parametrize("as_array", [True, False])
def test_size_limits_hold_for_files_and_arrays(as_array: bool) -> None:
    source = picture(40, 50) if as_array else encoded(picture(40, 50))
    just = Limits(max_pixels=2000, max_side=50, min_side=40)
    assert decode(source, limits=just).shape == (40, 50, 3)
    refused(source, "50×40", "at most 1,999 pixels", limits=replace(just, max_pixels=1999))
    refused(source, "50×40", "at most 49 on each side", limits=replace(just, max_side=49))
    refused(source, "50×40", "at least 41 on each side", limits=replace(just, min_side=41))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
@pytest.mark.parametrize("size", [(19_000, 19_000), (9_000, 9_001), (60_000, 20)])
def test_bombs_are_refused_by_their_header(
    kind: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both above and below the number of pixels at which Pillow itself raises."""
    content = header_only(kind, *size)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("it was decoded"))
    refused(content, "make it smaller")


def test_a_large_image_within_the_limits_is_decoded_without_a_warning() -> None:
    large = encoded(Image.new("1", (8000, 9_999)), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(large).shape == (9999, 8000, 3)


def test_the_default_limit_is_below_pillow_s_warning() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert Limits().max_pixels < Image.MAX_IMAGE_PIXELS


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_animations_and_pages_are_refused(kind: str) -> None:
    other = Image.fromarray(255 - picture())
    refused(encoded(picture(), kind, save_all=True, append_images=[other]), "several pages", "save the one")


FOREIGN = {
    "text": b"ISIC_0024306, nevus\n" * 20,
    "pdf": b"%PDF-1.7\n" + bytes(200),
    "heic": b"\0\0\0\x18ftypheic" + bytes(200),
    "dicom": bytes(128) + b"DICM" + bytes(200),
    "gif": encoded(picture(), "GIF"),
    "icon": encoded(picture(), "ICO"),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "zip": b"PK\x03\x04" + bytes(200),
    "pickle": pickle.dumps(picture()),
    "zeros": bytes(500),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_foreign_content_is_refused_whatever_its_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "renamed.jpg"
    path.write_bytes(content)
    refused(path, "not a JPEG, PNG, WebP, BMP or TIFF image", "convert it")


def test_empty_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    for source in (path, b""):
        refused(source, "empty", "copy or export it again")


def test_folders_missing_files_and_impossible_paths_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, "folder", "name the image files")
    refused("", "folder")
    refused(tmp_path / "missing.jpg", "no such file", "check the path")
    file = tmp_path / "file.jpg"
    file.touch()
    for path in (file / "below.jpg", tmp_path / ("x" * 300), "null\0byte.jpg", "lone\ud800surrogate.jpg"):
        refused(path, "check the path")


def test_pipes_are_refused_without_waiting_for_them(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    refused(pipe, "not a regular file")


@pytest.mark.parametrize("method", ["stat", "open"])
def test_files_without_permission_are_refused(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated, for the tests may run as root, who may read everything."""
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(picture()))

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, method, deny)
    refused(path, "may not be read", "permission")


def test_errors_name_the_file_or_what_the_caller_says(tmp_path: Path) -> None:
    for source, name, expected in (
        (tmp_path / "gone.jpg", None, "gone.jpg"),
        (tmp_path / "gone.jpg", "upload 3", "upload 3"),
        (b"text", None, "image"),
        (b"text", "upload 3", "upload 3"),
        ("bad\udcff\ud800.jpg", None, "bad??.jpg"),
        ("/", None, "/"),
    ):
        with pytest.raises(ImageError) as caught:
            decode(source, name)
        assert caught.value.name == expected
        assert str(caught.value).startswith(f"{expected}: ")
        str(caught.value).encode()


# --- damage ----------------------------------------------------------------------------------------------

quietly = pytest.mark.filterwarnings("ignore::Warning:PIL")  # its remarks on damaged headers


@quietly
@pytest.mark.parametrize("kind", SOUND)
def test_damaged_files_decode_or_raise_image_error(kind: str) -> None:
    refusals = 0
    for seed in range(2):
        for content in damaged(SOUND[kind], seed):
            try:
                result = decode(content)
            except ImageError:
                refusals += 1
            else:
                assert result.dtype == np.uint8
                assert result.ndim == 3
                assert result.shape[2] == 3
    assert refusals > 40  # otherwise the files were hardly damaged


@quietly
@pytest.mark.parametrize("kind", SOUND)
def test_files_cut_in_half_are_refused(kind: str) -> None:
    with pytest.raises(ImageError, match="again"):
        decode(SOUND[kind][: len(SOUND[kind]) // 2])


@pytest.mark.parametrize(
    "error", [SyntaxError, struct.error, OSError, ValueError, KeyError, MemoryError, zlib.error, Warning]
)
def test_whatever_a_plugin_raises_becomes_an_image_error(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error("broken")

    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "load", fail)
    refused(encoded(picture(), "TIFF"), "damaged", "broken", "again")


# --- threads ---------------------------------------------------------------------------------------------


@quietly
def test_threads_do_not_disturb_each_other() -> None:
    """Good and bad ones mixed; each answer is that of a single thread."""
    contents = [*SOUND.values(), *(content[:60] for content in SOUND.values())] * 8

    def answer(content: bytes) -> bytes | str:
        try:
            return decode(content).tobytes()
        except ImageError as error:
            return str(error)

    before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(answer, contents)) == [answer(content) for content in contents]
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before
