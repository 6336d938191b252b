"""Hair removal on drawn hair, rulers, networks and dots, and on real images with and without hair."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from transxv2s.imaging.hair import HALO, HairRemoval, hair_is_visible, hair_mask, remove_hair
from transxv2s.imaging.hair.filling import disc, filled

from .conftest import Ham

PARAMETERS = HairRemoval()
DARK, BROWN, LIGHT = (40, 30, 25), (90, 60, 45), (240, 238, 230)
SIZES = [(150, 200), (256, 341), (450, 600), (768, 1024)]

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Colour = tuple[int, int, int]
Stroke = tuple[tuple[float, float], tuple[float, float]]  # from x, y to x, y in shares of the sides

HAIRS: tuple[Stroke, ...] = (((0, 0.2), (1, 0.33)), ((0.25, 1), (0.5, 0)), ((0.05, 0.5), (0.9, 0.95)))


def skin(height: int = 240, width: int = 320, seed: int = 0) -> Rgb:
    """Smooth skin, brighter on one side, with a soft brown lesion in the middle."""
    y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    lesion = 1 / (1 + np.exp(40 * (np.hypot(y - 0.5, x - 0.5) - 0.2)))
    shade = (190 + 40 * x)[..., None] * (1, 0.8, 0.7)
    grain = np.random.default_rng(seed).normal(0, 2, (height, width, 3))
    return np.asarray((shade * (1 - 0.5 * lesion[..., None]) + grain).clip(0, 255), np.uint8)


def over(image: Rgb, canvas: NDArray[np.uint8], colour: Colour, opacity: float = 1) -> tuple[Rgb, Mask]:
    """A colour laid over the image where the canvas, drawn at four times the size, is 255; where that is."""
    cover = np.asarray(cv2.resize(canvas, image.shape[1::-1], interpolation=cv2.INTER_AREA))[..., None] / 255
    mixed = image * (1 - opacity * cover) + opacity * cover * colour
    return mixed.astype(np.uint8), cover[..., 0] > 0.5


def canvas_of(image: Rgb) -> NDArray[np.uint8]:
    return np.zeros((image.shape[0] * 4, image.shape[1] * 4), np.uint8)


def drawn(
    image: Rgb, width: float, colour: Colour = DARK, strokes: tuple[Stroke, ...] = HAIRS
) -> tuple[Rgb, Mask]:
    """Smooth-edged strokes and one bent hair; width as a share of the short side."""
    canvas = canvas_of(image)
    height, length = canvas.shape
    thickness = max(1, round(width * min(height, length)))
    for first, second in strokes:
        ends = [(round(x * length), round(y * height)) for x, y in (first, second)]
        cv2.line(canvas, ends[0], ends[1], 255, thickness)
    if strokes is HAIRS:
        cv2.ellipse(canvas, (length, height), (length // 2, height // 2), 0, 180, 270, 255, thickness)
    return over(image, canvas, colour)


def ruler(image: Rgb, top: float = 0.05) -> tuple[Rgb, Mask]:
    """A row of short marks that begin at a share of the height, every fifth longer."""
    strokes = tuple(
        ((0.1 + 0.04 * n, top), (0.1 + 0.04 * n, top + (0.09 if n % 5 == 0 else 0.05))) for n in range(15)
    )
    return drawn(image, 0.008, DARK, strokes)


def network(image: Rgb, cell: float, width: float) -> Rgb:
    """A honeycomb of brown lines, as a reticular lesion has."""
    canvas, side = canvas_of(image), cell * min(image.shape[:2]) * 4
    for row in range(int(canvas.shape[0] / side / 1.5) + 2):
        for column in range(int(canvas.shape[1] / side / np.sqrt(3)) + 2):
            centre = np.array([column + row % 2 / 2, row * np.sqrt(0.75)]) * np.sqrt(3) * side
            turns = np.arange(6) * np.pi / 3
            corners = centre + side * np.stack([np.sin(turns), np.cos(turns)], axis=1)
            thickness = max(1, round(width * min(canvas.shape)))
            cv2.polylines(canvas, [corners.round().astype(np.int32)], True, 255, thickness)
    middle = tuple(side // 2 for side in canvas.shape[::-1])
    field = cv2.circle(np.zeros_like(canvas), middle, min(canvas.shape) // 3, 255, cv2.FILLED)
    return over(image, np.minimum(canvas, field), (110, 60, 40), 0.6)[0]


def dice(found: Mask, truth: Mask) -> float:
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def disagreement(first: Rgb, second: Rgb, where: Mask) -> float:
    return float(np.abs(first.astype(int) - second)[where].mean())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("width", "colour"),
    [(0.007, DARK), (0.012, BROWN), (0.018, DARK), (0.01, LIGHT), (0.018, LIGHT)],
    ids=["thin dark", "brown", "thick dark", "light", "thick light"],
)
def test_crossing_hairs_are_found_and_painted_over(
    size: tuple[int, int], width: float, colour: Colour
) -> None:
    clean = skin(*size)
    hairy, mask = drawn(clean, width, colour)
    assert dice(hair_mask(hairy, PARAMETERS), mask) > 0.8
    repaired = remove_hair(hairy, PARAMETERS)
    assert disagreement(repaired, clean, mask) < 0.15 * disagreement(hairy, clean, mask)


@pytest.mark.parametrize("size", SIZES[1:])
def test_ruler_marks_are_found_and_painted_over(size: tuple[int, int]) -> None:
    clean = skin(*size)
    ruled, mask = ruler(clean)
    assert dice(hair_mask(ruled, PARAMETERS), mask) > 0.8
    repaired = remove_hair(ruled, PARAMETERS)
    assert disagreement(repaired, clean, mask) < 0.2 * disagreement(ruled, clean, mask)


@pytest.mark.parametrize("top", [-0.02, 0.45], ids=["cut by the border", "across the lesion"])
def test_no_mark_of_a_ruler_is_left(top: float) -> None:
    clean = skin(450, 600)
    ruled, mask = ruler(clean, top)
    assert (hair_mask(ruled, PARAMETERS) & mask).sum() > 0.9 * mask.sum()
    repaired = remove_hair(ruled, PARAMETERS)
    assert disagreement(repaired, clean, mask) < 0.15 * disagreement(ruled, clean, mask)


def test_a_stub_is_hair_only_where_there_is_other_hair() -> None:
    stub: Stroke = ((0.8, 0.7), (0.83, 0.74))
    clean = skin(450, 600)
    alone, mask = drawn(clean, 0.01, DARK, (stub,))
    assert remove_hair(alone, PARAMETERS) is alone
    together, _ = drawn(clean, 0.01, DARK, (stub, *HAIRS[1:2]))
    assert (hair_mask(together, PARAMETERS) & mask).sum() > 0.7 * mask.sum()


def test_short_hairs_bear_witness_for_each_other() -> None:
    clean = skin(450, 600)
    short: tuple[Stroke, ...] = tuple(((0.1, y), (0.155, y + 0.02)) for y in (0.1, 0.3, 0.5, 0.7, 0.9))
    alone, _ = drawn(clean, 0.008, BROWN, short[:1])
    assert remove_hair(alone, PARAMETERS) is alone
    image, mask = drawn(clean, 0.008, BROWN, short)
    assert (hair_mask(image, PARAMETERS) & mask).sum() > 0.8 * mask.sum()


def test_a_slanted_hair_is_found_up_to_the_border() -> None:
    image, mask = drawn(skin(450, 600), 0.012, DARK, (((0, 0.02), (0.6, 0.16)),))
    edge = mask.copy()
    edge[:, 20:] = False
    assert (hair_mask(image, PARAMETERS) & edge).sum() > 0.8 * edge.sum()


def test_single_marks_are_no_ruler() -> None:
    strokes: tuple[Stroke, ...] = (((0.2, 0.1), (0.2, 0.14)), ((0.5, 0.8), (0.53, 0.82)))
    image, _ = drawn(skin(450, 600), 0.008, DARK, strokes)
    assert remove_hair(image, PARAMETERS) is image


@pytest.mark.parametrize("size", SIZES)
def test_without_hair_the_same_object_comes_back(size: tuple[int, int]) -> None:
    image = skin(*size)
    assert not hair_mask(image, PARAMETERS).any()
    assert remove_hair(image, PARAMETERS) is image


@pytest.mark.parametrize("cell", [0.02, 0.03, 0.04])
@pytest.mark.parametrize("size", SIZES[:3])
def test_pigment_networks_survive(size: tuple[int, int], cell: float) -> None:
    image = network(skin(*size), cell, 0.008)
    assert remove_hair(image, PARAMETERS) is image


@pytest.mark.parametrize("radius", [0.008, 0.012, 0.02])
def test_dots_survive(radius: float) -> None:
    """Globules and dotted vessels are as dark and as wide as hair, but do not go on."""
    image = skin()
    for y in range(20, 240, 20):
        for x in range(20, 320, 20):
            cv2.circle(image, (x, y), max(1, round(radius * 240)), DARK, cv2.FILLED)
    assert remove_hair(image, PARAMETERS) is image


@pytest.mark.parametrize("thickness", [1, 2, 3])
def test_a_frame_around_the_image_is_no_hair(thickness: int) -> None:
    image = skin()
    cv2.rectangle(image, (0, 0), (319, 239), (30, 30, 30), 2 * thickness - 1)
    assert remove_hair(image, PARAMETERS) is image


@pytest.mark.parametrize("size", [(150, 200), (256, 341), (768, 1024)])
def test_a_faint_line_just_inside_the_border_is_no_hair(size: tuple[int, int]) -> None:
    image, inset = skin(*size), max(1, round(size[0] / 192))
    corners = (inset, inset), (size[1] - 1 - inset, size[0] - 1 - inset)
    cv2.rectangle(image, *corners, (180, 145, 125), inset)
    assert remove_hair(image, PARAMETERS) is image


def test_hair_over_a_network_is_found_without_the_network() -> None:
    clean = network(skin(450, 600), 0.03, 0.008)
    hairy, mask = drawn(clean, 0.012)
    found = hair_mask(hairy, PARAMETERS)
    assert (found & mask).sum() > 0.7 * mask.sum()
    assert (found & mask).sum() > 2 / 3 * found.sum()


@given(seed=st.integers(0, 1000), light=st.booleans(), width=st.floats(0.006, 0.018))
@settings(max_examples=15, deadline=None)
def test_only_the_mask_and_its_edge_change(seed: int, light: bool, width: float) -> None:
    rng = np.random.default_rng(seed)
    strokes = tuple(
        ((rng.random(), rng.random()), (rng.random(), rng.random())) for _ in range(rng.integers(1, 20))
    )
    hairy, _ = drawn(skin(200, 260, seed), width, LIGHT if light else DARK, strokes)
    before = hairy.copy()
    mask = hair_mask(hairy, PARAMETERS)
    wide = cv2.dilate(mask.astype(np.uint8), disc(HALO * 200)) > 0
    repaired = remove_hair(hairy, PARAMETERS)
    np.testing.assert_array_equal(repaired[~wide], hairy[~wide])
    np.testing.assert_array_equal(hairy, before)
    assert (repaired is hairy) == (not mask.any())


def test_hairs_keep_their_share_of_the_image_at_every_size() -> None:
    shares = [hair_mask(drawn(skin(*size), 0.012)[0], PARAMETERS).mean() for size in SIZES]
    assert max(shares) < 1.25 * min(shares)


def test_small_images_are_left_alone_and_say_so() -> None:
    hairy, _ = drawn(skin(149, 300), 0.02)
    assert not hair_is_visible(hairy, PARAMETERS)
    assert not hair_mask(hairy, PARAMETERS).any()
    assert remove_hair(hairy, PARAMETERS) is hairy
    smaller = HairRemoval(min_side=149)
    assert hair_is_visible(hairy, smaller)
    assert remove_hair(hairy, smaller) is not hairy


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (7, 3), (150, 150), (150, 2000)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_images_of_any_shape_come_back(shape: tuple[int, int], level: int) -> None:
    image = np.full((*shape, 3), level, np.uint8)
    assert remove_hair(image, HairRemoval(min_side=1)) is image


def test_filling_continues_a_gradient_and_keeps_what_is_known() -> None:
    y, x = np.mgrid[:60, :80]
    image = np.stack([x, 2 * y, x + y], axis=2).astype(np.uint8)
    hole = (np.abs(x - 40) < 3) | (np.abs(y - 30) < 2)
    result = filled(np.where(hole[..., None], np.uint8(255), image), hole)
    np.testing.assert_array_equal(result[~hole], image[~hole])
    assert np.abs(result - image)[hole].mean() < 2


def test_filling_ignores_what_the_hole_holds() -> None:
    image, hole = skin(50, 70), np.zeros((50, 70), np.bool_)
    hole[10:20, 5:60] = True
    other = np.where(hole[..., None], np.uint8(7), image)
    np.testing.assert_array_equal(filled(image, hole), filled(other, hole))


def test_filling_without_anything_known_stays_finite() -> None:
    assert not filled(skin(20, 30), np.ones((20, 30), np.bool_)).any()


def test_real_images_without_hair_come_back_as_they_are(ham: Ham) -> None:
    images = [ham.image(name) for name in ham.by_probability_of("hair")[:600:10]]
    assert sum(remove_hair(image, PARAMETERS) is image for image in images) >= 0.95 * len(images)


def test_hair_is_found_on_most_hairy_real_images(ham: Ham) -> None:
    images = [ham.image(name) for name in ham.by_probability_of("hair")[-40:]]
    assert sum(hair_mask(image, PARAMETERS).any() for image in images) >= 0.8 * len(images)
