"""Any CSV with a column of images and one of labels, beside a folder of image files."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from transxv2s.datasets.challenge import assemble
from transxv2s.datasets.labels import Labels, OwnClasses, taxonomy_of
from transxv2s.datasets.records import Reading, counted, notes
from transxv2s.datasets.tables import ALIASES, Row, image_id, is_image, known, read_table, unique_rows
from transxv2s.errors import ConfigError, DataError
from transxv2s.taxonomy import Taxonomy


@dataclass(frozen=True)
class Columns:
    """Which column of the table holds what; None looks for the usual names.

    Attributes:
        image: Image id, file name or path below the image folder.
        label: Diagnosis.
        lesion: Lesion, or patient where that is known: what must not be torn by a split.
        source: Hospital or collection.
        age: In years.
        sex: "female" or "male".
        site: Where on the body.
    """

    image: str | None = None
    label: str | None = None
    lesion: str | None = None
    source: str | None = None
    age: str | None = None
    sex: str | None = None
    site: str | None = None


USUAL = {
    "image": ("image", "image_id", "isic_id", "image_name", "file", "filename", "file_name", "path", "id"),
    "label": ("label", "diagnosis", "dx", "class", "target_name"),
    "lesion": ("lesion", "lesion_id", "patient_id", "patient", "group"),
    "source": ("source", "attribution", "dataset", "hospital"),
    "age": ("age",),
    "sex": ("sex",),
    "site": ("site",),
}
TABLES = (".csv", ".tsv", ".tab")


def parse_columns(text: str) -> Columns:
    """Columns from "image=file,label=diagnosis".

    Raises:
        ConfigError: A key is unknown.
    """
    parts = (pair.partition("=") for pair in text.split(",") if pair.strip())
    pairs = {key.strip(): column.strip() for key, _, column in parts}
    keys = {field.name for field in fields(Columns)}
    if not pairs.keys() <= keys or not all(pairs.values()):
        raise ConfigError(f"{text!r} must be pairs such as image=file,label=dx; keys are {', '.join(USUAL)}")
    return Columns(**pairs)


def find_table(root: Path) -> Path:
    """The one table of a folder.

    Raises:
        DataError: There is none, or more than one.
    """
    found = [path for path in sorted(root.glob("[!.]*")) if path.suffix.lower() in TABLES and path.is_file()]
    if len(found) != 1:
        what = f"{len(found)} CSV files" if found else "no CSV file"
        raise DataError(f"{root} holds {what}: name the table with --table")
    return found[0]


def read(
    root: Path,
    path: Path | None = None,
    columns: Columns = Columns(),
    label_map: Mapping[str, str] | None = None,
    taxonomy: Taxonomy | OwnClasses | None = None,
) -> Reading:
    """Reads a table.

    Args:
        root: The folder in and below which the image files are.
        path: The table; None takes the only CSV file in the folder.
        columns: Which column holds what.
        label_map: Label → code, or "-" to leave such images out; None takes codes and English names.
        taxonomy: What the codes are of, or the set's own classes; None takes `isic2018` if AKIEC occurs,
            else `isic2019`.

    Raises:
        DataError: A file or column is missing, or a label has no known meaning.
        ConfigError: The label map does not fit the taxonomy.
    """
    path = path or find_table(root)
    rows = read_table(path, ())
    if not rows:
        raise DataError(f"{path} holds no rows: name a table of images and labels")
    place = _places(path, rows, columns)
    keyed = unique_rows(path, rows, place["image"])
    label_of = {image: row[place["label"]] for image, row in keyed.items()}
    given = {image: label for image, label in label_of.items() if label}
    meant = taxonomy_of(label_map.values() if label_map else given.values(), taxonomy)
    labels = Labels(meant, label_map, str(path))
    labels.check(given.values())
    positions = {image: labels.position(label) for image, label in given.items()}
    used = {image: position for image, position in positions.items() if position is not None}
    about = {image: {key: row[column] for key, column in place.items()} for image, row in keyed.items()}
    reading = assemble(
        labels=used,
        files=_files(root, used, keyed),
        about={image: about[image] for image in used},
        lesions={image: lesion for image in used if (lesion := known(about[image].get("lesion", "")))},
        sources={image: known(about[image].get("source", "")) or path.stem for image in used},
        taxonomy=meant,
    )
    no_label = [image for image in keyed if image not in given]
    left_out = [image for image in given if image not in used]
    extra = notes(
        counted(no_label, "row has no label and is left out", "rows have no label and are left out"),
        counted(left_out, "image is left out by the map", "images are left out by the map"),
    )
    return replace(reading, notes=(*reading.notes, *extra))


def _places(path: Path, rows: list[Row], columns: Columns) -> dict[str, str]:
    """The column in the table for each key that has one."""
    there = list(rows[0])
    found = {}
    for key, wanted in asdict(columns).items():
        names = (wanted.lower(), ALIASES.get(wanted.lower(), "")) if wanted else USUAL[key]
        column = next((name for name in names if name in there), None)
        if column:
            found[key] = column
        elif wanted or key in ("image", "label"):
            raise DataError(
                f"{path} has no column {wanted or key}, only {', '.join(there)}: "
                f"name it as in --columns image=file,label=diagnosis"
            )
    return found


def _files(root: Path, used: Collection[str], named: Collection[str]) -> dict[str, Path]:
    """Image files by id for ids that are paths below the root, or names that occur there once.

    Those that the table does not name at all come along, for the reading to count.

    Raises:
        DataError: A used name stands for several files, or several for one.
    """
    by_path, by_name = _images(root)
    several = [i for i in used if i not in by_path and len(by_name.get(i, ())) > 1]
    if several:
        problem = counted(several, "name stands for several files", "names stand for several files")
        raise DataError(f"{problem}, below {root}: give paths in the table")
    found = {i: by_path[i] if i in by_path else by_name[i][0] for i in used if i in by_path or i in by_name}
    rows_of = Counter(found.values())
    shared = [i for i, path in found.items() if rows_of[path] > 1]
    if shared:
        problem = counted(shared, "row shares its file", "rows share their file")
        raise DataError(f"{problem}, with another: keep one of each")
    stray = {i: path for i, path in by_path.items() if i not in named and path.stem not in named}
    return found | stray


def _images(root: Path) -> tuple[dict[str, Path], dict[str, list[Path]]]:
    """Image files below the root by path without suffix, and by name; hidden folders are not looked into.

    Raises:
        DataError: Two files differ in their suffix alone.
    """
    by_path, by_name, torn = dict[str, Path](), dict[str, list[Path]](), list[str]()
    for path in sorted(filter(is_image, root.rglob("*"))):
        place = path.relative_to(root)
        if any(part.startswith(".") for part in place.parts):
            continue
        if by_path.setdefault(image_id(place.as_posix()), path) != path:
            torn.append(place.as_posix())
        by_name.setdefault(path.stem, []).append(path)
    if torn:
        problem = counted(torn, "file differs", "files differ")
        raise DataError(f"{root}: {problem}, from another only in the suffix: keep the right one of each")
    return by_path, by_name
