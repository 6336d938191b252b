"""The table of predictions, one row an image: its columns, and how it is read and written."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from transxv2s.classifier import Classifier
from transxv2s.datasets.tables import read_table
from transxv2s.errors import DataError
from transxv2s.files import write_whole

PLAIN = (
    *("image", "file", "lesion", "source", "group", "label", "predicted", "prediction_set"),
    *("decision", "reasons", "skin_angle", "engine"),
)
DIGEST = "checkpoint"  # the last column, after one for each class
LISTED = "; "  # between reasons, and between the codes of a set

Row = dict[str, str]  # with columns in lower case, as tables are read


def columns_of(codes: Sequence[str]) -> list[str]:
    """All columns, where the network has these classes."""
    return [*PLAIN, *codes, DIGEST]


def encoded(rows: Iterable[Row], codes: Sequence[str], header: bool = True) -> str:
    """Rows as CSV."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = columns_of(codes)
    if header:
        writer.writerow(columns)
    writer.writerows([row[column.lower()] for column in columns] for row in rows)
    return buffer.getvalue()


def read_rows(path: Path, classifier: Classifier) -> list[Row]:
    """Rows of a file, none if it is not there; a row whose numbers are none is left out.

    Raises:
        DataError: They are of another checkpoint or engine, or the file is no table of predictions.
    """
    if not path.exists():
        return []
    codes = classifier.taxonomy.codes
    try:
        table = read_table(path, [column.lower() for column in columns_of(codes)])
    except DataError as error:
        raise DataError(f"{error}; remove it, or name another folder with --out") from error
    rows = [row for row in table if _numeric(row, codes)]
    maker = (classifier.digest, classifier.engine)
    if any((row[DIGEST], row["engine"]) != maker for row in rows):
        raise DataError(
            f"{path} holds predictions of another checkpoint or engine: name another folder with --out"
        )
    return rows


def drop_torn_line(path: Path) -> None:
    """A run that was struck down while it wrote leaves half a line, which could end inside a quoted cell."""
    if path.exists():
        content = path.read_bytes()
        write_whole(path, content[: content.rfind(b"\n") + 1])


def _numeric(row: Row, codes: Sequence[str]) -> bool:
    try:
        return all(0 <= float(row[code.lower()]) <= 1 for code in codes) and bool(
            math.isfinite(float(row["skin_angle"] or 0))
        )
    except ValueError:
        return False
