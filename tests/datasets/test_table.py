"""Any table beside a folder of images."""

from pathlib import Path

import pytest

from transxv2s.datasets import labels, table
from transxv2s.datasets.records import Reading
from transxv2s.datasets.table import Columns, parse_columns
from transxv2s.errors import ConfigError, DataError
from transxv2s.taxonomy import ISIC2018, ISIC2019, NEVUS_MELANOMA

from .layout import write_flats, write_lines


def codes(reading: Reading) -> list[tuple[str, str]]:
    return [(r.id, reading.taxonomy.codes[r.label]) for r in reading.records]


def write(root: Path, *lines: str, files: tuple[str, ...] = ("a.jpg", "b.jpg")) -> Path:
    write_lines(root / "study.csv", *lines)
    write_flats(root, *files)
    return root


@pytest.mark.parametrize("image", ["image", "isic_id", "File_Name", "path"])
@pytest.mark.parametrize("label", ["label", "dx", "Diagnosis"])
def test_usual_columns_are_found(tmp_path: Path, image: str, label: str) -> None:
    reading = table.read(write(tmp_path, f"{label},x,{image}", "NV,1,a.jpg", "melanoma,2,b.jpg"))
    assert codes(reading) == [("a", "NV"), ("b", "MEL")]
    assert (reading.taxonomy, reading.missing, reading.notes) == (ISIC2019, (), ())
    assert [(r.path, r.lesion, r.source) for r in reading.records] == [
        (tmp_path / f"{name}.jpg", None, "study") for name in "ab"
    ]


def test_group_age_sex_site_and_source(tmp_path: Path) -> None:
    header = "image,label,patient_id,hospital,age_approx,gender,localization"
    first, second = table.read(write(tmp_path, header, "a,NV,p1,Graz,40,F,back", "b,NV,unknown,,,,")).records
    assert (first.lesion, first.source, first.age) == ("p1", "Graz", 40)
    assert (first.sex, first.site) == ("female", "back")
    assert (second.lesion, second.source, second.age, second.sex) == (None, "study", None, None)


@pytest.mark.parametrize("age", ["age_approx", "Age_Approx", "age"])
def test_named_columns(tmp_path: Path, age: str) -> None:
    header = "Photo,image,Befund,label,Fall,age_approx"
    root = write(tmp_path, header, "a.JPG,1,NV,x,f1,40", "b.jpg,2,MEL,y,f2,50", files=("a.JPG", "b.jpg"))
    columns = parse_columns(f"image=photo, label = Befund,lesion=fall,age={age}")
    reading = table.read(root, columns=columns)
    assert codes(reading) == [("a", "NV"), ("b", "MEL")]
    assert [(r.lesion, r.age) for r in reading.records] == [("f1", 40), ("f2", 50)]


@pytest.mark.parametrize("text", ["picture=a", "image", "image=", "image:a"])
def test_columns_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="must be pairs such as image=file,label=dx"):
        parse_columns(text)


@pytest.mark.parametrize(
    ("header", "columns", "said"),
    [
        ("photo,label", Columns(), "no column image, only photo, label: name it as in --columns"),
        ("image,befund", Columns(), "no column label"),
        ("image,label", Columns(lesion="case"), "no column case"),
    ],
)
def test_columns_that_are_not_there_are_named(
    tmp_path: Path, header: str, columns: Columns, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        table.read(write(tmp_path, header, "a,NV"), columns=columns)


def test_a_label_map_and_images_left_out(tmp_path: Path) -> None:
    lines = ("image,label", "a,nevus", "b,melanoma", "c,other", "d,", "e,Nevus")
    root = write(tmp_path, *lines, files=tuple(f"{name}.jpg" for name in "abcdef"))
    label_map = labels.parse("nevus=NV,melanoma=MEL,other=-")
    reading = table.read(root, label_map=label_map, taxonomy=NEVUS_MELANOMA)
    assert reading.taxonomy is NEVUS_MELANOMA
    assert codes(reading) == [("a", "NV"), ("b", "MEL"), ("e", "NV")]
    assert reading.notes == (
        "1 file has no label and is left out, for example f",
        "1 row has no label and is left out, for example d",
        "1 image is left out by the map, for example c",
    )


def test_labels_without_a_meaning_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"study\.csv: labels of no known meaning.*'nevus' \(2\); give"):
        table.read(write(tmp_path, "image,label", "a,nevus", "b,nevus"))


