"""Notes on pictures that cannot be trusted, and none on real ones."""

import string
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from transxv2s.imaging.pipeline import bounded
from transxv2s.imaging.quality import (
    MAX_HAIR,
    colour_cast,
    foreign_marks,
    hair_share,
    quality_notes,
    sharpness,
)

from .conftest import Ham

Rgb = NDArray[np.uint8]

DIGITS = str.maketrans("", "", string.digits)


def lesion(height: int = 150, width: int = 200) -> Rgb:
    """A brown disc on skin, with grain."""
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2) < min(height, width) / 4
    grain = np.random.default_rng(0).normal(0, 10, (height, width, 1))
    picture = np.where(disc[..., None], (110, 70, 50), (210, 160, 140)) + grain
    return picture.clip(0, 255).astype(np.uint8)


def scaled(image: Rgb, *gains: float) -> Rgb:
    return np.asarray((image * np.array(gains)).clip(0, 255), np.uint8)


def hairy(image: Rgb, hairs: int) -> Rgb:
    """Dark lines a hundredth of the short side wide, crossing the image at all angles."""
    result, side = image.copy(), min(image.shape[:2])
    middle = np.array(image.shape[1::-1]) / 2
    for turn in np.arange(hairs) * np.pi * 0.381966:
        along = np.array([np.cos(turn), np.sin(turn)])
        start = middle + np.array([-along[1], along[0]]) * side * 0.3 * np.cos(7 * turn)
        first, last = (tuple(np.rint(start + sign * side * along).astype(int).tolist()) for sign in (-1, 1))
        cv2.line(result, first, last, (35, 28, 25), max(1, round(0.01 * side)), cv2.LINE_AA)
    return result


def blurred(image: Rgb) -> Rgb:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.04 * min(image.shape[:2])), np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (84, 84), (150, 200), (900, 600)])
def test_a_good_picture_gets_no_note(size: tuple[int, int]) -> None:
    assert quality_notes(lesion(*size)) == []


@pytest.mark.parametrize("size", [(40, 50), (63, 300), (300, 16)])
def test_a_small_picture_is_told_with_its_size(size: tuple[int, int]) -> None:
    assert f"the image is only {size[1]}×{size[0]} pixels" in quality_notes(lesion(*size))


def test_one_fault_gives_one_note() -> None:
    faulty = {
        "very dark": (lesion() * 0.15).astype(np.uint8),
        "overexposed": np.clip(lesion() * 1.0 + 115, 0, 255).astype(np.uint8),
        "very blurred": blurred(lesion()),
        "nearly uniform": (lesion() * 0.02 + 120).astype(np.uint8),
    }
    for words, picture in faulty.items():
        (note,) = quality_notes(picture)
        assert words in note


@pytest.mark.parametrize("level", [0, 128, 255])
def test_one_colour_is_uniform_at_any_size(level: int) -> None:
    for size in ((1, 1), (200, 300)):
        notes = quality_notes(np.full((*size, 3), level, np.uint8))
        assert any("uniform" in note for note in notes)
        assert any("dark" in note for note in notes) == (level == 0)
        assert any("overexposed: 100% of it is white" in note for note in notes) == (level == 255)


def test_real_images_get_no_note_until_they_are_blurred(ham: Ham) -> None:
    """Every hundredth by darkness of the corners, so that vignettes are among them; 1 % may get each note."""
    images = [ham.image(name) for name in ham.by_probability_of("dark_corner")[::-100]]
    kinds = Counter(note.translate(DIGITS) for image in images for note in quality_notes(image))
    assert all(count <= 1 for count in kinds.values()), kinds
    noted = sum("the image is very blurred" in quality_notes(blurred(image)) for image in images)
    assert noted > 0.9 * len(images)


@pytest.mark.parametrize("angle", [0, 30, 90, 135])
def test_a_picture_that_moved_is_blurred_in_whatever_direction(angle: float) -> None:
    """A trail over a tenth of the side; across it everything stays as sharp as it was."""
    length, half = 41, 20
    trail = np.zeros((length, length), np.float32)
    x, y = (round(half * f(np.deg2rad(angle))) for f in (np.cos, np.sin))
    cv2.line(trail, (half - x, half - y), (half + x, half + y), 1.0)
    moved = cv2.filter2D(lesion(400, 400), -1, trail / trail.sum(), borderType=cv2.BORDER_REFLECT)
    assert any("very blurred" in note for note in quality_notes(np.asarray(moved, np.uint8)))


def test_sharpness_is_that_of_the_direction_in_which_there_is_least() -> None:
    """Of waves along x, nothing changes along y; of waves along both, half as much at 45° as along either."""
    wave = np.round(100 + 50 * np.cos(np.arange(129) * 2 * np.pi / 16))  # a crest at either end
    across = np.tile(wave, (129, 1)).astype(np.uint8)
    assert sharpness(across) == pytest.approx(0, abs=1e-6)
    both = np.round((wave[None] + wave[:, None]) / 2).astype(np.uint8)
    second = 4 * np.sin(np.pi / 16) ** 2 * 25  # of a sampled cosine of amplitude 25, by differences
    assert sharpness(both) == pytest.approx(second**2 / 2 / 2, rel=0.1)


