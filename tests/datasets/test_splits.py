"""Splits: folds partition the set and tear no group; hospitals held out; the article's protocol; files."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transxv2s.datasets import splits
from transxv2s.datasets.article import COPY
from transxv2s.datasets.records import Record
from transxv2s.datasets.tables import read_table
from transxv2s.errors import DataError

from .structures import Structure, copies_of, records_of, searched_groups, structures

HERE = Path(__file__).resolve().parents[2] / "splits"


def write_split(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("image,lesion,fold,split", *lines)))
    return path


@settings(deadline=None, max_examples=20)
@given(structure=structures, seed=st.integers(0, 3))
def test_no_group_is_torn_and_every_image_has_one_fold(
    structure: Structure, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    records, path = records_of(structure), tmp_path_factory.mktemp("split") / "split.csv"
    try:
        splits.write(splits.grouped(records, copies_of(structure), seed), path)
    except DataError:
        assert len(set(searched_groups(structure))) < 2 * splits.FOLDS  # only where groups are scarce
        return
    split = splits.load(path)
    for group in set(searched_groups(structure)):
        assert len({split.fold[f"i{place:03}"] for place in group}) == 1
    assert list(split.fold) == [r.id for r in records]
    assert set(split.fold.values()) == set(range(splits.FOLDS))
    selected = [r.id for subset in splits.SUBSETS for r in split.select(records, subset)]
    assert sorted(selected) == [r.id for r in records]


@settings(deadline=None, max_examples=10)
@given(structure=structures)
def test_folds_of_cross_validation_test_every_image_once(
    structure: Structure, tmp_path_factory: pytest.TempPathFactory
) -> None:
    records, path = records_of(structure), tmp_path_factory.mktemp("split") / "split.csv"
    try:
        splits.write(splits.grouped(records, copies_of(structure)), path)
    except DataError:
        return
    rounds = [splits.load(path).for_fold(fold) for fold in range(splits.FOLDS)]
    tested = Counter(r.id for split in rounds for r in split.select(records, "test"))
    validated = Counter(r.id for split in rounds for r in split.select(records, "validation"))
    assert tested == validated == Counter({r.id: 1 for r in records})
    assert len({split.digest for split in rounds}) == splits.FOLDS


def test_a_fold_that_is_not_there_is_refused(tmp_path: Path) -> None:
    split = splits.load(write_split(tmp_path / "split.csv", "a,l1,0,test", "b,l2,1,train"))
    with pytest.raises(DataError, match="has the folds 0 to 1, not 7"):
        split.for_fold(7)


def test_the_same_seed_makes_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    records = records_of([(None, place) for place in range(60)])
    a, b, c = (
        splits.write(splits.grouped(records, [], seed), tmp_path / f"{name}.csv")
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert a == b == splits.load(tmp_path / "a.csv").digest
    assert a != c


def test_folds_are_stratified_by_class_and_source() -> None:
    records = [
        Record(f"i{i:03}", Path("x"), 0 if i < 40 else 1, None, "MSK" if i % 2 else "HAM10000")
        for i in range(60)
    ]
    fold = {row["image"]: row["fold"] for row in splits.grouped(records, [])}
    for stratum, size in {(0, "MSK"): 2, (0, "HAM10000"): 2, (1, "MSK"): 1, (1, "HAM10000"): 1}.items():
        counts = Counter(fold[r.id] for r in records if (r.label, r.source) == stratum)
        assert counts == Counter({str(k): size for k in range(splits.FOLDS)})


def test_too_few_images_are_refused() -> None:
    with pytest.raises(DataError, match="9 images of 9 lesions are too few for 10 folds"):
        splits.grouped(records_of([(None, place) for place in range(9)]), [])


def test_too_few_lesions_are_refused() -> None:
    with pytest.raises(DataError, match="40 images of 5 lesions are too few"):
        splits.grouped(records_of([(place % 5, place) for place in range(40)]), [])


def hospitals(base: Path) -> tuple[list[Record], splits.Split]:
    """Sixty images of three hospitals; image 0 of A is in one group with image 1 of B."""
    records = [Record(f"i{i:03}", Path("x"), 0, None, "ABC"[i % 3]) for i in range(60)]
    lines = [f"i{i:03},{'shared' if i < 2 else f'l{i}'},{i % 10},train" for i in range(60)]
    return records, splits.load(write_split(base, *lines))


def test_whole_hospitals_are_held_out(tmp_path: Path) -> None:
    records, base = hospitals(tmp_path / "base.csv")
    splits.write(splits.leave_source_out(base, records, ["A", "C"]), tmp_path / "out.csv")
    split = splits.load(tmp_path / "out.csv")
    assert {r.source for r in split.select(records, "test")} == {"B"}
    assert len(split.select(records, "test")) == 20
    assert [r.id for r in split.select(records, "unused")] == ["i000"]
    validation = split.select(records, "validation")
    assert {base.fold[r.id] for r in validation} == {splits.VALIDATION_FOLD}
    assert len(validation) + len(split.select(records, "train")) == 39
    trained = {split.lesion[r.id] for s in ("train", "validation") for r in split.select(records, s)}
    assert trained.isdisjoint({split.lesion[r.id] for r in split.select(records, "test")})


def test_images_that_are_left_out_take_their_group_along_and_stay_out_of_every_fold(tmp_path: Path) -> None:
    lines = ("i1_downsampled,l1,0,test", "i2,l1,0,test", "i3,l3,1,test", "i4,l4,2,train")
    rows = read_table(write_split(tmp_path / "base.csv", *lines), splits.COLUMNS)
    splits.write(splits.left_out(rows, {"i1", "foreign"}), tmp_path / "out.csv")
    split = splits.load(tmp_path / "out.csv")
    assert split.subset == {"i1_downsampled": "unused", "i2": "unused", "i3": "test", "i4": "train"}
    assert split.for_fold(0).subset == {
        "i1_downsampled": "unused",
        "i2": "unused",
        "i3": "validation",
        "i4": "train",
    }
    with pytest.raises(DataError, match="none of the images to leave out is in the data set"):
        splits.left_out(rows, {"i5"})


def test_what_is_kept_out_of_the_base_stays_out_of_a_held_out_hospital(tmp_path: Path) -> None:
    records, base = hospitals(tmp_path / "base.csv")
    kept = replace(base, subset=base.subset | dict.fromkeys(("i001", "i003", "i004"), "unused"))
    splits.write(splits.leave_source_out(kept, records, ["A", "C"]), tmp_path / "out.csv")
    split = splits.load(tmp_path / "out.csv")
    unused = {r.id for r in split.select(records, "unused")}
    assert unused == {"i001", "i003", "i004"}, "i000 shares a group with i001 of B, which tests no more"


@pytest.mark.parametrize("sources", [["D"], ["A", "B", "C"], [""]])
def test_a_direction_needs_known_sources_on_both_sides(sources: list[str], tmp_path: Path) -> None:
    records, base = hospitals(tmp_path / "base.csv")
    with pytest.raises(DataError, match="train on some of the sources A, B, C"):
        splits.leave_source_out(base, records, sources)


def test_the_articles_protocol_doubles_the_set_and_splits_it_by_image() -> None:
    records = records_of([(place // 5, place) for place in range(200)])
    rows = splits.by_image(records)
    assert sorted(row["image"] for row in rows) == sorted(r.id + end for r in records for end in ("", COPY))
    subset = {row["image"]: row["split"] for row in rows}
    parted = sum(subset[r.id] != subset[r.id + COPY] for r in records)
    assert parted > 50  # by chance 1 - (0.7² + 0.1² + 0.2²) = 46 % of 200


def test_an_unknown_subset_is_refused(tmp_path: Path) -> None:
    path = write_split(tmp_path / "split.csv", "a,l1,0,holdout")
    with pytest.raises(DataError, match="must hold train, validation, test, not 'holdout'"):
        splits.load(path)


def test_an_image_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    path = write_split(tmp_path / "split.csv", "a,l1,0,train", "a,l1,1,test")
    with pytest.raises(DataError, match="1 image has several rows, for example a: keep one"):
        splits.load(path)


def test_a_fold_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the fold of a is not a whole number"):
        splits.load(write_split(tmp_path / "split.csv", "a,l1,first,train"))


def test_a_record_outside_the_split_is_refused(tmp_path: Path) -> None:
    split = splits.load(write_split(tmp_path / "split.csv", "i000,l1,0,test"))
    with pytest.raises(DataError, match="1 image is not in the split, for example i001"):
        split.select(records_of([(None, 0), (None, 1)]), "test")


@pytest.mark.parametrize("fold", ["²", "9" * 5000, "-1", "1.0"])
def test_odd_folds_are_refused_in_a_sentence(fold: str, tmp_path: Path) -> None:
    path = write_split(tmp_path / "split.csv", f"a,l1,{fold},train")
    with pytest.raises(DataError, match="the fold of a is not a whole number"):
        splits.load(path)


def test_images_of_no_lesion_are_no_lesion_together(tmp_path: Path) -> None:
    loaded = splits.load(write_split(tmp_path / "split.csv", "a,,0,train", "b,,1,test", "c,nan,2,test"))
    assert len(set(loaded.lesion.values())) == 3


def test_a_missing_split_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv is missing: make one with `transxv2s data split`"):
        splits.load(tmp_path / "none.csv")


def test_a_split_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made"):
        splits.write([], tmp_path / "file" / "split.csv")
