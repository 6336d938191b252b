"""Predictions of labelled images in a CSV file that grows as they are made, so that a stopped run goes on."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transxv2s.ahead import batches_ahead
from transxv2s.classifier import Classifier, Prepared
from transxv2s.datasets.records import Record
from transxv2s.errors import DataError, ImageError
from transxv2s.evaluation.outputs import group_of
from transxv2s.evaluation.table import DIGEST, LISTED, Row, drop_torn_line, encoded, read_rows
from transxv2s.files import append, growing, state_key, write_whole
from transxv2s.finding import Finding
from transxv2s.imaging.skin_tone import individual_typology_angle
from transxv2s.progress import progress
from transxv2s.trust.judgement import adjusted


@dataclass(frozen=True)
class Predictions:
    """What the network makes of N images; those that cannot be read are among the failures alone.

    Attributes:
        records: The N images.
        lesions: Which lesion, or group of a split, each shows.
        probabilities: (N, K) in the order of the network's classes.
        adjusted: (N, K), of which the greatest is the class that is named.
        members: Which classes (N, K) are in the prediction sets.
        referred: (N,), whether an expert must look.
        skin_angle: (N,) individual typology angle of the background skin in degrees; NaN where there is none.
        failures: Reason by image id.
    """

    records: tuple[Record, ...]
    lesions: tuple[str, ...]
    probabilities: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    members: NDArray[np.bool_]
    referred: NDArray[np.bool_]
    skin_angle: NDArray[np.float64]
    failures: dict[str, str]

    @property
    def named(self) -> NDArray[np.intp]:
        """Position of the class that is named, (N,), in the network's classes."""
        return np.asarray(self.adjusted.argmax(axis=1))


def predict(
    classifier: Classifier,
    records: Sequence[Record],
    codes: Sequence[str],
    path: Path,
    *,
    lesions_of: Callable[[Sequence[Record]], Sequence[str]],
    batch_size: int = 32,
) -> Predictions:
    """Predicts all records into a CSV file that holds them alone, in their order.

    What is known already of the same image files, and of the same group where sets are by group, is not
    predicted again. Beside the file, one that ends in `.partial` holds all rows while work is under way, and
    afterwards those of other images, if there are any: no row is made twice.

    Args:
        classifier: What predicts.
        records: The images; their labels are positions in `codes`.
        codes: Class codes of the data set.
        path: The file.
        lesions_of: Which lesion each of the readable records shows.
        batch_size: Images that go through the network together.

    Raises:
        DataError: The files hold predictions of another checkpoint or engine, or cannot be used, or no image
            can be read.
    """
    partial_file, classes = growing(path), classifier.taxonomy.codes
    drop_torn_line(partial_file)
    rows = _known([*read_rows(path, classifier), *read_rows(partial_file, classifier)], classifier, records)
    failures: dict[str, str] = {}
    if todo := [record for record in records if record.id not in rows]:
        write_whole(partial_file, encoded(rows.values(), classes))
        with partial_file.open("ab") as stream:
            for made, failed in _batches(classifier, todo, codes, batch_size):
                append(stream, encoded(made, classes, header=False).encode())
                rows |= {row["image"]: row for row in made}
                failures |= failed
    readable = [record for record in records if record.id in rows]
    if not readable:
        first = next(iter(failures.items()), ("", "there are none"))
        raise DataError(f"none of the images can be read; the first: {first[0]}: {first[1]}")
    mine = [
        rows.pop(record.id) | {"lesion": lesion, "source": record.source, "label": codes[record.label]}
        for record, lesion in zip(readable, lesions_of(readable), strict=True)
    ]
    write_whole(path, encoded(mine, classes))
    if rows:
        write_whole(partial_file, encoded(rows.values(), classes))
    else:
        partial_file.unlink(missing_ok=True)
    return _collected(readable, mine, classifier, failures)


def _known(rows: Iterable[Row], classifier: Classifier, records: Sequence[Record]) -> dict[str, Row]:
    """By image the rows that still hold, and those of images that nobody asks for now."""
    wanted = {record.id: record for record in records}
    found: dict[str, Row] = {}
    for row in rows:
        record = wanted.get(row["image"])
        if record is None or (row["file"], row["group"]) == _state(classifier, record):
            found[row["image"]] = row
    return found


def _state(classifier: Classifier, record: Record) -> tuple[str, str]:
    """What a finding depends on, beside checkpoint and engine: its file, and its group where sets ask."""
    return state_key(record.path).hex(), _group(classifier, record) or ""


def _group(classifier: Classifier, record: Record) -> str | None:
    trust = classifier.config.trust
    return group_of(record, trust.sets.grouping if trust else None)


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
                    _row(classifier, record, codes[record.label], angle, finding)
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
    shown = replace(image, id=record.id, original=image.seen, group=_group(classifier, record))
    return shown, individual_typology_angle(image.original)


def _row(classifier: Classifier, record: Record, label: str, angle: float | None, finding: Finding) -> Row:
    """One row of the table; what lesion it is of is known when all images are."""
    file, group = _state(classifier, record)
    return {
        "image": record.id,
        "file": file,
        "lesion": "",
        "source": record.source,
        "group": group,
        "label": label,
        "predicted": finding.predicted,
        "prediction_set": LISTED.join(finding.prediction_set),
        "decision": finding.decision,
        "reasons": LISTED.join(finding.reasons),
        "skin_angle": "" if angle is None else f"{angle:.2f}",
        "engine": classifier.engine,
        DIGEST: finding.checkpoint,
        **{code.lower(): repr(p) for code, p in finding.probabilities.items()},
    }


def _collected(
    records: Sequence[Record], rows: Sequence[Row], classifier: Classifier, failures: dict[str, str]
) -> Predictions:
    codes = classifier.taxonomy.codes
    probabilities = np.array([[float(row[code.lower()]) for code in codes] for row in rows])
    sets = [row["prediction_set"].split(LISTED) for row in rows]
    return Predictions(
        records=tuple(records),
        lesions=tuple(row["lesion"] for row in rows),
        probabilities=probabilities,
        adjusted=adjusted(classifier.config.trust, probabilities),
        members=np.array([[code in one for code in codes] for one in sets]),
        referred=np.array([row["decision"] == "expert_review" for row in rows]),
        skin_angle=np.array([float(row["skin_angle"] or math.nan) for row in rows]),
        failures=failures,
    )
