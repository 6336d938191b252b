"""The audit of a data set and its split as a page, with the pictures of affected and contradictory pairs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transxv2s.datasets.article import original
from transxv2s.datasets.audit import KINDS, Audit, Kind, folds_sentence, summary
from transxv2s.datasets.census import ALL
from transxv2s.datasets.splits import SUBSETS, UNUSED
from transxv2s.errors import ImageError
from transxv2s.imaging.decode import decode
from transxv2s.reports.page import fill
from transxv2s.reports.pictures import data_uri, thumbnail

SHOWN = 12  # pairs of each kind
SIDE = 240  # pixels of a picture's longer side

TITLES: dict[Kind, str] = {
    "lesion": "The same lesion on both sides",
    "exact": "Identical files on both sides",
    "near": "Near copies on both sides",
}


def render(audit: Audit, name: str, files: Mapping[str, Path]) -> str:
    """An HTML document without a script or an outside resource.

    Args:
        audit: What was found.
        name: Of the data set.
        files: Image file by id.
    """
    pictures = [
        (TITLES[kind], [_leak(entry, files) for entry in _some(audit["shared"], kind)]) for kind in KINDS
    ]
    pictures += [
        (
            f"Contradicting labels: {words}",
            [_contradiction(c, files) for c in _some(audit["contradictions"], kind)],
        )
        for kind, words in (("lesion", "one lesion"), ("exact", "identical files"), ("near", "near copies"))
    ]
    sizes = [size for rows in audit["sizes"].values() for size in rows.values()]
    return fill(
        "audit.html.j2",
        audit=audit,
        name=name,
        summary=summary(audit),
        folds=folds_sentence(audit),
        pictures=pictures,
        subsets=[s for s in (ALL, *SUBSETS, UNUSED) if any(s in columns for columns in sizes)],
    )


def _some(entries: Iterable[Any], kind: str) -> list[Any]:
    return [entry for entry in entries if entry["kind"] == kind][:SHOWN]


def _leak(entry: Any, files: Mapping[str, Path]) -> dict[str, Any]:
    words = f"{entry['image']} ({entry['subset']}) beside {entry['other']} ({entry['other_subset']})"
    return {"words": words, "pictures": _pictures(entry, files)}


def _contradiction(entry: Any, files: Mapping[str, Path]) -> dict[str, Any]:
    words = f"{entry['image']} is {entry['label']}, {entry['other']} is {entry['other_label']}"
    return {"words": words, "pictures": _pictures(entry, files)}


def _pictures(entry: Any, files: Mapping[str, Path]) -> list[dict[str, str]]:
    return [
        {"name": image, "uri": _picture(files[original(image)])} for image in (entry["image"], entry["other"])
    ]


def _picture(path: Path) -> str:
    """A `data:` address; empty where the image cannot be read."""
    try:
        return data_uri(thumbnail(decode(path), SIDE))
    except ImageError:
        return ""
