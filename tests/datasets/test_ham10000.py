"""HAM10000: one image folder or two, the publisher's metadata in each of its forms, masks, the real set."""

from collections import Counter
from pathlib import Path

import pytest

from transxv2s.datasets import ham10000, isic2019
from transxv2s.errors import DataError
from transxv2s.taxonomy import ISIC2018, ISIC2019, project, relabel

from .layout import lay_out, write_flat, write_flats, write_lines

HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization"
ROWS = (
    "HAM_1,ISIC_0,akiec,histo,80.0,male,scalp",
    "HAM_1,ISIC_1,akiec,histo,80.0,male,scalp",
    "HAM_2,ISIC_2,nv,follow_up,,unknown,unknown",
)
PARTS = ("HAM10000_images_part_1", "HAM10000_images_part_2")


def write_ham10000(root: Path, folders: tuple[str, ...] = ("HAM10000_images",)) -> Path:
    write_lines(root / "HAM10000_metadata.csv", HEADER, *ROWS)
    for i in range(len(ROWS)):
        write_flat(root / folders[i % len(folders)] / f"ISIC_{i}.jpg")
    return root


@pytest.mark.parametrize("folders", [("HAM10000_images",), PARTS])
def test_files_of_all_folders(tmp_path: Path, folders: tuple[str, ...]) -> None:
    root = write_ham10000(tmp_path, folders)
    expected = {f"ISIC_{i}": root / folders[i % len(folders)] / f"ISIC_{i}.jpg" for i in range(3)}
    assert ham10000.files(root) == expected


def test_records(tmp_path: Path) -> None:
    reading = ham10000.read(write_ham10000(tmp_path, PARTS))
    assert (reading.taxonomy, reading.missing, reading.notes) == (ISIC2018, (), ())
    first, second, third = reading.records
    assert (first.id, ISIC2018.codes[first.label], first.lesion, first.source) == (
        "ISIC_0",
        "AKIEC",
        "HAM_1",
        "HAM10000",
    )
    assert (first.age, first.sex, first.site) == (80, "male", "scalp")
    assert (second.lesion, ISIC2018.codes[third.label]) == ("HAM_1", "NV")
    assert (third.age, third.sex, third.site) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("HAM10000_metadata", [f"{line},vidir_modern" for line in (HEADER, *ROWS)]),
        ("HAM10000_metadata.tab", [line.replace(",", "\t") for line in (HEADER, *ROWS)]),
        (
            "HAM10000_metadata.tab",
            ["\t".join(f'"{cell}"' for cell in line.split(",")) for line in (HEADER, *ROWS)],
        ),
    ],
)
def test_other_forms_of_the_metadata(tmp_path: Path, name: str, lines: list[str]) -> None:
    root = write_ham10000(tmp_path)
    expected = ham10000.read(root)
    (root / "HAM10000_metadata.csv").unlink()
    write_lines(root / name, *lines)
    assert ham10000.read(root) == expected


def test_another_layout_is_refused(tmp_path: Path) -> None:
    write_flat(tmp_path / "images" / "ISIC_0.jpg")
    with pytest.raises(DataError, match=r"HAM10000_metadata\.csv is missing"):
        ham10000.read(tmp_path)
    with pytest.raises(DataError, match="holds none of HAM10000_images"):
        ham10000.files(tmp_path)


def test_an_image_in_both_parts_is_refused(tmp_path: Path) -> None:
    root = write_ham10000(tmp_path, PARTS)
    write_flat(root / PARTS[1] / "ISIC_0.jpg")
    with pytest.raises(DataError, match=r"1 image id has several files, for example ISIC_0 \(.*part_2"):
        ham10000.read(root)


def test_unknown_diagnoses_are_counted(tmp_path: Path) -> None:
    root = write_ham10000(tmp_path)
    write_lines(root / "HAM10000_metadata.csv", HEADER, *ROWS, "HAM_3,ISIC_3,scc,,,,", "HAM_4,ISIC_4,,,,,")
    with pytest.raises(
        DataError, match=r"2 images have an unknown diagnosis, for example ISIC_3, ISIC_4: dx"
    ):
        ham10000.read(root)


def test_missing_files_are_told(tmp_path: Path) -> None:
    root = write_ham10000(tmp_path)
    (root / "HAM10000_images" / "ISIC_1.jpg").unlink()
    reading = ham10000.read(root)
    assert reading.missing == ("ISIC_1",)
    assert len(reading.records) == 2


def test_masks_by_the_id_of_their_image(tmp_path: Path) -> None:
    assert ham10000.masks(tmp_path) == {}
    write_flats(tmp_path / ham10000.MASKS, "ISIC_0_segmentation.png", "ISIC_1_segmentation.png")
    folder = tmp_path / ham10000.MASKS
    assert ham10000.masks(tmp_path) == {f"ISIC_{i}": folder / f"ISIC_{i}_segmentation.png" for i in range(2)}


def test_the_real_set_and_the_same_images_in_isic_2019(shared_dir: Path, tmp_path: Path) -> None:
    root = lay_out(shared_dir / "data" / "ham10000.tar", tmp_path)
    reading = ham10000.read(root)
    codes = Counter(ISIC2018.codes[r.label] for r in reading.records)
    expected = {"NV": 6_705, "MEL": 1_113, "BKL": 1_099, "BCC": 514, "AKIEC": 327, "VASC": 142, "DF": 115}
    assert (codes, reading.missing, reading.notes) == (expected, (), ())
    assert set(ham10000.masks(root)) == {r.id for r in reading.records}

    eight = isic2019.labels(lay_out(shared_dir / "data" / "isic2019.tar", tmp_path))
    akiec = [eight[r.id] for r in reading.records if ISIC2018.codes[r.label] == "AKIEC"]
    assert Counter(ISIC2019.codes[label] for label in akiec) == {"AK": 130, "SCC": 197}
    seven = [r.label for r in reading.records]
    assert relabel([eight[r.id] for r in reading.records], ISIC2019, ISIC2018) == seven
    certain = project(
        [[float(i == eight[r.id]) for i in range(8)] for r in reading.records], ISIC2019, ISIC2018
    )
    assert certain.argmax(1).tolist() == seven
