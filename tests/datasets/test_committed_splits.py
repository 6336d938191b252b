"""The committed split files against the real data: made by what the documentation says, and free of leaks."""

import tarfile
from pathlib import Path

import pytest

from transxv2s.datasets import isic2019, splits
from transxv2s.datasets.article import doubled, doubled_pairs
from transxv2s.datasets.audit import audit
from transxv2s.datasets.copies import copies
from transxv2s.datasets.duplicates import Pair
from transxv2s.datasets.records import Reading, plain
from transxv2s.datasets.tables import read_table

SPLITS = Path(__file__).resolve().parents[2] / "splits"
GROUPED = SPLITS / "isic2019-grouped-seed0.csv"
WITHOUT_UDA1 = SPLITS / "isic2019-grouped-without-uda1-seed0.csv"
BY_IMAGE = SPLITS / "isic2019-article-by-image-seed0.csv"
DIRECTIONS = {
    "ham": {"HAM10000"},
    "bcn": {"BCN_20000"},
    "msk": {"MSK"},
    "ham-bcn": {"HAM10000", "BCN_20000"},
    "ham-msk": {"HAM10000", "MSK"},
    "bcn-msk": {"BCN_20000", "MSK"},
}


@pytest.fixture(scope="module")
def root(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("isic2019")
    with tarfile.open(shared_dir / "data" / "isic2019.tar") as archive:
        archive.extractall(folder, filter="data")
    return folder / "isic2019"


@pytest.fixture(scope="module")
def reading(root: Path) -> Reading:
    return isic2019.read(root)


@pytest.fixture(scope="module")
def pairs(reading: Reading) -> list[Pair]:
    found, unreadable = copies(reading.records)
    assert not unreadable
    return found


def test_the_known_copies_are_found(root: Path, reading: Reading, pairs: list[Pair]) -> None:
    ids = [record.id for record in reading.records]
    exact = {frozenset((ids[p.first], ids[p.second])) for p in pairs if p.kind == "exact"}
    groups: dict[str, list[str]] = {}
    for row in read_table(root / "byte_identical_groups.csv", ("md5", "image_id")):
        groups.setdefault(row["md5"], []).append(row["image_id"])
    assert exact == {frozenset(images) for images in groups.values()}
    assert len(exact) == 50
    near = {frozenset((ids[p.first], ids[p.second])) for p in pairs if p.kind == "near"}
    assert frozenset(("ISIC_0025226", "ISIC_0030074")) in near


def test_the_grouped_split_is_what_the_command_makes_and_does_not_leak(
    reading: Reading, pairs: list[Pair], tmp_path: Path
) -> None:
    again = splits.write(splits.grouped(reading.records, pairs), tmp_path / "again.csv")
    assert again == splits.digest(GROUPED)
    found = audit(reading, splits.load(GROUPED), pairs)
    assert not found["leaks"]
    assert found["folds_torn"] == 0


def test_the_split_that_keeps_uda1_for_a_test_is_the_grouped_one_without_it(
    reading: Reading, pairs: list[Pair], shared_dir: Path, tmp_path: Path
) -> None:
    with tarfile.open(shared_dir / "data" / "uda1.tar") as archive:
        archive.extract("uda1/labels.csv", tmp_path, filter="data")
    kept = {row["image_id"] for row in read_table(tmp_path / "uda1" / "labels.csv", ("image_id",))}
    rows = splits.left_out(splits.grouped(reading.records, pairs), kept)
    assert splits.write(rows, tmp_path / "again.csv") == splits.digest(WITHOUT_UDA1)
    split = splits.load(WITHOUT_UDA1)
    assert not audit(reading, split, pairs)["leaks"]
    used = [r for subset in splits.SUBSETS for r in split.select(reading.records, subset)]
    assert not {plain(r.id) for r in used} & kept


@pytest.mark.parametrize("name", DIRECTIONS)
def test_whole_hospitals_are_held_out_without_a_leak(name: str, reading: Reading, pairs: list[Pair]) -> None:
    split = splits.load(SPLITS / f"isic2019-train-{name}.csv")
    assert not audit(reading, split, pairs)["leaks"]
    source = {record.id: record.source for record in reading.records}
    assert {source[r.id] for r in split.select(reading.records, "train")} == DIRECTIONS[name]
    tested = {source[r.id] for r in split.select(reading.records, "test")}
    assert tested == set(source.values()) - DIRECTIONS[name]


def test_the_articles_protocol_leaks_nearly_everywhere(reading: Reading, pairs: list[Pair]) -> None:
    twice = Reading(tuple(doubled(reading.records)))
    found = audit(twice, splits.load(BY_IMAGE), doubled_pairs(pairs, len(reading.records)))
    held_out = found["affected"]["test"]["all"]
    assert held_out["any"] > 0.9 * held_out["images"]
