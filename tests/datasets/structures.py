"""Made-up data sets: which images share a lesion and which are copies of one picture."""

from collections import defaultdict, deque
from itertools import combinations
from pathlib import Path

from hypothesis import strategies as st

from transxv2s.datasets.duplicates import Pair
from transxv2s.datasets.records import Record

# for each image: number of its lesion (None: unknown) and number of its picture
Structure = list[tuple[int | None, int]]
structures = st.lists(st.tuples(st.none() | st.integers(0, 40), st.integers(0, 60)), min_size=60, max_size=90)


def records_of(structure: Structure) -> list[Record]:
    """One record an image; the files do not exist."""
    return [
        Record(
            f"i{place:03}", Path(f"{picture}.png"), place % 2, None if lesion is None else f"l{lesion}", "MSK"
        )
        for place, (lesion, picture) in enumerate(structure)
    ]


def copies_of(structure: Structure) -> list[Pair]:
    """Every pair of images of one picture."""
    owners: defaultdict[int, list[int]] = defaultdict(list)
    for place, (_, picture) in enumerate(structure):
        owners[picture].append(place)
    return [Pair(i, j, "near", 0.99) for places in owners.values() for i, j in combinations(places, 2)]


def searched_groups(structure: Structure) -> list[frozenset[int]]:
    """For each image all that can be reached over shared lesions and pictures (breadth first)."""
    owners: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for place, (lesion, picture) in enumerate(structure):
        owners["picture", picture].append(place)
        if lesion is not None:
            owners["lesion", lesion].append(place)

    def reached(start: int) -> frozenset[int]:
        seen, queue = {start}, deque([start])
        while queue:
            lesion, picture = structure[queue.popleft()]
            near = owners["picture", picture] + ([] if lesion is None else owners["lesion", lesion])
            queue.extend(new := set(near) - seen)
            seen |= new
        return frozenset(seen)

    return [reached(place) for place in range(len(structure))]
