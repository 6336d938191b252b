"""The ISIC 2019 reader on tiny sets in the publisher's layout, and on the real tables."""

from collections import Counter
from pathlib import Path

import pytest

from transxv2s.datasets import isic2019
from transxv2s.errors import DataError
from transxv2s.taxonomy import ISIC2019, ISIC2019_UNK

from .layout import (
    GROUND_TRUTH,
    IMAGES,
    METADATA,
    Lesion,
    lay_out,
    one_hot,
    write_flat,
    write_flats,
    write_isic2019,
    write_lines,
    write_tables,
)

LESIONS = (
    Lesion("ISIC_0000001", "NV"),
    Lesion("ISIC_0024306", "MEL", "HAM_0000550"),
    Lesion("ISIC_0053454", "SCC", "BCN_0003884"),
    Lesion("ISIC_0000003_downsampled", "VASC", "MSK4_0011169"),
)
HEADER = ",".join(["image", *ISIC2019.codes])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_records_in_the_order_of_the_table(tmp_path: Path, newline: str) -> None:
    reading = isic2019.read(write_isic2019(tmp_path, LESIONS, newline))
    assert (reading.missing, reading.notes, reading.taxonomy) == ((), (), ISIC2019)
    assert [(r.id, ISIC2019.codes[r.label], r.lesion, r.source) for r in reading.records] == [
        ("ISIC_0000001", "NV", None, "MSK"),
        ("ISIC_0024306", "MEL", "HAM_0000550", "HAM10000"),
        ("ISIC_0053454", "SCC", "BCN_0003884", "BCN_20000"),
        ("ISIC_0000003_downsampled", "VASC", "MSK4_0011169", "MSK"),
    ]
    assert all(r.path == tmp_path / IMAGES / f"{r.id}.png" for r in reading.records)
    assert {(r.age, r.sex, r.site) for r in reading.records} == {(55.0, "female", None)}


def test_missing_files_and_files_without_a_label_are_told(tmp_path: Path) -> None:
    root = write_isic2019(tmp_path, LESIONS)
    (root / IMAGES / "ISIC_0024306.png").unlink()
    write_flat(root / IMAGES / "ISIC_9.png")
    reading = isic2019.read(root)
    assert reading.missing == ("ISIC_0024306",)
    assert [r.id for r in reading.records] == [item.image for item in LESIONS if item.image != "ISIC_0024306"]
    assert reading.notes == (
        "1 image has no file, for example ISIC_0024306",
        "1 file has no label and is left out, for example ISIC_9",
    )


def test_metadata_that_does_not_fit_the_labels_is_told(tmp_path: Path) -> None:
    root = write_isic2019(tmp_path, LESIONS)
    lines = (root / METADATA).read_text().splitlines()
    write_lines(root / METADATA, lines[0], *lines[2:], "ISIC_8,old,head,,f", "ISIC_0000001,90+,,,")
    assert isic2019.read(root).notes == (
        "1 row of metadata has no label, for example ISIC_8",
        "1 age is unusable and left out, for example ISIC_0000001",
    )
    write_lines(root / METADATA, lines[0], *lines[2:])
    assert isic2019.read(root).notes == ("1 image has no metadata, for example ISIC_0000001",)


def test_nested_folder_upper_case_suffix_and_ids_with_suffix(tmp_path: Path) -> None:
    write_lines(tmp_path / GROUND_TRUTH, HEADER, one_hot("ISIC_1.jpg", "NV", ISIC2019.codes))
    write_lines(tmp_path / METADATA, "image,lesion_id,sex", "ISIC_1,unknown,male")
    write_flat(tmp_path / IMAGES / IMAGES / "ISIC_1.JPG")
    (record,) = isic2019.read(tmp_path).records
    assert (record.id, record.sex, record.lesion) == ("ISIC_1", "male", None)


def test_a_folder_without_any_of_the_images_is_refused(tmp_path: Path) -> None:
    write_tables(tmp_path, LESIONS)
    with pytest.raises(DataError, match=f"{IMAGES} is missing: unpack"):
        isic2019.read(tmp_path)
    (tmp_path / IMAGES).mkdir()
    with pytest.raises(DataError, match=r"none of the 4 labelled images, such as ISIC_0000001, .*has a file"):
        isic2019.read(tmp_path)


@pytest.mark.parametrize("name", [GROUND_TRUTH, METADATA])
def test_a_missing_table_is_named(tmp_path: Path, name: str) -> None:
    root = write_isic2019(tmp_path, LESIONS)
    (root / name).unlink()
    with pytest.raises(DataError, match=name):
        isic2019.read(root)


def test_tables_without_rows_are_refused(tmp_path: Path) -> None:
    root = write_isic2019(tmp_path, LESIONS)
    write_lines(root / GROUND_TRUTH, HEADER)
    with pytest.raises(DataError, match="names no image with a label"):
        isic2019.read(root)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("1.0,1.0", r"1 row sets more than one class, for example ISIC_1"),
        ("0.0,0.0", r"1 row sets no class, for example ISIC_1"),
        (",", r"1 row sets no class, for example ISIC_1"),
        ("1.0,0.5", r"1 row has a cell that is neither 0 nor 1, for example ISIC_1"),
        ("yes,0", r"1 row has a cell that is neither 0 nor 1, for example ISIC_1"),
    ],
)
def test_exactly_one_class_must_be_set(tmp_path: Path, cells: str, said: str) -> None:
    write_lines(
        tmp_path / GROUND_TRUTH, HEADER, f"ISIC_1,{cells}" + ",0.0" * 6, one_hot("b", "NV", ISIC2019.codes)
    )
    with pytest.raises(DataError, match=rf"{GROUND_TRUTH}: each row must set exactly one class; {said}"):
        isic2019.labels(tmp_path)


