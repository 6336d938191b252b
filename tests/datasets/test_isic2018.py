"""ISIC 2018 task 3: its three parts, tables at the root or in the folder of their archive, lesions."""

from pathlib import Path

import pytest

from transxv2s.datasets import isic2018
from transxv2s.errors import DataError
from transxv2s.taxonomy import ISIC2018

from .layout import one_hot, write_flat, write_lines

CODES = ("AKIEC", "NV", "MEL")
GROUPS = "ISIC2018_Task3_Training_LesionGroupings.csv"


def write_part(root: Path, part: isic2018.Part, own_folder: bool = False) -> Path:
    name = f"ISIC2018_Task3_{part}_GroundTruth.csv"
    rows = [one_hot(f"ISIC_{part}{i}", code, ISIC2018.codes) for i, code in enumerate(CODES)]
    folder = root / name.removesuffix(".csv") if own_folder else root
    write_lines(folder / name, f"image,{','.join(ISIC2018.codes)}", *rows)
    for i in range(len(CODES)):
        write_flat(root / f"ISIC2018_Task3_{part}_Input" / f"ISIC_{part}{i}.jpg")
    return root


def write_groups(folder: Path, *lesions: str) -> None:
    rows = [f"ISIC_Training{i},{lesion},histopathology" for i, lesion in enumerate(lesions)]
    write_lines(folder / GROUPS, "image,lesion_id,diagnosis_confirm_type", *rows)


@pytest.mark.parametrize("own_folder", [False, True])
@pytest.mark.parametrize(
    ("part", "source"),
    [("Training", "HAM10000"), ("Validation", "ISIC2018-validation"), ("Test", "ISIC2018-test")],
)
def test_each_part(tmp_path: Path, part: isic2018.Part, source: str, own_folder: bool) -> None:
    reading = isic2018.read(write_part(tmp_path, part, own_folder), part)
    assert (reading.taxonomy, reading.missing) == (ISIC2018, ())
    found = [(r.id, ISIC2018.codes[r.label], r.lesion, r.source) for r in reading.records]
    assert found == [(f"ISIC_{part}{i}", code, None, source) for i, code in enumerate(CODES)]


@pytest.mark.parametrize("folder", [".", GROUPS.removesuffix(".csv")])
def test_lesions_come_from_the_groupings(tmp_path: Path, folder: str) -> None:
    root = write_part(tmp_path, "Training")
    write_groups(root / folder, "HAM_1", "HAM_1", "HAM_2")
    reading = isic2018.read(root)
    assert [r.lesion for r in reading.records] == ["HAM_1", "HAM_1", "HAM_2"]
    assert reading.notes == ()


def test_a_training_set_without_lesions_says_so(tmp_path: Path) -> None:
    (note,) = isic2018.read(write_part(tmp_path, "Training")).notes
    assert note == isic2018.NO_LESIONS
    assert GROUPS in note


def test_the_first_part_that_is_there_is_taken(tmp_path: Path) -> None:
    for part in reversed(isic2018.PARTS):
        reading = isic2018.read(write_part(tmp_path, part))
        assert reading.records[0].id == f"ISIC_{part}0"


def test_missing_labels_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no ISIC2018_Task3_Training_GroundTruth\.csv: unpack"):
        isic2018.read(tmp_path)
    root = write_part(tmp_path, "Test")
    with pytest.raises(DataError, match=r"holds no ISIC2018_Task3_Validation_GroundTruth\.csv"):
        isic2018.read(root, "Validation")
    (root / "ISIC2018_Task3_Test_Input").rename(root / "pictures")
    with pytest.raises(DataError, match="ISIC2018_Task3_Test_Input is missing"):
        isic2018.read(root)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    root = write_part(tmp_path, "Test")
    (root / "ISIC2018_Task3_Test_Input" / "ISIC_Test1.jpg").unlink()
    reading = isic2018.read(root)
    assert reading.missing == ("ISIC_Test1",)
    assert reading.notes == ("1 image has no file, for example ISIC_Test1",)


def test_eight_classes_are_refused(tmp_path: Path) -> None:
    root = write_part(tmp_path, "Test")
    write_lines(root / "ISIC2018_Task3_Test_GroundTruth.csv", "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC")
    with pytest.raises(DataError, match="no column akiec"):
        isic2018.read(root)
