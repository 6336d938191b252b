"""What readers say of what they found."""

from pathlib import Path

import pytest

from transxv2s.datasets.records import Record, counted, examples, notes, with_larger_files


def test_larger_files_replace_only_the_path_of_the_same_image() -> None:
    records = [Record(i, Path(f"small/{i}.jpg"), 1, "l", "HAM10000") for i in ("a", "b")]
    larger = with_larger_files(records, {"b": Path("large/b.jpg"), "c": Path("large/c.jpg")})
    assert larger == (records[0], Record("b", Path("large/b.jpg"), 1, "l", "HAM10000"))


def test_a_message_shows_three_names() -> None:
    assert examples(["a", "b", "c"]) == "a, b, c"
    assert examples("abcd") == "a, b, c, …"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["a"], "1 row is odd, for example a"),
        (["a", "b"], "2 rows are odd, for example a, b"),
        (map(str, range(1500)), "1,500 rows are odd, for example 0, 1, 2, …"),
    ],
)
def test_counts_and_examples(names: list[str], said: str) -> None:
    assert counted(names, "row is odd", "rows are odd") == said


def test_notes_that_say_nothing_are_none() -> None:
    assert notes("", "something", "") == ("something",)
