"""The audit finds every planted leak, and none where there is none, against counting by hand."""

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transxv2s.datasets.audit import KINDS, audit, refuse_leaks, summary
from transxv2s.datasets.duplicates import Pair
from transxv2s.datasets.records import Reading, Record
from transxv2s.datasets.splits import SUBSETS, Split
from transxv2s.errors import LeakageError

from .structures import Structure, copies_of, records_of, structures

RANK = {subset: place for place, subset in enumerate(SUBSETS)}


def split_of(records: list[Record], subsets: list[str]) -> Split:
    ids = [record.id for record in records]
    return Split(
        {r.id: r.lesion or r.id for r in records},
        {image: place for place, image in enumerate(ids)},
        dict(zip(ids, subsets, strict=True)),
        "digest",
    )


def reading(*lesions: str | None, labels: tuple[int, ...] = ()) -> Reading:
    labels = labels or (0,) * len(lesions)
    return Reading(
        tuple(Record(f"i{i}", Path("x"), labels[i], lesion, "MSK") for i, lesion in enumerate(lesions))
    )


def affected_by_hand(records: list[Record], split: Split, pairs: list[Pair]) -> set[tuple[str, str]]:
    """All (kind, image) that share something with an image of an earlier subset, pair by pair."""
    together = [
        ("lesion", a.id, b.id) for a, b in combinations(records, 2) if a.lesion and a.lesion == b.lesion
    ]
    together += [(p.kind, records[p.first].id, records[p.second].id) for p in pairs]
    return {
        (kind, late)
        for kind, one, other in together
        for early, late in ((one, other), (other, one))
        if RANK[split.subset[early]] < RANK[split.subset[late]]
    }


@settings(deadline=None, max_examples=40)
@given(structure=structures, data=st.data())
def test_exactly_the_affected_images_are_found(structure: Structure, data: st.DataObject) -> None:
    records, pairs = records_of(structure), copies_of(structure)
    subsets = data.draw(st.lists(st.sampled_from(SUBSETS), min_size=len(records), max_size=len(records)))
    split = split_of(records, subsets)
    found = audit(Reading(tuple(records)), split, pairs)
    wanted = affected_by_hand(records, split, pairs)
    assert {(entry["kind"], entry["image"]) for entry in found["shared"]} == wanted
    assert len(found["shared"]) == len(wanted)
    assert found["leaks"] is bool(wanted)
    for subset in ("validation", "test"):
        if subset in subsets:
            counts = found["affected"][subset]["all"]
            here = {(kind, image) for kind, image in wanted if split.subset[image] == subset}
            assert counts["any"] == len({image for _, image in here})
            for kind in KINDS:
                assert counts[kind] == sum(k == kind for k, _ in here)


def test_a_clean_split_passes() -> None:
    data = reading("l1", "l1", "l2", None)
    found = audit(data, split_of(list(data.records), ["train", "train", "test", "validation"]), [])
    assert not found["leaks"]
    assert summary(found) == "the split digest does not leak"
    refuse_leaks(found, leaky=False)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_leak_is_refused_and_named(kind: str) -> None:
    data = reading(*(("l1", "l1") if kind == "lesion" else ("l1", "l2")), None)
    pairs = [] if kind == "lesion" else [Pair(0, 1, "exact" if kind == "exact" else "near", 1.0)]
    found = audit(data, split_of(list(data.records), ["train", "test", "test"]), pairs)
    assert found["shared"] == [
        {"kind": kind, "image": "i1", "subset": "test", "other": "i0", "other_subset": "train"}
    ]
    with pytest.raises(LeakageError, match="1 of 2 test images share a lesion or a picture with training"):
        refuse_leaks(found, leaky=False)
    refuse_leaks(found, leaky=True)


def test_a_declared_group_counts_where_no_lesion_is_known() -> None:
    data = reading(None, None)
    split = split_of(list(data.records), ["train", "test"])
    split.lesion["i1"] = split.lesion["i0"]
    assert audit(data, split, [])["leaks"]


def test_unused_images_do_not_leak() -> None:
    data = reading("l1", "l1")
    assert not audit(data, split_of(list(data.records), ["unused", "test"]), [])["leaks"]


def test_contradicting_labels_are_listed() -> None:
    data = reading("l1", "l1", None, None, labels=(0, 1, 0, 4))
    split = split_of(list(data.records), ["train"] * 4)
    found = audit(data, split, [Pair(2, 3, "exact", 1.0)])
    assert found["contradictions"] == [
        {"kind": "lesion", "image": "i0", "label": "MEL", "other": "i1", "other_label": "NV"},
        {"kind": "exact", "image": "i2", "label": "MEL", "other": "i3", "other_label": "BKL"},
    ]
    assert found["folds_torn"] == 2
    assert found["copies"] == {"exact": 1, "near": 0}


def test_sizes_count_images_and_lesions() -> None:
    data = reading("l1", "l1", "l2", None, labels=(0, 0, 0, 1))
    found = audit(data, split_of(list(data.records), ["train", "train", "test", "test"]), [])
    by_class = found["sizes"]["class"]
    assert by_class["MEL"] == {
        "all": {"images": 3, "lesions": 2},
        "train": {"images": 2, "lesions": 1},
        "test": {"images": 1, "lesions": 1},
    }
    assert by_class["all"]["all"] == {"images": 4, "lesions": 3}
    assert set(found["sizes"]["source"]) == {"all", "MSK"}
