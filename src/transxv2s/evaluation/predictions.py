"""Predictions of labelled images in a CSV file that grows as they are made, so that a stopped run goes on."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transxv2s.ahead import batches_ahead
from transxv2s.classifier import Classifier, Prepared
from transxv2s.datasets.records import Record
from transxv2s.datasets.tables import read_table
from transxv2s.errors import DataError, ImageError
from transxv2s.evaluation.outputs import group_of
from transxv2s.files import append, growing, state_key, write_whole
from transxv2s.finding import Finding
from transxv2s.imaging.skin_tone import individual_typology_angle
from transxv2s.progress import progress

PLAIN = ("image", "file", "label", "predicted", "decision", "reasons", "skin_angle", "engine")
DIGEST = "checkpoint"  # the last column: a row that was cut off lacks some of it

Row = dict[str, str]


@dataclass(frozen=True)
class Predictions:
    """What the network makes of N images; those that cannot be read are among the failures alone.

    Attributes:
        records: The N images.
        probabilities: (N, K) in the order of the network's classes.
        adjusted: (N, K), of which the greatest is the class that is named.
        referred: (N,), whether an expert must look.
        skin_angle: (N,) individual typology angle of the background skin in degrees; NaN where there is none.
        failures: Reason by image id.
    """

    records: tuple[Record, ...]
    probabilities: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    referred: NDArray[np.bool_]
    skin_angle: NDArray[np.float64]
    failures: dict[str, str]


def predict(
    classifier: Classifier, records: Sequence[Record], codes: Sequence[str], path: Path, batch_size: int = 32
) -> Predictions:
    """Predicts all records into a CSV file; what it holds already of the same image files is kept.

    Args:
        classifier: What predicts.
        records: The images; their labels are positions in `codes`.
        codes: Class codes of the data set.
        path: The file. Beside it, one that ends in `.partial` holds what is done while work is under way.
        batch_size: Images that go through the network together.

    Raises:
        DataError: The file holds predictions of another checkpoint or engine, or cannot be used, or no image
            can be read.
    """
    partial_file = growing(path)
    columns = [*PLAIN, *classifier.taxonomy.codes, DIGEST]
    rows = _rows(path if path.exists() else partial_file, columns, classifier)
    for record in records:
        if rows.get(record.id, {}).get("file") != state_key(record.path).hex():
            rows.pop(record.id, None)  # another data set, or an image that was replaced
    todo = [record for record in records if record.id not in rows]
    failures: dict[str, str] = {}
    if todo:
        write_whole(partial_file, _csv(rows.values(), columns, header=True))
        with partial_file.open("ab") as stream:
            for made, failed in _batches(classifier, todo, codes, batch_size):
                append(stream, _csv(made, columns, header=False).encode())
                rows |= {row["image"]: row for row in made}
                failures |= failed
        partial_file.replace(path)
    return _collected([r for r in records if r.id in rows], rows, classifier, failures)


def _rows(path: Path, columns: Sequence[str], classifier: Classifier) -> dict[str, Row]:
    """Whole rows by image; a row whose numbers are none is not whole."""
    if not path.exists():
        return {}
    numbers = [column.lower() for column in columns[len(PLAIN) : -1]]
    try:
        table = read_table(path, [column.lower() for column in columns])
    except DataError as error:
        raise DataError(f"{error}; remove it, or name another folder with --out") from error
    maker = (classifier.digest, classifier.engine)
    rows = [row for row in table if len(row[DIGEST]) == len(maker[0]) and _numeric(row, numbers)]
    if any((row[DIGEST], row["engine"]) != maker for row in rows):
        raise DataError(
            f"{path} holds predictions of another checkpoint or engine: name another folder with --out"
        )
    return {row["image"]: row for row in rows}


def _numeric(row: Row, numbers: Sequence[str]) -> bool:
    try:
        return all(0 <= float(row[column]) <= 1 for column in numbers) and bool(
            math.isfinite(float(row["skin_angle"] or 0))
        )
    except ValueError:
        return False


def _csv(rows: Iterable[Row], columns: Sequence[str], header: bool) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if header:
        writer.writerow(columns)
    writer.writerows([row[column.lower()] for column in columns] for row in rows)
    return buffer.getvalue()


def _batches(
    classifier: Classifier, records: Sequence[Record], codes: Sequence[str], batch_size: int
) -> Iterator[tuple[list[Row], dict[str, str]]]:
    """Rows and failures of each batch."""
    with progress("Predicting", len(records)) as advance:
        for batch in batches_ahead(partial(_prepared, classifier), records, batch_size):
            ready = [(record, *seen) for record, seen in batch if not isinstance(seen, str)]
            findings = classifier.findings([image for _, image, _ in ready])
            yield (
                [
                    _row(record, codes[record.label], angle, finding, classifier.engine)
                    for (record, _, angle), finding in zip(ready, findings, strict=True)
                ],
                {record.id: seen for record, seen in batch if isinstance(seen, str)},
            )
            advance(len(batch))


def _prepared(classifier: Classifier, record: Record) -> tuple[Prepared, float | None] | str:
    """The image and the angle of its background skin, or why it cannot be read."""
    try:
        image = classifier.prepare(record.path)
    except ImageError as error:
        return error.reason
    trust = classifier.config.trust
    group = group_of(record, trust.sets.grouping if trust else None)
    shown = replace(image, id=record.id, original=image.seen, group=group)
    return shown, individual_typology_angle(image.original)


def _row(record: Record, label: str, angle: float | None, finding: Finding, engine: str) -> Row:
    """One line of the file, with its columns in lower case, as tables are read."""
    probabilities = {code.lower(): repr(p) for code, p in finding.probabilities.items()}
    return {
        "image": record.id,
        "file": state_key(record.path).hex(),
        "label": label,
        "predicted": finding.predicted,
        "decision": finding.decision,
        "reasons": "; ".join(finding.reasons),
        "skin_angle": "" if angle is None else f"{angle:.2f}",
        "engine": engine,
        DIGEST: finding.checkpoint,
        **probabilities,
    }


def _collected(
    records: Sequence[Record], rows: dict[str, Row], classifier: Classifier, failures: dict[str, str]
) -> Predictions:
    if not records:
        first = next(iter(failures.items()), ("", "there are none"))
        raise DataError(f"none of the images can be read; the first: {first[0]}: {first[1]}")
    mine = [rows[record.id] for record in records]
    codes, trust = classifier.taxonomy.codes, classifier.config.trust
    probabilities = np.array([[float(row[code.lower()]) for code in codes] for row in mine])
    return Predictions(
        tuple(records),
        probabilities,
        trust.adjusted(probabilities) if trust else probabilities,
        np.array([row["decision"] == "expert_review" for row in mine]),
        np.array([float(row["skin_angle"] or math.nan) for row in mine]),
        failures,
    )
