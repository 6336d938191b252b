"""From RGB of any size to the square, and the parameters that go into the checkpoint."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from pydantic import ValidationError

from transxv2s.imaging.colour import CLAHE, GWSD, METHODS, GrayWorld, MaxRGB, ShadesOfGray, Wiener
from transxv2s.imaging.hair import HairRemoval
from transxv2s.imaging.pipeline import (
    ARTICLE,
    LARGEST_SHORT_SIDE,
    Preprocessing,
    bounded,
    resize,
    to_tensor,
)

Rgb = NDArray[np.uint8]

PLAIN = Preprocessing(hair_removal=None, field_of_view=False, colour=None)
OTHERS: dict[str, dict[str, Any]] = {
    "hair removal": {"hair_removal": HairRemoval()},
    **{
        f"hair {field}": {"hair_removal": HairRemoval.model_validate({field: value})}
        for field, value in {
            "min_side": 50,
            "max_width": 0.05,
            "contrast": 20,
            "straight": 0.2,
            "min_length": 0.3,
        }.items()
    },
    "no field of view": {"field_of_view": False},
    "crop fraction": {"crop_fraction": 0.9},
    "colour": {"colour": GWSD()},
    "own mean": {"colour": GWSD(target_mean=None)},
    "own deviation": {"colour": GWSD(target_std=None)},
    "mean": {"colour": GWSD(target_mean=140)},
    "deviation": {"colour": GWSD(target_std=40)},
    "gain": {"colour": GWSD(max_gain=5)},
    "robust": {"colour": GWSD(robust=True)},
    "method": {"colour": GrayWorld()},
    "size": {"size": 96},
}
PEERS = {
    f"peer {method.method} {method.model_dump(exclude={'method'})}": {"colour": method}
    for method in (
        GrayWorld(max_gain=2),
        ShadesOfGray(),
        ShadesOfGray(p=3),
        MaxRGB(),
        CLAHE(),
        CLAHE(clip_limit=3),
        CLAHE(tiles=4),
        Wiener(),
        Wiener(radius=1),
    )
}


def noise(height: int, width: int) -> Rgb:
    """Coarse noise, cheap at any size."""
    tile = np.random.default_rng(0).integers(60, 220, (16, 16, 3), np.uint8)
    return np.tile(tile, (-(-height // 16), -(-width // 16), 1))[:height, :width]


@pytest.mark.parametrize(
    "size",
    [(1, 1), (1, 500), (16, 3000), (3000, 16), (63, 65), (84, 84), (150, 200), (512, 511), (4000, 6000)],
)
def test_every_size_becomes_the_square(size: tuple[int, int]) -> None:
    for preprocessing in (ARTICLE, Preprocessing(crop_fraction=0.5, size=96)):
        square = preprocessing.apply(noise(*size))
        assert square.shape == (preprocessing.size, preprocessing.size, 3)
        assert square.dtype == np.uint8


def test_the_given_image_is_not_changed() -> None:
    image = noise(150, 200)
    before = image.copy()
    ARTICLE.apply(image)
    np.testing.assert_array_equal(image, before)


def test_shrinking_averages_areas() -> None:
    image = noise(40, 60)
    averages = image.reshape(10, 4, 15, 4, 3).mean((1, 3))
    assert np.abs(resize(image, 10, 15) - averages).max() <= 0.5
    assert PLAIN.apply(np.full((300, 200, 3), 77, np.uint8)).tolist() == [[[77] * 3] * 128] * 128


def test_enlarging_is_bicubic_and_keeps_the_same_size_as_it_is() -> None:
    image = noise(128, 128)
    np.testing.assert_array_equal(resize(image, 128, 128), image)
    step = np.repeat(np.array([[0], [0], [200], [200]], np.uint8), 4, axis=1)
    enlarged = resize(np.stack([step] * 3, axis=-1), 16, 16)[:, 0, 0]
    assert enlarged.max() > 200  # bicubic overshoots at an edge, linear does not


def test_large_images_are_shrunk_first_and_small_ones_are_not() -> None:
    assert bounded(noise(1024, 1536)).shape == (LARGEST_SHORT_SIDE, LARGEST_SHORT_SIDE * 3 // 2, 3)
    small = noise(LARGEST_SHORT_SIDE, 4000)
    assert bounded(small) is small


def test_the_steps_do_what_they_say() -> None:
    """A red frame goes with the crop; colours reach the targets."""
    framed = noise(200, 200)
    framed[:20] = framed[-20:] = framed[:, :20] = framed[:, -20:] = (255, 0, 0)
    cropped = PLAIN.model_copy(update={"crop_fraction": 0.75}).apply(framed)
    assert not ((cropped[..., 0] > 230) & (cropped[..., 1] < 30)).any()
    coloured = PLAIN.model_copy(update={"colour": GWSD(target_mean=120, target_std=30)}).apply(
        noise(128, 128)
    )
    np.testing.assert_allclose(coloured.mean((0, 1)), 120, atol=0.5)
    np.testing.assert_allclose(coloured.std((0, 1)), 30, atol=0.5)


def test_the_digest_tells_all_parameters_and_versions_apart() -> None:
    changes = OTHERS | PEERS
    digests = {name: Preprocessing(**change).digest() for name, change in changes.items()}
    digests["default"] = Preprocessing().digest()
    digests["other version"] = Preprocessing().model_copy(update={"version": 1}).digest()
    assert len(set(digests.values())) == len(changes) + 2, digests


def test_every_parameter_is_among_those_told_apart() -> None:
    def names(*models: type[Any]) -> int:
        return sum(len(model.model_fields) for model in models)

    versions, targets_that_may_be_none = 1, 2
    assert len(OTHERS) == names(Preprocessing, HairRemoval, GWSD) - versions + targets_that_may_be_none


@pytest.mark.parametrize("change", [*OTHERS.values(), *PEERS.values()], ids=[*OTHERS, *PEERS])
def test_json_and_back(change: dict[str, Any]) -> None:
    preprocessing = Preprocessing(**change)
    read = Preprocessing.model_validate_json(preprocessing.model_dump_json())
    assert read == preprocessing
    assert read.digest() == preprocessing.digest()


def test_a_colour_without_a_method_is_gwsd_as_in_the_first_configurations() -> None:
    read = Preprocessing.model_validate({"colour": {"target_mean": 163.7, "target_std": 47.5}})
    assert read == Preprocessing(colour=GWSD(target_mean=163.7, target_std=47.5))
    assert Preprocessing.model_validate({"colour": {}}).colour == GWSD()


def test_no_colour_stays_no_colour_and_leaves_pixels_as_they_are() -> None:
    """As in the first checkpoint, which says null."""
    read = Preprocessing.model_validate_json(PLAIN.model_dump_json())
    assert read.colour is None
    assert PLAIN.model_dump(mode="json")["colour"] is None
    image = noise(150, 200)
    np.testing.assert_array_equal(read.apply(image), resize(image, 128, 128))


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_chosen_by_its_key_and_changes_the_colours(name: str) -> None:
    chosen = Preprocessing.model_validate({**PLAIN.model_dump(), "colour": {"method": name}})
    assert type(chosen.colour) is METHODS[name]
    assert (chosen.apply(noise(150, 200)) != PLAIN.apply(noise(150, 200))).any()


@pytest.mark.parametrize(
    ("colour", "place", "words"),
    [
        ({"method": "retinex"}, ("colour",), "one of gwsd, gray_world"),
        ({"method": ["gwsd"]}, ("colour",), "one of gwsd, gray_world"),
        ({"method": "clahe", "p": 6}, ("colour", "p"), "not permitted"),
        ({"target_mean": 300}, ("colour", "target_mean"), "less than or equal to 255"),
        ("gwsd", ("colour",), ""),
    ],
)
def test_a_wrong_colour_is_refused_by_the_key_as_it_is_written(
    colour: Any, place: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Preprocessing.model_validate({"colour": colour})
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert words in error["msg"]


@pytest.mark.parametrize(
    "wrong", [{"crop_fraction": 0}, {"crop_fraction": 1.1}, {"size": 63}, {"sise": 128}, {"version": 1}]
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Preprocessing.model_validate(wrong)


def test_the_tensor_is_scaled_to_one_and_channels_come_first() -> None:
    square = noise(64, 64)
    square[0, 1] = (0, 255, 51)
    tensor = to_tensor(square)
    assert tensor.shape == (3, 64, 64)
    assert str(tensor.dtype) == "torch.float32"
    np.testing.assert_allclose(tensor[:, 0, 1], [-1, 1, -0.6], atol=1e-6)
    np.testing.assert_allclose(tensor, (square.transpose(2, 0, 1) / 255 - 0.5) / 0.5, atol=1e-6)


def test_the_articles_pipeline_is_that_of_its_recipe() -> None:
    root = Path(__file__).resolve().parents[2]
    content = yaml.safe_load((root / "configs" / "paper.yaml").read_text())
    assert Preprocessing.model_validate(content["preprocessing"]) == ARTICLE
