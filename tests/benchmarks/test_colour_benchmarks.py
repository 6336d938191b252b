"""The colour benchmarks measure what they say, on images whose answer is known."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from transxv2s.imaging.colour import GWSD, GrayWorld

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def picture(seed: int = 0) -> NDArray[np.uint8]:
    """Noise far from black and white."""
    return np.random.default_rng(seed).integers(60, 200, (40, 50, 3), np.uint8)


@pytest.fixture
def constancy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return __import__("colour_constancy")


@pytest.fixture
def fidelity(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return __import__("colour_fidelity")


def test_the_identity_is_perfectly_faithful_and_a_shift_as_far_as_it_is(fidelity: ModuleType) -> None:
    identity = sys.modules["colour_methods"].Identity()
    assert fidelity.fidelity(picture(), identity) == (np.inf, pytest.approx(1))

    class Brighter:
        def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return image + np.uint8(10)

    psnr, ssim = fidelity.fidelity(picture(), Brighter())
    assert psnr == pytest.approx(20 * np.log10(255 / 10))
    assert 0.9 < ssim < 1


def test_the_identity_leaves_the_whole_light_and_constancy_none(constancy: ModuleType) -> None:
    images = [picture(seed) for seed in range(4)]
    identity = constancy.cast_response(images, sys.modules["colour_methods"].Identity(), 0)
    generator = np.random.default_rng(0)
    angles = []
    for _ in images:
        lights = [draw(generator) for draw in constancy.CASTS.values()]
        angles.append([constancy.degrees(light, np.ones(3)) for light in lights])
    expected = np.mean(angles, axis=0)
    assert identity["idempotence"] == 0
    assert identity["illuminant_degrees"] == pytest.approx(expected[0], abs=0.1)
    assert identity["gains_degrees"] == pytest.approx(expected[1], abs=0.1)
    constant = constancy.cast_response(images, GWSD(target_mean=128, target_std=30), 0)
    assert constant["gains_response"] < 0.05 < identity["gains_response"]
    assert constant["gains_degrees"] < 0.3
    gray = constancy.cast_response(images, GrayWorld(), 0)
    assert gray["gains_colour"] < 0.05 < gray["gains_response"]  # it does not undo the brightness


def test_spread_of_points_that_are_known(constancy: ModuleType) -> None:
    square = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    found = constancy.spread({"a": square, "b": square + np.array([6, 0])})
    assert found == pytest.approx({"total": 10**0.5, "between": 6, "between_within": 6})


@pytest.mark.parametrize("name", ["vignette", "dark corners", "highlights"])
def test_disturbances_do_what_they_say(constancy: ModuleType, name: str) -> None:
    flat = np.full((150, 200, 3), 150, np.uint8)
    changed = constancy.DISTURBANCES[name](flat, np.random.default_rng(0)).astype(int)
    corners = changed[[0, 0, -1, -1], [0, -1, 0, -1]]
    if name == "highlights":
        assert 0.01 < (changed > 200).all(2).mean() < 0.06
        assert changed.min() == 150
    else:
        assert (corners < 120).all()
        assert np.abs(changed[70:80, 95:105] - 150).max() <= 3


def test_the_rule_for_skin_leaves_lesion_and_dark_corners_out(constancy: ModuleType) -> None:
    y, x = np.mgrid[:84, :84]
    middle = np.hypot(y - 41.5, x - 41.5)
    image = np.where((middle < 34)[..., None], (90, 60, 40), (210, 160, 140))
    image = np.where((middle > 52)[..., None], 5, image).astype(np.uint8)
    mask = sys.modules["colour_skin"].skin_mask(image)
    assert mask.sum() > 300
    assert (image[mask] == (210, 160, 140)).all()
