"""`transxv2s data prepare`: a recipe's images or a data set, broken files named, exit codes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from datasets.layout import IMAGES, Lesion, write_lines, write_picture, write_tables
from transxv2s.datasets import store
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.taxonomy import ISIC2019

from .conftest import Run

LESIONS = [
    Lesion(f"ISIC_{i}", code, f"BCN_{i}", 100 + 5 * i)
    for i, code in enumerate((*ISIC2019.codes, "NV", "MEL"))
]
SUBSETS = ("train",) * 6 + ("validation",) * 2 + ("test",) * 2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten images of noise, no two alike; the table names an eleventh."""
    root = tmp_path / "isic2019"
    write_tables(root, [*LESIONS, Lesion("ISIC_99", "NV")])
    generator = np.random.default_rng(0)
    for item in LESIONS:
        noise = generator.integers(0, 256, (8, 8, 3), np.uint8)
        write_picture(root / IMAGES / f"{item.image}.png", noise.repeat(8, 0).repeat(8, 1))
    return root


@pytest.fixture
def recipe(tmp_path: Path, data: Path) -> Path:
    rows = [f"{item.image},{item.lesion},0,{subset}" for item, subset in zip(LESIONS, SUBSETS, strict=True)]
    split = write_lines(tmp_path / "split.csv", "image,lesion,fold,split", *rows)
    content = {
        "data": {
            "dataset": "isic2019",
            "root": str(data),
            "split": str(split),
            "store": str(tmp_path / "store"),
        },
        "preprocessing": {"size": 64, "colour": None},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def document(run: Run, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
    result = run("data", "prepare", *arguments, "--json")
    assert result.code == code
    found: dict[str, Any] = json.loads(result.out)
    return found


def test_a_data_set_is_prepared_once(run: Run, data: Path, tmp_path: Path) -> None:
    arguments = ("--dataset", "isic2019", "--root", data, "--store", tmp_path / "store")
    first, second = (document(run, *arguments) for _ in range(2))
    (one,), (other,) = first["parts"], second["parts"]
    assert (one["images"], one["made"], other["made"]) == (10, 10, 0)
    assert one["digest"] == other["digest"]
    assert one["path"] == str(tmp_path / "store" / Preprocessing().digest())
    assert first["failures"] == []
    assert first["notes"] == ["1 image has no file, for example ISIC_99"]
    assert first["seconds"] >= 0


def test_what_a_recipe_needs_is_then_there_for_its_training(run: Run, recipe: Path, tmp_path: Path) -> None:
    from transxv2s.training.data import LesionData
    from transxv2s.training.recipe import load_recipe

    found = document(run, "--config", recipe)
    assert [(part["images"], part["made"]) for part in found["parts"]] == [(10, 10)]
    loaded = load_recipe(recipe)
    for records in LesionData(loaded).records.values():
        assert store.fill(records, loaded.preprocessing, tmp_path / "store").made == 0


def test_a_checkpoint_gives_its_preprocessing(run: Run, data: Path, checkpoint: Path, tmp_path: Path) -> None:
    from transxv2s.checkpoint import read_checkpoint

    where = ("--dataset", "isic2019", "--root", data, "--store", tmp_path / "store")
    found = document(run, *where, "--checkpoint", checkpoint)
    assert Path(found["parts"][0]["path"]).name == read_checkpoint(checkpoint).config.preprocessing.digest()


def test_a_broken_image_is_named_and_the_others_kept(run: Run, data: Path, tmp_path: Path) -> None:
    broken = data / IMAGES / "ISIC_4.png"
    broken.write_bytes(b"no image")
    arguments = ("--dataset", "isic2019", "--root", data, "--store", tmp_path / "store")
    result = run("data", "prepare", *arguments)
    assert result.code == 1
    assert "9 of 10 images are in" in result.out
    assert "1 could not be prepared:" in result.err
    assert str(broken) in result.err
    again = document(run, *arguments, code=1)
    assert again["parts"][0]["made"] == 0
    assert [failure["file"] for failure in again["failures"]] == [str(broken)]
    assert "not a JPEG" in again["failures"][0]["reason"]


def test_many_broken_images_are_counted(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transxv2s.cli.data_prepare.SHOWN", 2)
    for path in (data / IMAGES).iterdir():
        path.write_bytes(b"no image")
    result = run("data", "prepare", "--dataset", "isic2019", "--root", data, "--store", data / "store")
    assert result.code == 1
    assert "0 of 10 images" in result.out
    assert "10 could not be prepared:" in result.err
    assert "and 8 more" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what to prepare"),
        (("--dataset", "isic2019"), "say what to prepare"),
        (("--config", "r.yaml", "--root", "here"), "give --config alone"),
        (("--config", "none.yaml"), "none.yaml"),
        (("--dataset", "isic2017", "--root", "."), "isic2017"),
        (("--dataset", "isic2019", "--root", "nowhere"), "nowhere"),
    ],
)
def test_bad_usage_is_told(run: Run, arguments: tuple[str, ...], said: str) -> None:
    result = run("data", "prepare", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_a_stopped_run_says_how_to_go_on(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "fill", interrupted)
    result = run("data", "prepare", "--dataset", "isic2019", "--root", data)
    assert result.code == 1
    assert "run the same command again" in result.err


def test_both_halves_of_the_articles_protocol_are_prepared(run: Run, recipe: Path, tmp_path: Path) -> None:
    from transxv2s.training.data import LesionData
    from transxv2s.training.recipe import load_recipe

    rows = [
        f"{item.image}{copy},{item.lesion},0,{subset}"
        for copy in ("", "+preprocessed")
        for item, subset in zip(LESIONS, SUBSETS, strict=True)
    ]
    write_lines(tmp_path / "split.csv", "image,lesion,fold,split", *rows)
    content = yaml.safe_load(recipe.read_text())
    recipe.write_text(yaml.safe_dump(content | {"preprocessing": {"size": 64}}))
    found = document(run, "--config", recipe)
    assert [(part["images"], part["made"]) for part in found["parts"]] == [(10, 10), (10, 10)]
    assert len({part["path"] for part in found["parts"]}) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_append", lambda *_: pytest.fail("something was left to be made"))
        LesionData(load_recipe(recipe)).prepare_data()
