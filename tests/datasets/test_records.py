"""What all readers share: tables, image folders, messages."""

from pathlib import Path

import pytest

from transxv2s.datasets.records import Record, examples, image_files, rows, with_larger_files
from transxv2s.errors import DataError


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_byte_order_mark_and_extra_columns_do_not_matter(
    tmp_path: Path, newline: str, mark: str
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        mark + "".join(f"{line}{newline}" for line in ("image,extra,lesion_id", "a,1,x", "b,2,")), newline=""
    )
    found = [(row["image"], row["lesion_id"]) for row in rows(table, ("lesion_id", "image"))]
    assert found == [("a", "x"), ("b", "")]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("image,age\n")
    with pytest.raises(DataError, match=r"table\.csv has no column dx, lesion_id"):
        list(rows(tmp_path / "table.csv", ("image", "lesion_id", "dx")))


def test_an_empty_table_lacks_its_columns(tmp_path: Path) -> None:
    (tmp_path / "table.csv").touch()
    with pytest.raises(DataError, match="no column image"):
        list(rows(tmp_path / "table.csv", ("image",)))


def test_a_missing_table_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv is missing"):
        list(rows(tmp_path / "none.csv", ()))
    with pytest.raises(DataError, match="nowhere is missing"):
        image_files(tmp_path / "nowhere")


def test_image_files_are_found_by_id_and_others_left_out(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.JPG", "c.png", "licence.txt", "d.csv"):
        (tmp_path / name).touch()
    assert image_files(tmp_path) == {
        "a": tmp_path / "a.jpg",
        "b": tmp_path / "b.JPG",
        "c": tmp_path / "c.png",
    }


def test_larger_files_replace_only_the_path_of_the_same_image() -> None:
    records = [Record(i, Path(f"small/{i}.jpg"), 1, "l", "HAM10000") for i in ("a", "b")]
    larger = with_larger_files(records, {"b": Path("large/b.jpg"), "c": Path("large/c.jpg")})
    assert larger == [records[0], Record("b", Path("large/b.jpg"), 1, "l", "HAM10000")]


def test_a_message_shows_three_names() -> None:
    assert examples(["a", "b", "c"]) == "a, b, c"
    assert examples("abcd") == "a, b, c, …"
