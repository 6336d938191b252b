"""Files of the ISIC challenges: predictions in the official format, and ground truth with its weights.

A submission has the columns image, then one for each class, with probabilities in [0, 1].
"""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transxv2s.datasets.records import counted, notes
from transxv2s.errors import DataError, InputError
from transxv2s.files import write_whole
from transxv2s.scoring.arrays import Floats, Integers

WEIGHTS = ("score_weight", "validation_weight")
WITHDRAWN = "ISIC_0035068"  # the official scorer gives this image of 2018 no weight


class Submission(NamedTuple):
    """Predictions by image id.

    Attributes:
        ids: N image ids, unique, without ".jpg".
        probabilities: (N, K), in [0, 1].
    """

    ids: tuple[str, ...]
    probabilities: Floats


class Truth(NamedTuple):
    """A ground-truth file.

    Attributes:
        ids: N image ids, unique.
        labels: (N,), positions in `codes`.
        codes: The K class codes in the order of the file.
        score_weights: (N,), 1 where the file has no such column.
        validation_weights: (N,), 1 where the file has no such column.
    """

    ids: tuple[str, ...]
    labels: Integers
    codes: tuple[str, ...]
    score_weights: Floats
    validation_weights: Floats


def write_submission(
    path: Path, ids: Sequence[str], probabilities: npt.ArrayLike, codes: Sequence[str]
) -> None:
    """Writes probabilities (N, K) of N images in the official format, in full precision.

    Raises:
        InputError: The arguments do not fit each other, or a number is outside [0, 1].
        DataError: An id is repeated, or the file cannot be written.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != (len(ids), len(codes)):
        raise InputError(f"{len(ids)} images and {len(codes)} codes do not fit probabilities {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError("a submission needs probabilities from 0 to 1; some are outside or NaN")
    _refuse_repeated("a submission", ids)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["image", *codes])
    writer.writerows([image, *row] for image, row in zip(ids, p.tolist(), strict=True))
    write_whole(path, buffer.getvalue())


def read_submission(path: Path, codes: Sequence[str]) -> Submission:
    """Reads a file in the official format; columns may stand in any order.

    Raises:
        DataError: The file is missing or empty, a column is missing or too many, an image has two rows, or a
            value is not a number from 0 to 1; the message counts them and names some.
    """
    header, rows = _table(path)
    _check_columns(path, header, ("image", *codes))
    ids = tuple(re.sub(r"\.jpg$", "", row["image"], flags=re.IGNORECASE) for row in rows)
    _refuse_repeated(path, ids)
    p = np.array([[_number(row[code]) for code in codes] for row in rows])
    named = np.array(ids)
    problems = notes(
        _have(named[np.isnan(p).any(1)], "a value that is missing or no number"),
        _have(named[((p < 0) | (p > 1)).any(1)], "a value outside 0 to 1"),
    )
    if problems:
        raise DataError(f"{path}: each class needs a probability; {'; '.join(problems)}")
    return Submission(ids, p)


def read_truth(path: Path) -> Truth:
    """Reads a ground-truth file; its columns beside image and the weights are the classes.

    Raises:
        DataError: The file is missing, empty or malformed, an image has two rows or not exactly one class, or
            a weight is not a number ≥ 0.
    """
    header, rows = _table(path)
    codes = tuple(column for column in header if column not in ("image", *WEIGHTS))
    _check_columns(path, header, ("image", *codes, *(w for w in WEIGHTS if w in header)))
    if not codes:
        raise DataError(f"{path} names no class: it needs a column for each")
    ids = tuple(row["image"] for row in rows)
    _refuse_repeated(path, ids)
    hot = np.array([[_number(row[code]) for code in codes] for row in rows])
    sound = ((hot == 1).sum(1) == 1) & ((hot == 0).sum(1) == len(codes) - 1)
    if not sound.all():
        torn = _have(np.array(ids)[~sound], "not exactly one")
        raise DataError(f"{path}: each image must have one class set to 1 and the others to 0; {torn}")
    score_weights, validation_weights = (_weights(path, rows, ids, column) for column in WEIGHTS)
    return Truth(ids, hot.argmax(1), codes, score_weights, validation_weights)


def align(ids: Sequence[str], expected: Sequence[str]) -> Integers:
    """Where in `ids` each of the expected images stands: (N,).

    Raises:
        DataError: Images are missing, too many or repeated; the message counts them and names some.
    """
    _refuse_repeated("the predictions", ids)
    _refuse_repeated("the truth", expected)
    place = {image: position for position, image in enumerate(ids)}
    missing, extra = [image for image in expected if image not in place], sorted(set(ids) - set(expected))
    problems = notes(
        counted(missing, "image is missing", "images are missing"),
        counted(extra, "image is not asked for", "images are not asked for"),
    )
    if problems:
        raise DataError(f"the predictions need one row for each image of the truth; {'; '.join(problems)}")
    return np.array([place[image] for image in expected], dtype=np.intp)


def _table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows of a CSV file; a value too many in a row is refused."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restval="")
            rows = list(reader)
            header = list(reader.fieldnames or ())
    except FileNotFoundError:
        raise DataError(f"{path} is missing: check the path") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name a file that can") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}") from None
    if "image" not in header or not rows:
        raise DataError(f"{path} needs a column image and at least one row")
    if long := [row["image"] for row in rows if None in row]:
        raise DataError(f"{path}: {_have(long, 'more values than columns')}")
    return header, rows


def _check_columns(path: Path, header: Sequence[str], wanted: Sequence[str]) -> None:
    missing = sorted(set(wanted) - set(header))
    extra = sorted((Counter(header) - Counter(wanted)).elements())
    problems = [f"misses {', '.join(missing)}"] if missing else []
    problems += [f"has too many: {', '.join(extra)}"] if extra else []
    if problems:
        raise DataError(f"{path} {' and '.join(problems)}; its columns must be {', '.join(wanted)}")


def _refuse_repeated(where: object, ids: Sequence[str]) -> None:
    if repeated := [image for image, rows in Counter(ids).items() if rows > 1]:
        raise DataError(f"{where} must have one row for each image; {_have(repeated, 'more than one')}")


def _number(text: str) -> float:
    """A number as written, NaN for anything else."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _weights(path: Path, rows: list[dict[str, str]], ids: Sequence[str], column: str) -> Floats:
    weights = np.array([_number(row.get(column, "1")) for row in rows])
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        unusable = _have(np.array(ids)[wrong], "none")
        raise DataError(f"{path}: {column} must be a number of at least 0; {unusable}")
    weights[[image == WITHDRAWN for image in ids]] = 0.0
    return weights


def _have(ids: Sequence[str] | npt.NDArray[np.str_], what: str) -> str:
    """'2 images have <what>, for example a, b'; empty for none."""
    return counted(ids, f"image has {what}", f"images have {what}")