def test_a_dim_picture_without_contrast_is_told() -> None:
    dim = (60 + 0.25 * (lesion().astype(float) - 160)).clip(0, 255).astype(np.uint8)
    assert quality_notes(dim) == ["the image is underexposed and has little contrast"]


def test_noise_is_told_before_it_hides_the_lesion() -> None:
    """σ = 30 grey levels in each channel; the same grain in all three is the skin's."""
    noise = np.random.default_rng(1).normal(0, 30, (128, 128, 3))
    grain = noise[..., :1] / 2
    for added, noisy in ((noise, True), (grain, False)):
        notes = quality_notes((lesion(128, 128) + added).clip(0, 255).astype(np.uint8))
        assert ("the image is very noisy" in notes) == noisy


@pytest.mark.parametrize(
    ("gains", "cast"),
    [((1, 1, 1), False), ((0.9, 1, 1), False), ((0.5, 1, 1), True), ((1, 1, 0.3), True), ((1, 0.5, 1), True)],
)
def test_a_strong_cast_is_told_and_a_weak_one_not(gains: tuple[float, ...], cast: bool) -> None:
    notes = quality_notes(scaled(lesion(), *gains))
    assert bool(notes) == cast
    assert all("colour cast" in note or "green" in note for note in notes)


def test_casts_are_further_off_the_stronger_they_are() -> None:
    distances = [colour_cast(scaled(lesion(), 1, 1, gain)) for gain in (1, 0.7, 0.5, 0.3)]
    assert distances == sorted(distances)


def test_what_is_no_skin_is_told_with_the_reason() -> None:
    squares = np.kron(np.indices((9, 9)).sum(0) % 2, np.ones((30, 30)))
    foreign = {
        "no colours": np.repeat(lesion()[..., :1], 3, axis=2),
        "green": lesion()[..., [1, 0, 2]],
        "sharp edges": np.where(squares[..., None] > 0, lesion(270, 270), 20).astype(np.uint8),
        "one flat colour": np.where(lesion(600, 600)[..., :1] > 150, (220, 170, 150), (110, 70, 60)),
    }
    for words, picture in foreign.items():
        (note,) = quality_notes(picture.astype(np.uint8))
        assert note.startswith("this does not look like a dermoscopic image: ")
        assert words in note
    assert foreign_marks(lesion(128, 128)) == []


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_lesion_cut_off_at_one_side_is_told(side: str) -> None:
    picture = lesion(300, 400)
    cut = {
        "left": picture[:, 230:],
        "right": picture[:, :170],
        "top": picture[180:],
        "bottom": picture[:120],
    }[side]
    assert quality_notes(cut) == ["the lesion lies at the edge of the image, which cuts it off"]


def test_a_lesion_that_fills_the_frame_is_told() -> None:
    """Skin is left in the corners only."""
    assert quality_notes(scaled(lesion(300, 300), 1.4, 1.4, 1.4)[90:210, 90:210]) == [
        "the lesion fills the image and goes beyond it"
    ]


def test_hair_over_the_lesion_is_told_where_there_is_much() -> None:
    bare, few, many = (hairy(lesion(300, 400), hairs) for hairs in (0, 2, 12))
    assert hair_share(bare) == 0
    assert 0 < hair_share(few) < hair_share(many)
    assert quality_notes(few) == []
    (note,) = quality_notes(many)
    assert note == f"hair covers {hair_share(many):.0%} of the middle of the image"


def test_samples_get_no_note() -> None:
    for path in (Path(__file__).parents[2] / "samples").glob("*.jpg"):
        assert quality_notes(np.asarray(Image.open(path).convert("RGB"), np.uint8)) == [], path.name


def test_real_lesions_cut_off_are_told_far_more_often_than_whole_ones(ham: Ham) -> None:
    """The frame is moved until the lesion's middle lies on its left edge."""
    noted = {"whole": 0, "cut": 0}
    for name in ham.by_probability_of("dark_corner")[::-300]:
        image, mask = ham.image(name), ham.lesion(name)
        left = int(np.median(np.nonzero(mask)[1]))
        noted["whole"] += any("the lesion " in note for note in quality_notes(image))
        noted["cut"] += any("the lesion " in note for note in quality_notes(image[:, left:]))
    assert noted["whole"] <= 1
    assert noted["cut"] >= 8


def test_hairy_images_are_told_as_if_hair_were_looked_for_in_all(ham: Ham) -> None:
    """A quick look comes first; no image that is full of hair may be lost by it."""
    told = 0
    for number, name in enumerate(ham.by_probability_of("hair")[:-400:-10]):
        image = hairy(ham.image(name), number % 13)
        share, notes = hair_share(image), quality_notes(image)
        note = f"hair covers {share:.0%} of the middle of the image"
        assert (note in notes) == (share > MAX_HAIR), name
        told += note in notes
    assert 5 <= told <= 30


def test_what_was_shrunk_already_is_not_shrunk_again() -> None:
    for hairs in (0, 12):
        image = hairy(lesion(600, 800), hairs)
        assert quality_notes(image, bounded(image)) == quality_notes(image)
