"""Files, folders and patterns become a list of images."""

import os
import sys
from pathlib import Path

import pytest

from transxv2s.cli.inputs import find_images
from transxv2s.errors import DataError
from transxv2s.files import readable


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    names = ("b.png", "a.JPG", "notes.txt", "deep/er/c.jpeg", ".hidden.png", ".cache/d.png", "odd[1].png")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*arguments: str) -> list[str]:
    return [file.as_posix() for file in find_images(arguments)]


@pytest.mark.usefixtures("album")
class TestFindImages:
    def test_a_folder_is_searched_at_any_depth_sorted_and_without_hidden_files(self) -> None:
        assert names(".") == ["a.JPG", "b.png", "deep/er/c.jpeg", "odd[1].png"]

    def test_a_hidden_folder_may_be_named(self) -> None:
        assert names(".cache") == [".cache/d.png"]

    def test_a_named_file_is_taken_whatever_its_suffix(self) -> None:
        assert names("notes.txt", "b.png") == ["notes.txt", "b.png"]

    def test_a_name_with_brackets_is_no_pattern_if_it_exists(self) -> None:
        assert names("odd[1].png") == ["odd[1].png"]

    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            ("*.png", ["b.png", "odd[1].png"]),
            ("**/*.jpeg", ["deep/er/c.jpeg"]),
            ("?.*", ["a.JPG", "b.png"]),
            ("dee*", ["deep/er/c.jpeg"]),
        ],
    )
    def test_patterns(self, pattern: str, found: list[str]) -> None:
        assert names(pattern) == found

    def test_each_image_comes_once_in_the_order_of_the_arguments(self, album: Path) -> None:
        assert names("b.png", ".", str(album / "a.JPG")) == ["b.png", "a.JPG", "deep/er/c.jpeg", "odd[1].png"]

    @pytest.mark.parametrize("argument", ["nothing.png", "*.tiff", "", "x" * 5000, "empty"])
    def test_nothing_found_is_an_error_unless_others_are_found(self, argument: str) -> None:
        Path("empty").mkdir()
        with pytest.raises(DataError, match="name image files, folders or quoted patterns") as caught:
            find_images([argument])
        assert str(caught.value).startswith(argument)
        assert find_images(["b.png", argument]) == [Path("b.png"), Path(argument)]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_utf_8_becomes_text_that_can_be_written() -> None:
    assert readable(Path(os.fsdecode(b"caf\xe9.png"))) == "caf�.png"
