"""Splits: groups against a breadth-first search, no lesion in two subsets, and the committed file."""

import tarfile
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transxv2s.datasets import isic2019, splits
from transxv2s.datasets.records import Record, rows
from transxv2s.errors import DataError

IDENTICAL = "byte_identical_groups.csv"
COMMITTED = Path(__file__).resolve().parents[2] / "splits" / "isic2019-lesion-seed0.csv"

# for each image: number of its lesion (None: unknown) and number of its content
Structure = list[tuple[int | None, int]]
structures = st.lists(st.tuples(st.none() | st.integers(0, 40), st.integers(0, 60)), min_size=60, max_size=90)


def records_of(structure: Structure, folder: Path) -> list[Record]:
    """One record an image; contents are files of a few bytes, shared by all that have the same number."""
    for number in range(61):
        (folder / str(number)).write_bytes(bytes([number]))
    return [
        Record(
            f"i{place:03}", folder / str(content), place % 2, None if lesion is None else f"l{lesion}", "MSK"
        )
        for place, (lesion, content) in enumerate(structure)
    ]


def searched_groups(structure: Structure) -> list[frozenset[int]]:
    """For each image all that can be reached over shared lesions and contents."""
    owners: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for place, (lesion, content) in enumerate(structure):
        owners["content", content].append(place)
        if lesion is not None:
            owners["lesion", lesion].append(place)

    def reached(start: int) -> frozenset[int]:
        seen, queue = {start}, deque([start])
        while queue:
            lesion, content = structure[queue.popleft()]
            near = owners["content", content] + ([] if lesion is None else owners["lesion", lesion])
            queue.extend(new := set(near) - seen)
            seen |= new
        return frozenset(seen)

    return [reached(place) for place in range(len(structure))]


def partition(names: Sequence[str]) -> list[frozenset[int]]:
    return [frozenset(i for i, other in enumerate(names) if other == name) for name in names]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contents")


@settings(deadline=None, max_examples=40)
@given(structure=structures)
def test_groups_are_the_connected_components(structure: Structure, folder: Path) -> None:
    assert partition(splits.groups(records_of(structure, folder))) == searched_groups(structure)


def test_lesions_and_identical_files_chain(folder: Path) -> None:
    structure: Structure = [(1, 0), (1, 1), (2, 1), (None, 2), (2, 2), (3, 3), (None, 4)]
    found = splits.groups(records_of(structure, folder))
    assert found == ["l1", "l1", "l1", "l1", "l1", "l3", "i006"]


@settings(deadline=None, max_examples=20)
@given(structure=structures, seed=st.integers(0, 3))
def test_no_group_is_torn_and_every_image_has_one_fold(structure: Structure, seed: int, folder: Path) -> None:
    records = records_of(structure, folder)
    path = folder / "split.csv"
    try:
        splits.make(records, path, seed)
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


def test_the_same_seed_makes_the_same_file_and_another_seed_another(tmp_path: Path, folder: Path) -> None:
    records = records_of([(None, place) for place in range(60)], folder)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        splits.make(records, tmp_path / f"{name}.csv", seed)
    a, b, c = ((tmp_path / f"{name}.csv").read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert splits.load(tmp_path / "a.csv").digest != splits.load(tmp_path / "c.csv").digest


def test_folds_are_stratified_by_class_and_source(tmp_path: Path, folder: Path) -> None:
    base = records_of([(None, place % 61) for place in range(61)], folder)
    records = [
        Record(r.id, r.path, 0 if i < 40 else 1, None, "MSK" if i % 2 else "HAM10000")
        for i, r in enumerate(base[:60])
    ]
    splits.make(records, tmp_path / "split.csv")
    fold = splits.load(tmp_path / "split.csv").fold
    for stratum, size in {(0, "MSK"): 2, (0, "HAM10000"): 2, (1, "MSK"): 1, (1, "HAM10000"): 1}.items():
        counts = Counter(fold[r.id] for r in records if (r.label, r.source) == stratum)
        assert counts == Counter(dict.fromkeys(range(splits.FOLDS), size))


def test_too_few_images_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match="9 images of 9 lesions are too few for 10 folds"):
        splits.make(records_of([(None, place) for place in range(9)], folder), tmp_path / "split.csv")
    assert not (tmp_path / "split.csv").exists()


def test_too_few_lesions_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match="40 images of 5 lesions are too few"):
        splits.make(records_of([(place % 5, place) for place in range(40)], folder), tmp_path / "split.csv")


def write_split(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("image,lesion,fold,split", *lines)))
    return path


def test_a_torn_lesion_is_refused(tmp_path: Path) -> None:
    path = write_split(tmp_path / "split.csv", "a,l1,0,test", "b,l1,3,train", "c,l2,3,train")
    with pytest.raises(DataError, match="1 lesions are in two subsets, for example l1"):
        splits.load(path)


def test_an_unknown_subset_is_refused(tmp_path: Path) -> None:
    path = write_split(tmp_path / "split.csv", "a,l1,0,holdout")
    with pytest.raises(DataError, match="must hold train, validation, test, not holdout"):
        splits.load(path)


def test_a_record_outside_the_split_is_refused(tmp_path: Path, folder: Path) -> None:
    split = splits.load(write_split(tmp_path / "split.csv", "i000,l1,0,test"))
    with pytest.raises(DataError, match="1 images are not in the split, for example i001"):
        split.select(records_of([(None, 0), (None, 1)], folder), "test")


def test_the_committed_split_holds_every_image_and_tears_no_group() -> None:
    split = splits.load(COMMITTED)  # refuses torn groups
    assert len(split.subset) == 25_299
    assert all(split.subset[image] == splits.subset_of(fold) for image, fold in split.fold.items())
    assert set(split.fold.values()) == set(range(splits.FOLDS))


def test_the_committed_split_agrees_with_the_publishers_lesions(shared_dir: Path, tmp_path: Path) -> None:
    with tarfile.open(shared_dir / "data" / "isic2019.tar") as archive:
        for name in (isic2019.GROUND_TRUTH, isic2019.METADATA, IDENTICAL):
            member = archive.extractfile(f"isic2019/{name}")
            assert member is not None
            (tmp_path / name).write_bytes(member.read())
    split, lesion_of = splits.load(COMMITTED), isic2019.lesions(tmp_path)
    assert set(split.subset) < set(isic2019.labels(tmp_path))
    together: defaultdict[str, set[str]] = defaultdict(set)
    for image, lesion in lesion_of.items():
        if image in split.lesion:
            together[lesion].add(split.lesion[image])
    assert len(together) > 10_000
    for row in rows(tmp_path / IDENTICAL, ("md5", "image_id")):
        together[row["md5"]].add(split.lesion[row["image_id"]])
    assert {name for name, groups in together.items() if len(groups) > 1} == set()
