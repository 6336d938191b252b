"""A folder for each class."""

from pathlib import Path

import pytest

from transxv2s.datasets import folder
from transxv2s.errors import ConfigError, DataError
from transxv2s.taxonomy import ISIC2018, ISIC2019

from .layout import write_flats, write_lines


def test_records(tmp_path: Path) -> None:
    root = tmp_path / "clinic"
    write_flats(root, "MEL/b.jpg", "MEL/deeper/a.PNG", "melanocytic nevus/c.webp", ".trash/MEL/d.jpg")
    (root / "DF").mkdir()
    reading = folder.read(root)
    assert (reading.taxonomy, reading.missing, reading.notes) == (ISIC2019, (), ())
    found = [(r.id, ISIC2019.codes[r.label], r.path, r.lesion, r.source) for r in reading.records]
    assert found == [
        ("b", "MEL", root / "MEL" / "b.jpg", None, "clinic"),
        ("a", "MEL", root / "MEL" / "deeper" / "a.PNG", None, "clinic"),
        ("c", "NV", root / "melanocytic nevus" / "c.webp", None, "clinic"),
    ]


def test_a_folder_named_by_a_dot_still_gives_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_flats(tmp_path, "NV/a.jpg")
    monkeypatch.chdir(tmp_path)
    (record,) = folder.read(Path()).records
    assert record.source == tmp_path.name


def test_a_label_map_and_what_is_left_out(tmp_path: Path) -> None:
    write_flats(tmp_path, "benign/a.jpg", "benign/._a.jpg", "rest/b.jpg", "rest/c.jpg", "loose.jpg")
    write_lines(tmp_path / "benign" / "list.txt", "a.jpg")
    write_lines(tmp_path / "readme.txt", "")
    reading = folder.read(tmp_path, {"Benign": "NV", "rest": "-"})
    assert [r.id for r in reading.records] == ["a"]
    assert reading.notes == (
        "2 images are left out by the map, for example rest/b.jpg, rest/c.jpg",
        "1 file is no image that is read, for example list.txt",
        "1 image is in no class folder, for example loose.jpg",
    )


def test_akiec_makes_it_seven_classes(tmp_path: Path) -> None:
    write_flats(tmp_path, "akiec/a.jpg", "nv/b.jpg")
    assert folder.read(tmp_path).taxonomy is ISIC2018


def test_unknown_folders_are_counted(tmp_path: Path) -> None:
    write_flats(tmp_path, "train/MEL/a.jpg", "train/NV/b.jpg")
    with pytest.raises(DataError, match=r"labels of no known meaning.*'train' \(2\); give a label map"):
        folder.read(tmp_path)


def test_a_map_to_unknown_codes_is_refused(tmp_path: Path) -> None:
    write_flats(tmp_path, "a/a.jpg")
    with pytest.raises(ConfigError, match="names WART, unknown to isic2019"):
        folder.read(tmp_path, {"a": "WART"})


def test_one_name_in_two_classes_is_refused(tmp_path: Path) -> None:
    write_flats(tmp_path, "MEL/a.jpg", "NV/a.jpg", "NV/b.jpg")
    with pytest.raises(DataError, match=r"1 image id has several files, for example a \(.*MEL.*NV"):
        folder.read(tmp_path)


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is missing"):
        folder.read(tmp_path / "nowhere")
    write_flats(tmp_path, "loose.jpg")
    with pytest.raises(DataError, match=r"no folder in .* holds images"):
        folder.read(tmp_path)
    write_flats(tmp_path, "rest/a.jpg")
    with pytest.raises(DataError, match="names no image with a label that is used"):
        folder.read(tmp_path, {"rest": "-"})
