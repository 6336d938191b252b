"""Groups against a breadth-first search."""

from collections.abc import Sequence

from hypothesis import given, settings

from transxv2s.datasets.groups import groups

from .structures import Structure, copies_of, records_of, searched_groups, structures


def partition(names: Sequence[str]) -> list[frozenset[int]]:
    return [frozenset(i for i, other in enumerate(names) if other == name) for name in names]


@settings(deadline=None, max_examples=40)
@given(structure=structures)
def test_groups_are_the_connected_components(structure: Structure) -> None:
    assert partition(groups(records_of(structure), copies_of(structure))) == searched_groups(structure)


def test_lesions_and_copies_chain() -> None:
    structure: Structure = [(1, 0), (1, 1), (2, 1), (None, 2), (2, 2), (3, 3), (None, 4)]
    found = groups(records_of(structure), copies_of(structure))
    assert found == ["l1", "l1", "l1", "l1", "l1", "l3", "i006"]
