"""Corruptions grow with severity, can be repeated, and do the same to an image at every size."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray
from PIL import Image

from transxv2s.errors import InputError
from transxv2s.imaging.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from transxv2s.imaging.corruptions.blur import defocus, disc, motion, trail
from transxv2s.imaging.corruptions.digital import jpeg
from transxv2s.imaging.corruptions.noise import gaussian, impulse, shot, speckle
from transxv2s.imaging.corruptions.overlays import black_corner
from transxv2s.imaging.corruptions.scale import REFERENCE_SIDE

Rgb = NDArray[np.uint8]

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.jpg"))
NOISES = ("gaussian_noise", "speckle_noise", "impulse_noise", "shot_noise")
SMOOTH = 1  # number of a sample with little detail
GENERATOR = default_rng(0)


def sample(number: int = 6) -> Rgb:
    return np.asarray(Image.open(SAMPLES[number]).convert("RGB"), np.uint8)


def shrunk(rgb: Rgb, height: int, width: int) -> Rgb:
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def distance(first: Rgb, second: Rgb) -> float:
    return float(np.sqrt(((first.astype(float) - second) ** 2).mean()))


def grey(level: int, side: int = REFERENCE_SIDE) -> Rgb:
    return np.full((side, side, 3), level, np.uint8)


def test_there_are_the_fifteen_of_medmnist_c() -> None:
    assert len(CORRUPTIONS) == 15
    assert all(len(corruption.parameters) == len(SEVERITIES) for corruption in CORRUPTIONS.values())


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("number", [0, 4])
def test_severities_lead_away_from_the_original(name: str, number: int) -> None:
    original = sample(number)
    before = original.copy()
    distances = [distance(corrupt(original, name, severity), original) for severity in SEVERITIES]
    assert distances[0] > 0
    assert distances == sorted(distances)
    assert distances[-1] > 1.1 * distances[0]
    assert (original == before).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_seed_decides(name: str) -> None:
    image = sample()
    first = corrupt(image, name, 3, seed=7)
    assert (first == corrupt(image, name, 3, seed=7)).all()
    drawn = name in {*NOISES, "motion_blur", "characters"}
    assert bool((first != corrupt(image, name, 3, seed=8)).any()) == drawn


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != "shot_noise"])
@pytest.mark.parametrize("severity", [1, 5])
def test_corrupting_and_shrinking_change_places(name: str, severity: int) -> None:
    """From 600×450, to 84 pixels; photon counts are drawn anew for every brightness, see below."""
    large = np.asarray(cv2.resize(sample(SMOOTH), (600, 450), interpolation=cv2.INTER_CUBIC), np.uint8)
    small = shrunk(large, 84, 112)
    late = shrunk(corrupt(large, name, severity), 84, 112)
    early = corrupt(small, name, severity)
    # what is left is detail, of which a small image has none: little of it in this picture
    assert distance(late, early) < max(2.5, 0.25 * distance(late, small))


@pytest.mark.parametrize("name", [*NOISES, "jpeg_compression"])
def test_what_is_fine_does_the_same_at_any_size(name: str) -> None:
    """How far an image of 84 pixels is moved does not depend on the size at which it was corrupted."""
    large = np.asarray(cv2.resize(sample(), (800, 600), interpolation=cv2.INTER_CUBIC), np.uint8)
    small = shrunk(large, 84, 112)
    moved = [
        distance(shrunk(corrupt(shrunk(large, side, side * 4 // 3), name, 4), 84, 112), small)
        for side in (84, 150, 600)
    ]
    assert max(moved) < 1.25 * min(moved)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (84, 84)])
@pytest.mark.parametrize("level", [0, 255])
def test_any_image_is_taken(name: str, shape: tuple[int, int], level: int) -> None:
    image = np.full((*shape, 3), level, np.uint8)
    result = corrupt(image, name, 5)
    assert result.shape == image.shape
    assert result.dtype == np.uint8


def test_a_flat_image_stays_flat_but_for_noise_writing_and_corners() -> None:
    image = grey(100)
    for name in set(CORRUPTIONS) - {*NOISES, "characters", "black_corner"}:
        assert np.ptp(corrupt(image, name, 5)) <= 1, name


@pytest.mark.parametrize(("name", "severity"), [("fog", 1), ("pixelate", 0), ("pixelate", 6)])
def test_what_is_not_there_is_told(name: str, severity: int) -> None:
    with pytest.raises(InputError, match=r"take 1|there are"):
        corrupt(grey(0), name, severity)


def test_noises_have_the_moments_of_their_laws() -> None:
    """Mean and deviation on flat grey, far from clipping."""
    level, size = 120, 3 * REFERENCE_SIDE**2
    expected = {
        "gaussian": (gaussian(grey(level), GENERATOR, 0.08), 255 * 0.08),
        "speckle": (speckle(grey(level), GENERATOR, 0.2), level * 0.2),
        "shot": (shot(grey(level), GENERATOR, 60), 255 * np.sqrt(level / 255 / 60)),
    }
    for name, (noisy, deviation) in expected.items():
        assert noisy.mean() == pytest.approx(level, abs=5 * deviation / np.sqrt(size) + 0.05), name
        assert noisy.std() == pytest.approx(deviation, rel=0.02), name


def test_impulses_hit_their_share_half_of_them_white() -> None:
    hit = impulse(grey(120), GENERATOR, 0.1)
    assert (hit != 120).mean() == pytest.approx(0.1, abs=0.005)
    assert (hit == 255).mean() == pytest.approx(0.05, abs=0.004)
    assert set(np.unique(hit)) == {0, 120, 255}


@pytest.mark.parametrize("radius", [1.5, 4, 8.4])
def test_a_disc_covers_its_area(radius: float) -> None:
    kernel = disc(radius)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.06)
    assert (kernel == kernel.T).all()


def test_a_disc_within_one_pixel_changes_nothing() -> None:
    image = sample()[:9, :9]
    assert (defocus(image, GENERATOR, 0.4 * REFERENCE_SIDE / 9) == image).all()


def test_a_trail_is_as_long_and_as_slanted_as_asked() -> None:
    kernel = trail(np.array([0.0, 3.0]), np.array([0.0, -1.5]), np.array([3.0, 1.0]))
    middle = len(kernel) // 2
    assert kernel[middle, middle] == pytest.approx(0.75)
    assert kernel[middle - 1, middle + 3] == kernel[middle - 2, middle + 3] == pytest.approx(0.125)


def test_motion_smears_along_one_line_only() -> None:
    image = grey(0)
    image[112, 112] = 255
    rows, columns = np.nonzero(motion(image, default_rng(1), 10, 5)[..., 0])
    directions = np.linalg.eigvalsh(np.cov(rows, columns))
    assert directions[1] > 20 * directions[0]


def test_jpeg_at_the_reference_is_jpeg() -> None:
    """224×299 needs no resizing; OpenCV writes and reads the same blocks."""
    image = shrunk(sample(), REFERENCE_SIDE, 299)
    file = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    theirs = cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)
    assert theirs is not None
    assert distance(jpeg(image, GENERATOR, 20), np.asarray(theirs, np.uint8)) < 1


@pytest.mark.parametrize("shape", [(300, 300), (150, 200), (90, 400)])
def test_corners_take_the_same_share_of_every_shape(shape: tuple[int, int]) -> None:
    black = black_corner(np.full((*shape, 3), 200, np.uint8), GENERATOR, 0.9) == 0
    assert black.mean() == pytest.approx(1 - np.pi * 0.9**2 / 4, abs=0.01)