def test_an_image_may_have_one_label_only(tmp_path: Path) -> None:
    write_tables(tmp_path, (*LESIONS, LESIONS[0]))
    assert len(isic2019.labels(tmp_path)) == 4
    write_tables(tmp_path, (*LESIONS, Lesion("ISIC_0000001", "MEL")))
    with pytest.raises(DataError, match=r"1 image id has different rows, for example ISIC_0000001"):
        isic2019.labels(tmp_path)


@pytest.mark.parametrize(
    ("image", "lesion", "source"),
    [
        ("ISIC_0024305", None, "MSK"),
        ("ISIC_0024306", "HAM_1", "HAM10000"),
        ("ISIC_0034320", "HAM_1", "HAM10000"),
        ("ISIC_0034321", None, "MSK"),
        ("ISIC_0030000", "BCN_1", "BCN_20000"),
        ("photograph", None, "MSK"),
    ],
)
def test_the_source_follows_from_lesion_and_number(image: str, lesion: str | None, source: str) -> None:
    assert isic2019.source_of(image, lesion) == source


def write_test_set(root: Path) -> Path:
    """The official test set: class UNK, weights beside the classes, metadata without lesion ids."""
    codes = ISIC2019_UNK.codes
    rows = [one_hot(f"ISIC_{i}", code, codes) + ",0.5,1.0" for i, code in enumerate(("UNK", "SCC", "UNK"))]
    header = f"image,{','.join(codes)},score_weight,validation_weight"
    write_lines(root / "ISIC_2019_Test_GroundTruth.csv", header, *rows)
    about = [f"ISIC_{i},70,head/neck,male" for i in range(3)]
    write_lines(root / "ISIC_2019_Test_Metadata.csv", "image,age_approx,anatom_site_general,sex", *about)
    for i in range(3):
        write_flat(root / "ISIC_2019_Test_Input" / f"ISIC_{i}.jpg")
    return root


@pytest.mark.parametrize("part", ["Test", None])
def test_the_official_test_set_keeps_its_unknown_class(tmp_path: Path, part: isic2019.Part | None) -> None:
    reading = isic2019.read(write_test_set(tmp_path), part)
    assert reading.taxonomy is ISIC2019_UNK
    assert reading.notes == ()
    found = [(r.id, ISIC2019_UNK.codes[r.label], r.lesion, r.source, r.age) for r in reading.records]
    assert found == [(f"ISIC_{i}", c, None, "ISIC2019-test", 70) for i, c in enumerate(("UNK", "SCC", "UNK"))]


def test_the_test_set_does_without_metadata(tmp_path: Path) -> None:
    root = write_test_set(tmp_path)
    (root / "ISIC_2019_Test_Metadata.csv").unlink()
    reading = isic2019.read(root)
    assert {(r.age, r.sex) for r in reading.records} == {(None, None)}
    assert reading.notes == ()


def test_the_training_set_comes_first_where_both_are_there(tmp_path: Path) -> None:
    root = write_test_set(write_isic2019(tmp_path, LESIONS))
    assert len(isic2019.read(root).records) == len(LESIONS)
    assert len(isic2019.read(root, "Test").records) == 3


def test_the_real_training_set(shared_dir: Path, tmp_path: Path) -> None:
    root = lay_out(shared_dir / "data" / "isic2019.tar", tmp_path)
    reading = isic2019.read(root)
    assert len(reading.records) == 25_299
    assert len(reading.missing) == 32
    labels = isic2019.labels(root)
    assert {ISIC2019.codes[labels[image]] for image in reading.missing} == {"AK"}
    assert {r.id for r in reading.records} | set(reading.missing) == set(labels)
    counts = Counter(ISIC2019.codes[r.label] for r in reading.records)
    expected = {"NV": 12_875, "MEL": 4_522, "BCC": 3_323, "BKL": 2_624, "AK": 835, "SCC": 628}
    assert counts == expected | {"VASC": 253, "DF": 239}
    sources = Counter(r.source for r in reading.records)
    assert sources == {"HAM10000": 10_015, "BCN_20000": 12_413 - 32, "MSK": 2_903}
    assert reading.notes[0].startswith("32 images have no file, for example ISIC_")
    assert sum(r.lesion is None for r in reading.records) == 2_084


def test_official_weights_are_read_and_told(tmp_path: Path) -> None:
    codes = (*ISIC2019.codes, "UNK")
    rows = [one_hot("a", "NV", codes) + ",0.0,1.0", one_hot("b", "UNK", codes) + ",1.0,0.0"]
    header = f"image,{','.join(codes)},score_weight,validation_weight"
    write_lines(isic2019.ground_truth(tmp_path, "Test"), header, *rows)
    write_flats(tmp_path / "ISIC_2019_Test_Input", "a.png", "b.png")
    reading = isic2019.read(tmp_path)
    assert reading.weights == {"a": 0.0}
    assert any("1 image has the official weight 0" in note for note in reading.notes)
