"""Which images a recipe trains, validates and tests on, and what they are prepared by."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from transxv2s.datasets import ham10000, registry, splits
from transxv2s.datasets.article import COPY, doubled, is_copy, original
from transxv2s.datasets.audit import Audit, refuse_leaks
from transxv2s.datasets.copies import copies
from transxv2s.datasets.labels import taxonomy_named
from transxv2s.datasets.protocol import audit_split, is_doubled
from transxv2s.datasets.records import Reading, Record, with_larger_files
from transxv2s.datasets.table import Columns
from transxv2s.errors import ConfigError, DataError
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.taxonomy import Taxonomy
from transxv2s.training.recipe import Data, Recipe, Table
from transxv2s.training.start import Origin, Parent, parent_of

HELD_OUT = ("validation", "test")
TABLE_KEYS = {"table": None, "folder": {"labels", "taxonomy", "behaviours"}}  # None: all of them

log = logging.getLogger(__name__)

Records = dict[str, tuple[Record, ...]]


@dataclass(frozen=True)
class Selection:
    """The images of a recipe.

    Attributes:
        taxonomy: Their classes.
        split: The split in use.
        audit: What was found in the images used.
        records: The images of each subset.
        leaks: Whether held-out images share something with images that the network is trained on, or, where
            it starts from a checkpoint, was.
        parent: That checkpoint.
        origin: What the new one tells of it.
    """

    taxonomy: Taxonomy
    split: splits.Split
    audit: Audit
    records: Records
    leaks: bool
    parent: Parent | None = None
    origin: Origin | None = None


class Part(NamedTuple):
    """Images that are prepared alike."""

    records: list[Record]
    preprocessing: Preprocessing


def select(recipe: Recipe) -> Selection:
    """Reads, splits and audits the data set of a recipe.

    Held-out images that the checkpoint to start from has seen are left out, and counted: on those left the
    scores are clean. Where the protocol is declared leaky they stay, and the validation part where the
    checkpoint was trained on the same split.

    Raises:
        ConfigError: The recipe's options do not fit each other, the data set or the checkpoint.
        DataError: Images, labels or the split are missing or wrong, or no held-out image is left.
        LeakageError: The split leaks and is not declared to.
        CheckpointError: The checkpoint to start from is damaged.
    """
    data, parent = recipe.data, parent_of(recipe)
    reading = read(data)
    split = _split(data, reading)
    there = doubled(reading.records) if is_doubled(split) else reading.records
    used: Records = {s: _thinned(split.select(there, s), data.limit) for s in splits.SUBSETS}
    audit = audit_split(replace(reading, records=_originals(used, splits.SUBSETS)), split)
    refuse_leaks(audit, data.leaky)
    chosen = Selection(
        reading.taxonomy,
        split,
        audit,
        {subset: with_larger_files(records, _larger_files(data)) for subset, records in used.items()},
        audit["leaks"],
    )
    return _clean(recipe, chosen, parent) if parent else chosen


def parts(records: Sequence[Record], preprocessing: Preprocessing, split: splits.Split) -> list[Part]:
    """One part; under the article's protocol two: images as they are, and copies that are preprocessed."""
    if not is_doubled(split):
        return [Part(list(records), preprocessing)]
    plain = preprocessing.model_copy(update={"hair_removal": None, "field_of_view": False, "colour": None})
    return [
        Part([record for record in records if not is_copy(record.id)], plain),
        Part([record for record in records if is_copy(record.id)], preprocessing),
    ]


def read(data: Data) -> Reading:
    """The data set of a recipe; what was coped with is logged.

    Raises:
        ConfigError: A key of the section `table` has no meaning for it, or an unknown value.
        DataError: It is missing, incomplete or contradicts itself.
    """
    table = data.table
    taken = TABLE_KEYS.get(data.dataset, set())
    told = {key for key, value in table if value != getattr(Table(), key)}  # a saved recipe has all keys
    foreign = sorted(told - taken) if taken is not None else []
    if foreign:
        raise ConfigError(f"data.table.{foreign[0]} would mean nothing for {data.dataset}: remove it")
    if table.behaviours and not table.taxonomy:
        raise ConfigError("data.table.behaviours are of own classes: add taxonomy: own")
    options = registry.TableOptions(
        path=table.file,
        columns=Columns(**table.columns),
        label_map=table.labels,
        taxonomy=taxonomy_named(table.taxonomy, table.behaviours) if table.taxonomy else None,
    )
    reading = registry.read(data.dataset, data.root, options)
    for note in reading.notes:
        log.warning("%s", note)
    return reading


def _split(data: Data, reading: Reading) -> splits.Split:
    """The split of the recipe, made if need be."""
    if not data.split.exists():
        splits.write(splits.grouped(reading.records, copies(reading.records)[0]), data.split)
    split = splits.load(data.split)
    return split if data.fold is None else split.for_fold(data.fold)


def _larger_files(data: Data) -> dict[str, Path]:
    """Files of HAM10000 by id, of an image and of its copy, where the recipe names the folder."""
    files = ham10000.files(data.ham10000) if data.ham10000 else {}
    return files | {image + COPY: path for image, path in files.items()}


def _thinned(records: list[Record], limit: int | None) -> tuple[Record, ...]:
    """At most this many records, evenly spaced."""
    if limit is None or limit >= len(records):
        return tuple(records)
    return tuple(records[i * len(records) // limit] for i in range(limit))


def _originals(used: Mapping[str, Sequence[Record]], subsets: Sequence[str]) -> tuple[Record, ...]:
    """Each image of some subsets once, whether one or both of its copies are used."""
    records = [record for subset in subsets for record in used[subset]]
    return tuple({(image := original(r.id)): replace(r, id=image) for r in records}.values())


def _clean(recipe: Recipe, chosen: Selection, parent: Parent) -> Selection:
    """Without the held-out images that the parent has seen, unless the protocol is declared leaky.

    The validation part stays what it was where the parent was trained on the same split.
    """
    same = parent.is_of_split(chosen.split.digest)
    found, seen = parent.seen_of(_originals(chosen.records, ("test",) if same else HELD_OUT))
    if found["any"] != 0:
        log.warning("The checkpoint to start from and the held-out images: %s", found["words"])
    left_out = frozenset[str]() if recipe.data.leaky else seen
    if left_out:
        log.warning("%s held-out images are left out", f"{len(left_out):,}")
    records = chosen.records | {s: _without(s, chosen.records[s], left_out) for s in HELD_OUT}
    return replace(
        chosen,
        records=records,
        leaks=chosen.leaks or bool(seen - left_out),
        parent=parent,
        origin=parent.origin(recipe, chosen.taxonomy, same, found, len(left_out)),
    )


def _without(subset: str, records: tuple[Record, ...], left_out: frozenset[str]) -> tuple[Record, ...]:
    kept = tuple(record for record in records if original(record.id) not in left_out)
    if records and not kept:
        raise DataError(
            f"the checkpoint to start from has seen all {len(records):,} {subset} images: name a split that "
            f"holds out others, or declare the protocol as leaky"
        )
    return kept