def test_akiec_makes_it_seven_classes(tmp_path: Path) -> None:
    reading = table.read(write(tmp_path, "image,label", "a,akiec", "b,nv"))
    assert reading.taxonomy is ISIC2018
    assert codes(reading) == [("a", "AKIEC"), ("b", "NV")]


@pytest.mark.parametrize("image", ["x/a.png", "x/a", ".\\x\\a.png", "./x/a.png"])
def test_paths_below_the_root(tmp_path: Path, image: str) -> None:
    root = write(tmp_path, "image,label", f"{image},NV", "y/a.PNG,MEL", files=("x/a.png", "y/a.PNG"))
    reading = table.read(root)
    assert codes(reading) == [("x/a", "NV"), ("y/a", "MEL")]
    assert [r.path for r in reading.records] == [root / "x" / "a.png", root / "y" / "a.PNG"]


def test_names_that_occur_once_below_the_root(tmp_path: Path) -> None:
    root = write(tmp_path, "image,label", "a.jpg,NV", "b,MEL", files=("x/a.jpg", "y/z/b.webp", ".old/b.jpg"))
    assert [r.path for r in table.read(root).records] == [root / "x" / "a.jpg", root / "y" / "z" / "b.webp"]


def test_names_of_several_files_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path, "image,label", "a,NV", files=("x/a.jpg", "y/a.jpg"))
    with pytest.raises(DataError, match="1 name stands for several files, for example a, below"):
        table.read(root)


def test_two_rows_of_one_file_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path, "image,label", "a,NV", "x/a,MEL", files=("x/a.jpg",))
    with pytest.raises(DataError, match="2 rows share their file, for example a, x/a"):
        table.read(root)


def test_files_that_differ_in_their_suffix_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path, "image,label", "a.jpg,NV", files=("a.jpg", "a.png"))
    with pytest.raises(
        DataError, match=r"1 file differs, for example a\.png, from another only in the suffix"
    ):
        table.read(root)


def test_contradicting_rows_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path, "image,label", "a.jpg,NV", "a.jpg,MEL")
    with pytest.raises(DataError, match="1 image id has different rows, for example a"):
        table.read(root)


def test_missing_files_are_told(tmp_path: Path) -> None:
    reading = table.read(write(tmp_path, "image,label", "a,NV", "c,NV"))
    assert reading.missing == ("c",)
    assert reading.notes == (
        "1 image has no file, for example c",
        "1 file has no label and is left out, for example b",
    )
    with pytest.raises(DataError, match="none of the 1 labelled images, such as d, has a file"):
        table.read(write(tmp_path, "image,label", "d,NV"))


def test_the_only_table_is_taken_and_others_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no CSV file: name the table with --table"):
        table.read(tmp_path)
    root = write(tmp_path, "image,label", "a,NV")
    write_lines(root / "._study.csv", "macOS")
    other = write_lines(tmp_path / "other.TSV", "image\tlabel", "b\tMEL")
    with pytest.raises(DataError, match="holds 2 CSV files"):
        table.read(root)
    assert codes(table.read(root, other)) == [("b", "MEL")]


def test_a_table_without_rows_or_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"study\.csv holds no rows"):
        table.read(write(tmp_path, "image,label"))
    with pytest.raises(DataError, match="names no image with a label that is used"):
        table.read(write(tmp_path, "image,label", "a,"))


def test_the_real_uda_1(shared_dir: Path, tmp_path: Path) -> None:
    from .layout import lay_out

    root = lay_out(shared_dir / "data" / "uda1.tar", tmp_path)
    reading = table.read(root, label_map=labels.parse("nevus=NV,melanoma=MEL"))
    found = [reading.taxonomy.codes[r.label] for r in reading.records]
    assert (found.count("NV"), found.count("MEL"), len(found)) == (396, 159, 555)
    assert reading.notes[-1].startswith("2 rows have no label and are left out")
