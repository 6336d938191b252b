"""Whether a split leaks: lesions and copies of pictures on both sides; and what the data set contradicts.

A held-out image is affected when it shares a lesion with, or is an exact or near copy of, an image of an
earlier subset: validation of train, test of train or validation.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict

from transxv2s.datasets.census import ALL, Sizes, census
from transxv2s.datasets.duplicates import Pair
from transxv2s.datasets.records import Reading, Record
from transxv2s.datasets.splits import SUBSETS, Split
from transxv2s.errors import LeakageError

Kind = Literal["lesion", "exact", "near"]
KINDS: tuple[Kind, ...] = ("lesion", "exact", "near")
LEAKY = "LEAKY protocol, for comparison only: "  # begins what is said of a split that was declared to leak

RANK = {subset: place for place, subset in enumerate(SUBSETS)}


class Shared(TypedDict):
    """A held-out image and one of an earlier subset that it shares something with."""

    kind: Kind
    image: str
    subset: str
    other: str
    other_subset: str


class Contradiction(TypedDict):
    """Two images of one lesion, or of one picture, with different labels."""

    kind: Kind
    image: str
    label: str
    other: str
    other_label: str


class Affected(TypedDict):
    """Held-out images, and how many are affected in each way and in any."""

    images: int
    lesion: int
    exact: int
    near: int
    any: int


class Audit(TypedDict):
    """What was found, ready for JSON.

    Attributes:
        split: Digest of the split.
        leaks: Whether any image is affected.
        sizes: Images and lesions by class and by source, for each subset.
        missing: Ids without a file.
        unreadable: Reasons by id of images that cannot be read, and so were compared with none.
        notes: What the reader coped with.
        copies: Pairs of exact and near copies in the whole set, wherever they are.
        contradictions: Pairs with different labels.
        affected: By held-out subset, then by class ("all" is everything).
        shared: One entry for each affected image and kind.
        folds_torn: Lesions and pairs of copies in more than one fold; they matter for cross-validation.
    """

    split: str
    leaks: bool
    sizes: Sizes
    missing: list[str]
    unreadable: dict[str, str]
    notes: list[str]
    copies: dict[str, int]
    contradictions: list[Contradiction]
    affected: dict[str, dict[str, Affected]]
    shared: list[Shared]
    folds_torn: int


class Cluster(NamedTuple):
    """Positions of images that belong together."""

    kind: Kind
    places: list[int]


def audit(
    reading: Reading, split: Split, pairs: Sequence[Pair], unreadable: Mapping[str, str] | None = None
) -> Audit:
    """Audits a data set and a split of it.

    Args:
        reading: The data set.
        split: Names every image of it.
        pairs: Copies of pictures, by positions in the records of the reading.
        unreadable: Reasons by id of images that could not be compared.

    Raises:
        DataError: An image is not in the split.
    """
    records, codes = reading.records, reading.taxonomy.codes
    split.select(records, "train")  # refuses images that the split does not know
    clusters = [*_lesions(records, split), *(Cluster(p.kind, [p.first, p.second]) for p in pairs)]
    shared = [entry for cluster in clusters for entry in _shared(cluster, records, split)]
    folds = [{split.fold[records[place].id] for place in cluster.places} for cluster in clusters]
    return {
        "split": split.digest,
        "leaks": bool(shared),
        "sizes": census(reading, split),
        "missing": list(reading.missing),
        "unreadable": dict(unreadable or {}),
        "notes": list(reading.notes),
        "copies": {kind: sum(pair.kind == kind for pair in pairs) for kind in ("exact", "near")},
        "contradictions": [c for cluster in clusters for c in _contradictions(cluster, records, codes)],
        "affected": _affected(records, split, shared, codes),
        "shared": list({(entry["kind"], entry["image"]): entry for entry in shared}.values()),
        "folds_torn": sum(len(several) > 1 for several in folds),
    }


def refuse_leaks(found: Audit, leaky: bool) -> None:
    """Stops training and evaluation on a split that leaks, unless its protocol was declared leaky.

    Raises:
        LeakageError: It leaks.
    """
    if found["leaks"] and not leaky:
        raise LeakageError(f"{summary(found)}; make a grouped split, or declare the protocol as leaky")


def summary(found: Audit) -> str:
    """One sentence on how much a split leaks."""
    parts = [
        f"{classes[ALL]['any']:,} of {classes[ALL]['images']:,} {subset} images share a lesion or a picture "
        f"with {'training or validation' if subset == 'test' else 'training'}"
        for subset, classes in found["affected"].items()
        if classes[ALL]["any"]
    ]
    return f"the split {found['split']} " + (f"leaks: {' and '.join(parts)}" if parts else "does not leak")


def folds_sentence(found: Audit) -> str:
    """What cross-validation over the folds would tear; empty for nothing."""
    torn = found["folds_torn"]
    if not torn:
        return ""
    what = "lesion or pair of copies lies" if torn == 1 else "lesions or pairs of copies lie"
    return f"{torn:,} {what} in more than one fold: cross-validation leaks, an audit with --fold says where"


def _lesions(records: Sequence[Record], split: Split) -> list[Cluster]:
    """Images of one lesion; where the data set knows none, of one group of the split file."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        places[record.lesion or split.lesion[record.id]].append(place)
    return [Cluster("lesion", together) for together in places.values() if len(together) > 1]


def _shared(cluster: Cluster, records: Sequence[Record], split: Split) -> list[Shared]:
    """Each image of a cluster that is in a later subset than its earliest, beside that one."""
    ids = [records[place].id for place in cluster.places]
    used = sorted((i for i in ids if split.subset[i] in RANK), key=lambda i: RANK[split.subset[i]])
    return [
        {
            "kind": cluster.kind,
            "image": image,
            "subset": split.subset[image],
            "other": used[0],
            "other_subset": split.subset[used[0]],
        }
        for image in used
        if split.subset[image] != split.subset[used[0]]
    ]


def _contradictions(cluster: Cluster, records: Sequence[Record], codes: Sequence[str]) -> list[Contradiction]:
    """The first image of a cluster beside the first of each other label."""
    first: dict[int, Record] = {}
    for place in cluster.places:
        first.setdefault(records[place].label, records[place])
    one, *others = first.values()
    return [
        {
            "kind": cluster.kind,
            "image": one.id,
            "label": codes[one.label],
            "other": other.id,
            "other_label": codes[other.label],
        }
        for other in others
    ]


def _affected(
    records: Sequence[Record], split: Split, shared: Sequence[Shared], codes: Sequence[str]
) -> dict[str, dict[str, Affected]]:
    kinds: defaultdict[str, set[Kind]] = defaultdict(set)
    for entry in shared:
        kinds[entry["image"]].add(entry["kind"])
    return {
        subset: {
            name: _count([r.id for r in held if name in (ALL, codes[r.label])], kinds)
            for name in (ALL, *codes)
        }
        for subset in ("validation", "test")
        if (held := split.select(records, subset))
    }


def _count(images: Sequence[str], kinds: dict[str, set[Kind]]) -> Affected:
    of = [kinds.get(image, set()) for image in images]
    return {
        "images": len(images),
        "lesion": sum("lesion" in k for k in of),
        "exact": sum("exact" in k for k in of),
        "near": sum("near" in k for k in of),
        "any": sum(bool(k) for k in of),
    }
