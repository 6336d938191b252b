"""What all readers share: CSV tables as they are found in the wild, and image files by id."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from transxv2s.datasets.records import counted, notes
from transxv2s.errors import DataError
from transxv2s.imaging.decode import SUFFIXES

DELIMITERS = ",;\t"
ALIASES = {"gender": "sex", "age_approx": "age", "anatom_site_general": "site", "localization": "site"}
SEXES = {"female": "female", "f": "female", "male": "male", "m": "male"}
UNKNOWN = ("", "unknown", "nan", "na", "n/a", "none", "null")
OLDEST = 120.0  # years
UNPACK = "unpack the data set as its publisher lays it out"

Row = dict[str, str]


def read_table(path: Path, required: Iterable[str]) -> list[Row]:
    """Rows of a CSV file; extra columns, any line ends, a BOM, semicolons, tabs and blank lines are fine.

    Column names are compared in lower case; `gender`, `age_approx`, `anatom_site_general` and `localization`
    are read as `sex`, `age`, `site` where there is no column of that name. An empty cell and one that a short
    row lacks are "".

    Raises:
        DataError: The file is missing, not text or not a table, lacks a required column or has two of one
            name, or a row has more cells than there are columns.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path} is missing: {UNPACK}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name a table that can") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} cannot be read as a UTF-8 table ({error}): save it as UTF-8 CSV") from error
    names, *rows = _cells(path, text) or [[]]
    columns = _columns(path, names)
    absent = sorted(set(required) - set(columns))
    if absent:
        raise DataError(f"{path} has no column {', '.join(absent)}, only {', '.join(columns) or 'nothing'}")
    _check_lengths(path, rows, len(columns))
    empty = dict.fromkeys(columns, "")
    return [empty | dict(zip(columns, row, strict=False)) for row in rows]


def _cells(path: Path, text: str) -> list[list[str]]:
    """Stripped cells of all lines that are not blank; strict, or a stray quote would swallow what follows."""
    header = text.lstrip().partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [[cell.strip() for cell in row] for row in reader if any(row)]
    except csv.Error as error:
        raise DataError(
            f"{path} is no whole table, see line {reader.line_num:,} and those before it ({error}): "
            f"close or remove stray quotes"
        ) from error


def _columns(path: Path, names: Sequence[str]) -> list[str]:
    """Column names in lower case, by their usual names."""
    names = [name.strip().lower() for name in names]
    columns = [ALIASES[name] if name in ALIASES and ALIASES[name] not in names else name for name in names]
    twice = [name for name, count in Counter(filter(None, columns)).items() if count > 1]
    if twice:
        raise DataError(
            f"{path} has more than one column that is read as {', '.join(twice)}: keep the right one"
        )
    return columns


def _check_lengths(path: Path, rows: Sequence[Sequence[str]], columns: int) -> None:
    long = [row[0] for row in rows if any(row[columns:])]
    if long:
        problem = counted(long, "row has more cells than columns", "rows have more cells than columns")
        raise DataError(f"{path}: {problem}: put cells that hold a delimiter into quotes")


def image_id(name: str) -> str:
    """The id an image is found by: its name without an image suffix, with / between folders."""
    name = name.replace("\\", "/").removeprefix("./")
    suffix = Path(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in SUFFIXES else name


def unique_rows(path: Path, rows: Sequence[Row], column: str) -> dict[str, Row]:
    """Rows by image id. A row given twice in the same words counts once.

    Raises:
        DataError: An id stands for two different rows, or is empty.
    """
    found: dict[str, Row] = {}
    torn = dict[str, None]()
    for row in rows:
        name = image_id(row[column])
        if found.setdefault(name, row) != row:
            torn[name] = None
    if torn:
        problem = counted(torn, "image id has different rows", "image ids have different rows")
        raise DataError(f"{path}: {problem}: keep the right one of each")
    if "" in found:
        raise DataError(f"{path}: a row has no {column}, the one with {', '.join(found[''].values())}")
    return found


def is_image(path: Path) -> bool:
    """Whether a path is a file with the suffix of an image; hidden ones (macOS' ._x.jpg) are none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def find_folder(root: Path, *names: str) -> Path | None:
    """The first of these folders under the root, whatever its case; a folder within of the same name wins.

    Public archives often unpack into `NAME/NAME`.
    """
    if not root.is_dir():
        return None
    there = {path.name.lower(): path for path in sorted(root.iterdir(), reverse=True) if path.is_dir()}
    for name in names:
        if folder := there.get(name.lower()):
            return find_folder(folder, name) or folder
    return None


def image_files(folder: Path) -> dict[str, Path]:
    """Image files of a folder by id.

    Raises:
        DataError: The folder is missing, or two files have the same id.
    """
    if not folder.is_dir():
        raise DataError(f"the image folder {folder} is missing: {UNPACK}")
    return by_id(path for path in sorted(folder.iterdir()) if is_image(path))


def by_id(paths: Iterable[Path]) -> dict[str, Path]:
    """Files by id.

    Raises:
        DataError: Two files have the same id.
    """
    paths = list(paths)
    torn = [name for name, files in Counter(path.stem for path in paths).items() if files > 1]
    if torn:
        problem = counted(torn, "image id has several files", "image ids have several files")
        first = ", ".join(str(path) for path in paths if path.stem == torn[0])
        raise DataError(f"{problem} ({first}): keep the right one of each")
    return {path.stem: path for path in paths}


class Person(NamedTuple):
    """What a table says of the patient and the place; None where it says nothing."""

    age: float | None
    sex: str | None
    site: str | None


def known(cell: str) -> str:
    """A cell's text; empty where it only says that nothing is known, or all such would be one lesion."""
    return "" if cell.lower() in UNKNOWN else cell


def person(row: Row) -> Person:
    """Reads the columns age, sex and site, where there are any; nonsense is as good as nothing."""
    return Person(
        _age(row.get("age", "")),
        SEXES.get(row.get("sex", "").lower()),
        known(row.get("site", "")) or None,
    )


def _age(text: str) -> float | None:
    try:
        years = float(text.replace(",", "."))  # where cells end with semicolons, decimals have commas
    except ValueError:
        return None
    return years if 0 <= years <= OLDEST else None


def unreadable(rows: dict[str, Row]) -> tuple[str, ...]:
    """Sentences on ages and sexes that are given and mean nothing to us."""
    ages = [i for i, r in rows.items() if known(r.get("age", "")) and _age(r["age"]) is None]
    sexes = [i for i, r in rows.items() if known(r.get("sex", "")) and r["sex"].lower() not in SEXES]
    return notes(
        counted(ages, "age is unusable and left out", "ages are unusable and left out"),
        counted(sexes, "sex is unusable and left out", "sexes are unusable and left out"),
    )
