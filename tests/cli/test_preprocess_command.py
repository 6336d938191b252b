"""`transxv2s preprocess`: folders to folders, resumed, compared; failures named, nothing overwritten."""

import json
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from transxv2s import NOTICE
from transxv2s.cli import preprocess_folder
from transxv2s.comparison import HAIR_COLOUR, Taken, compare
from transxv2s.imaging.decode import decode
from transxv2s.imaging.hair import HairRemoval
from transxv2s.imaging.pipeline import Preprocessing

from .conftest import Run, draw_lesion

IMAGES = ("a.png", "ann/lesion.png", "bob/lesion.PNG")


@pytest.fixture
def clean(study: Path) -> Path:
    """The study without its damaged file."""
    (study / "damaged.jpg").unlink()
    return study


def document(run: Run, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
    result = run("preprocess", *arguments, "--json")
    assert result.code == code, result.err
    found: dict[str, Any] = json.loads(result.out)
    return found


def squares(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.png"))}


def test_every_image_keeps_its_path_and_becomes_its_square(run: Run, clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    found = document(run, clean, out)
    assert (found["made"], found["there_before"], found["not_reached"], found["failures"]) == (3, 0, 0, [])
    assert found["digest"] == Preprocessing().digest()
    assert Preprocessing.model_validate(found["preprocessing"]) == Preprocessing()
    for name in IMAGES:
        square = np.asarray(Image.open((out / name).with_suffix(".png")))
        np.testing.assert_array_equal(square, Preprocessing().apply(decode(clean / name)))
    assert len([path for path in out.rglob("*") if path.is_file()]) == 4  # and preprocessing.json


def test_a_second_run_makes_only_what_is_missing_or_changed(run: Run, clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    document(run, clean, out)
    first = squares(out)
    assert document(run, clean, out)["made"] == 0
    (out / "a.png").unlink()
    draw_lesion(clean / "ann" / "lesion.png", seed=9)
    os.utime(clean / "ann" / "lesion.png", (1_000_000_000, 1_000_000_000))  # older than what it replaces
    again = document(run, clean, out)
    assert (again["made"], again["there_before"]) == (2, 1)
    changed = {name for name, content in squares(out).items() if content != first[name]}
    assert changed == {"ann/lesion.png"}


def test_damaged_images_are_listed_and_do_not_stop_the_others(run: Run, study: Path, tmp_path: Path) -> None:
    result = run("preprocess", study, tmp_path / "out")
    assert result.code == 1
    assert "3 images made" in result.out
    assert "damaged.jpg: " in result.err
    (failure,) = document(run, study, tmp_path / "out", code=1)["failures"]
    assert failure["file"] == str(study / "damaged.jpg")
    assert failure["reason"]


def test_another_preprocessing_is_refused_and_changes_nothing(
    run: Run, clean: Path, tmp_path: Path, recipe: Path
) -> None:
    out = tmp_path / "out"
    document(run, clean, out)
    before = squares(out)
    result = run("preprocess", clean, out, "--config", recipe)
    assert result.code == 2
    assert Preprocessing().digest() in result.err
    assert Preprocessing(size=64, hair_removal=HairRemoval()).digest() in result.err
    assert squares(out) == before


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    content = {
        "data": {"dataset": "isic2019", "root": "d", "split": "s"},
        "preprocessing": {"size": 64, "hair_removal": {}},
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_recipe_or_a_checkpoint_gives_the_preprocessing(
    run: Run, clean: Path, tmp_path: Path, recipe: Path, checkpoint: Path
) -> None:
    document(run, clean, tmp_path / "by_recipe", "--config", recipe)
    square = np.asarray(Image.open(tmp_path / "by_recipe" / "a.png"))
    expected = Preprocessing(size=64, hair_removal=HairRemoval()).apply(decode(clean / "a.png"))
    np.testing.assert_array_equal(square, expected)
    found = document(run, clean, tmp_path / "by_checkpoint", "--checkpoint", checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    assert found["preprocessing"] == config["preprocessing"]


def test_two_images_with_one_result_are_not_silently_one(run: Run, clean: Path, tmp_path: Path) -> None:
    Image.open(clean / "a.png").save(clean / "a.bmp")
    found = document(run, clean, tmp_path / "out", code=1)
    assert found["made"] == 3
    (failure,) = found["failures"]
    assert failure["file"] == str(clean / "a.png")
    assert "a.bmp" in failure["reason"]


def test_ctrl_c_keeps_what_was_made_and_the_next_run_goes_on(
    run: Run, clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "out", preprocess_folder.Done.count

    def interrupted(done: preprocess_folder.Done, outcome: preprocess_folder.Outcome) -> None:
        real(done, outcome)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(preprocess_folder, "AT_ONCE", 1)
        patch.setattr(preprocess_folder.Done, "count", interrupted)
        result = run("preprocess", clean, out)
    assert result.code == 1
    assert "run the same command again" in result.err
    assert "a.png" in squares(out)
    assert not list(out.rglob("*.part"))
    kept = len(squares(out))
    found = document(run, clean, out)
    assert (found["made"], found["there_before"]) == (3 - kept, kept)


class Pictures(HTMLParser):
    """The attributes of all pictures of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append(dict(attrs))


def test_compare_writes_strips_and_a_page_that_finds_them(run: Run, clean: Path, tmp_path: Path) -> None:
    draw_lesion(clean / "odd name #1 ü%20<b>" / "x.png", seed=5)
    out = tmp_path / "out"
    found = document(run, clean, out, "--compare")
    assert found["comparison"] == str(out / "comparison.html")
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert NOTICE in page
    assert Preprocessing().digest() in page
    assert "<script" not in page
    pictures = Pictures(page).found
    assert len(pictures) == 4
    for picture in pictures:
        assert picture["loading"] == "lazy"
        with Image.open(out / unquote(picture["src"] or "")) as strip:
            assert strip.height == int(picture["height"] or 0)
            assert strip.width > 3 * strip.height  # two whole images of 4:3 and a square


def test_compare_after_a_run_without_it_makes_what_is_missing(run: Run, clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    document(run, clean, out)
    assert document(run, clean, out, "--compare")["made"] == 3
    assert document(run, clean, out, "--compare")["made"] == 0
    assert len(Pictures((out / "comparison.html").read_text(encoding="utf-8")).found) == 3


def test_a_strip_marks_hair_and_dims_what_is_cut_away(tmp_path: Path) -> None:
    rgb = np.full((192, 256, 3), (210, 160, 140), np.uint8)
    y, x = np.mgrid[:192, :256]
    rgb[np.hypot(y - 96, x - 128) > 115] = 4
    cv2.line(rgb, (90, 40), (160, 150), (40, 25, 20), 3)
    preprocessing = Preprocessing(hair_removal=HairRemoval())
    strip, taken = compare(rgb, preprocessing.apply(rgb), preprocessing)
    before, marked = strip[:, :256], strip[:, 262 : 2 * 256 + 6]
    np.testing.assert_array_equal(before, rgb)
    green = (marked == HAIR_COLOUR).all(axis=2)
    assert green[80:110, 100:140].any()
    assert not green[:, 200:].any()
    assert (marked[96, 128 + 60] == rgb[96, 128 + 60]).all()
    assert (marked[96, 128 + 112] < rgb[96, 128 + 112]).all()  # skin in the circle, but out of the box
    assert 0.003 < taken.hair < 0.1
    assert 0.4 < taken.kept < 0.8
    plain = Preprocessing(hair_removal=None, field_of_view=False)
    assert compare(rgb, plain.apply(rgb), plain)[1] == Taken(hair=0, kept=1)


def test_a_foreign_picture_is_no_strip(tmp_path: Path) -> None:
    assert Taken.read(tmp_path / "absent.jpg") is None
    for comment in (b"", b"words", b"[1]", b'{"hair": 1}'):
        Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", comment=comment)
        assert Taken.read(tmp_path / "x.jpg") is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["study", "study"],
        ["study", "study/below"],
        ["study", "full"],
        ["study", "study/notes.txt/below"],
        ["study/a.png", "out"],
        ["absent", "out"],
        ["empty", "out"],
        ["study"],
        ["study", "out", "--config", "absent.yaml"],
        ["study", "out", "--checkpoint", "empty"],
        ["study", "out", "--checkpoint", "empty", "--config", "absent.yaml"],
    ],
)
def test_bad_usage_is_exit_code_2_and_writes_nothing(
    run: Run, study: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(study.parent)
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/thesis.txt").write_text("mine")
    before = sorted(study.parent.rglob("*"))
    result = run("preprocess", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err
    assert "Traceback" not in result.err
    assert sorted(study.parent.rglob("*")) == before
