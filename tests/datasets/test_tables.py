"""Tables as they are found in the wild, and image files by id."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transxv2s.datasets.tables import (
    Person,
    find_folder,
    image_files,
    image_id,
    person,
    read_table,
    unique_rows,
    unreadable,
)
from transxv2s.errors import DataError

from .layout import write_flats, write_lines

LINES = ("image,extra,lesion_id", "a,1,x", "b,2,")
ROWS = [{"image": "a", "extra": "1", "lesion_id": "x"}, {"image": "b", "extra": "2", "lesion_id": ""}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiter_line_ends_and_byte_order_mark_do_not_matter(
    tmp_path: Path, newline: str, encoding: str, delimiter: str
) -> None:
    lines = [line.replace(",", delimiter) for line in LINES]
    path = write_lines(tmp_path / "t.csv", *lines, newline=newline, encoding=encoding)
    assert read_table(path, ("lesion_id", "image")) == ROWS


def test_blank_lines_spaces_case_and_short_rows_do_not_matter(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv", "", " Image , EXTRA,Lesion_ID,", "", "a, 1 ,x,", ",,", "b,2")
    assert [{k: v for k, v in row.items() if k} for row in read_table(path, ("image",))] == ROWS


def test_quoted_cells_may_hold_delimiters_quotes_and_newlines(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv", "image,comment", '"a","left, upper\narm ""x"""', "b,5 mm")
    assert read_table(path, ()) == [
        {"image": "a", "comment": 'left, upper\narm "x"'},
        {"image": "b", "comment": "5 mm"},
    ]


@pytest.mark.parametrize("stray", ['"a,1', 'a,"1', '"a"b,1'])
def test_a_stray_quote_swallows_no_rows(tmp_path: Path, stray: str) -> None:
    path = write_lines(tmp_path / "t.csv", "image,label", "first,1", stray, "b,2", "c,3")
    with pytest.raises(DataError, match=r"t\.csv is no whole table, see line \d.*stray quotes"):
        read_table(path, ())


def test_rows_that_are_too_long_are_counted(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv", "image,site,label", "a,arm, left,NV", "b,arm,NV", "c,arm,x,NV,,")
    with pytest.raises(DataError, match=r"2 rows have more cells than columns, for example a, c: put"):
        read_table(path, ())


def test_other_names_of_columns(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv", "gender,age_approx,anatom_site_general", "male,5,arm")
    assert read_table(path, ("sex", "age", "site")) == [{"sex": "male", "age": "5", "site": "arm"}]


def test_an_alias_gives_way_to_the_column_of_that_name(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv", "sex,gender,age", "male,,5")
    assert read_table(path, ("sex",)) == [{"sex": "male", "gender": "", "age": "5"}]


@pytest.mark.parametrize("header", ["image,label,Label", "localization,anatom_site_general,image"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, header: str) -> None:
    path = write_lines(tmp_path / "t.csv", header, "a,b,c")
    with pytest.raises(DataError, match=r"more than one column that is read as (label|site)"):
        read_table(path, ())


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv", "image,age")
    with pytest.raises(DataError, match=r"t\.csv has no column dx, lesion_id, only image, age"):
        read_table(path, ("image", "lesion_id", "dx"))


def test_an_empty_table_lacks_its_columns(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv")
    with pytest.raises(DataError, match="no column image, only nothing"):
        read_table(path, ("image",))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv is missing: unpack"):
        read_table(tmp_path / "none.csv", ())


def test_what_is_no_utf_8_text_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.csv", "image,site", "a,Rücken", encoding="latin-1")
    with pytest.raises(DataError, match=r"t\.csv cannot be read as a UTF-8 table .*save it as UTF-8"):
        read_table(path, ())
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        read_table(tmp_path, ())


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('",;\t\n'), max_size=6)


@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=8), delimiter=st.sampled_from(",;\t"))
def test_no_row_that_python_writes_is_lost(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    import csv

    path = tmp_path_factory.mktemp("table") / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("image", "label"), *rows])
    expected = [{"image": a.strip(), "label": b.strip()} for a, b in rows if a or b]
    assert read_table(path, ("image", "label")) == expected


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ISIC_1", "ISIC_1"),
        ("ISIC_1.jpg", "ISIC_1"),
        ("ISIC_1.JPG", "ISIC_1"),
        ("ISIC_1.v2", "ISIC_1.v2"),
        ("a/ISIC_1.png", "a/ISIC_1"),
        ("a\\ISIC_1.png", "a/ISIC_1"),
        ("./ISIC_1.tif", "ISIC_1"),
        ("ISIC_1.csv", "ISIC_1.csv"),
    ],
)
def test_the_id_is_the_name_without_the_suffix_of_an_image(name: str, found: str) -> None:
    assert image_id(name) == found


def test_a_row_given_twice_counts_once_and_two_different_ones_are_refused() -> None:
    rows = [{"image": f"{name}.jpg", "label": label} for name, label in ("a1", "b1", "a1")]
    assert unique_rows(Path("t.csv"), rows, "image") == {"a": rows[0], "b": rows[1]}
    torn = [*rows, {"image": "b", "label": "2"}, {"image": "b", "label": "3"}]
    with pytest.raises(DataError, match=r"t\.csv: 1 image id has different rows, for example b: keep"):
        unique_rows(Path("t.csv"), torn, "image")


def test_a_row_without_an_id_is_refused() -> None:
    with pytest.raises(DataError, match=r"t\.csv: a row has no image, the one with , NV"):
        unique_rows(Path("t.csv"), [{"image": "", "label": "NV"}], "image")


def test_image_files_are_found_by_id_and_others_left_out(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.JPG", "c.png", "d.Tiff", "e.v2.jpeg", "licence.txt", "._a.jpg", "f.csv"):
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    names = {"a": "a.jpg", "b": "b.JPG", "c": "c.png", "d": "d.Tiff", "e.v2": "e.v2.jpeg"}
    assert image_files(tmp_path) == {image: tmp_path / name for image, name in names.items()}


def test_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    write_flats(tmp_path, "a.jpg", "a.png", "b.jpg")
    with pytest.raises(
        DataError, match=r"1 image id has several files, for example a \(.*a\.jpg, .*a\.png\)"
    ):
        image_files(tmp_path)


def test_a_missing_image_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is missing"):
        image_files(tmp_path / "nowhere")


def test_a_folder_is_found_whatever_its_case_and_within_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "isic_INPUT" / "ISIC_Input").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    assert find_folder(tmp_path, "none", "ISIC_Input") == tmp_path / "isic_INPUT" / "ISIC_Input"
    assert find_folder(tmp_path, "Other", "ISIC_Input") == tmp_path / "other"
    assert find_folder(tmp_path, "none") is None
    assert find_folder(tmp_path / "nowhere", "other") is None


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"age": "55.0", "sex": "Female", "site": "left arm"}, Person(55, "female", "left arm")),
        ({"age": "0", "sex": "m", "site": "Unknown"}, Person(0, "male", None)),
        ({"age": "nan", "sex": "NA", "site": ""}, Person(None, None, None)),
        ({"age": "-3", "sex": "x"}, Person(None, None, None)),
        ({}, Person(None, None, None)),
    ],
)
def test_what_is_said_of_the_patient(row: dict[str, str], found: Person) -> None:
    assert person(row) == found


def test_ages_and_sexes_that_mean_nothing_are_counted() -> None:
    pairs = {
        "a": ("85+", "male"),
        "b": ("400", "other"),
        "c": ("nan", "unknown"),
        "d": ("30", "f"),
        "e": ("", ""),
    }
    rows = {image: {"age": age, "sex": sex} for image, (age, sex) in pairs.items()}
    assert unreadable(rows) == (
        "2 ages are unusable and left out, for example a, b",
        "1 sex is unusable and left out, for example b",
    )
    assert unreadable({"a": {}}) == ()
