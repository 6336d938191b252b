"""What the ISIC challenges share: a one-hot ground truth, and records put together from labels and files."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from transxv2s.datasets.records import Reading, Record, counted, examples, notes
from transxv2s.datasets.tables import Row, person, read_table, unique_rows, unreadable
from transxv2s.errors import DataError
from transxv2s.taxonomy import Taxonomy


def one_hot_labels(path: Path, taxonomy: Taxonomy) -> dict[str, int]:
    """Class position by image id, from a table with a column `image` and one for each class.

    Columns of no class of the taxonomy (score weights, say) are not looked at.

    Raises:
        DataError: The file or a column is missing, a cell is neither 0 nor 1, or a row does not set exactly
            one class.
    """
    columns = [code.lower() for code in taxonomy.codes]
    labelled: dict[str, int] = {}
    wrong: list[str] = []
    nothing: list[str] = []
    several: list[str] = []
    for image, row in unique_rows(path, read_table(path, ("image", *columns)), "image").items():
        cells = [row[column] for column in columns]
        hot = [place for place, cell in enumerate(cells) if _is_one(cell)]
        if not all(_is_one(cell) or _is_zero(cell) for cell in cells):
            wrong.append(image)
        elif len(hot) != 1:
            (several if hot else nothing).append(image)
        else:
            labelled[image] = hot[0]
    problems = notes(
        counted(wrong, "row has a cell that is neither 0 nor 1", "rows have a cell that is neither 0 nor 1"),
        counted(nothing, "row sets no class", "rows set no class"),
        counted(several, "row sets more than one class", "rows set more than one class"),
    )
    if problems:
        raise DataError(f"{path}: each row must set exactly one class; {'; '.join(problems)}")
    return labelled


def weighted(reading: Reading, path: Path) -> Reading:
    """The reading with the official weights, where the ground truth has a column `score_weight`.

    Raises:
        DataError: A weight is not a number of at least 0.
    """
    rows = unique_rows(path, read_table(path, ("image",)), "image")
    given = {image: _number(cell) for image, row in rows.items() if (cell := row.get("score_weight"))}
    wrong = [image for image, weight in given.items() if weight is None or not 0 <= weight < math.inf]
    if wrong:
        problem = counted(wrong, "score_weight is", "score_weights are")
        raise DataError(f"{path}: {problem}, no number of at least 0: take the publisher's file")
    weights = {image: weight for image, weight in given.items() if weight is not None and weight != 1}
    without = [record.id for record in reading.records if weights.get(record.id) == 0]
    note = notes(
        counted(
            without,
            "image has the official weight 0 and counts in our own scores alone",
            "images have the official weight 0 and count in our own scores alone",
        )
    )
    return replace(reading, notes=(*reading.notes, *note), weights=weights)


def _is_one(cell: str) -> bool:
    return _number(cell) == 1


def _is_zero(cell: str) -> bool:
    return cell == "" or _number(cell) == 0


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def assemble(
    *,
    labels: Mapping[str, int],
    files: Mapping[str, Path],
    about: Mapping[str, Row],
    lesions: Mapping[str, str],
    sources: Mapping[str, str],
    taxonomy: Taxonomy,
) -> Reading:
    """Records of all labelled images that have a file; the rest is told in notes.

    Args:
        labels: Class position by id.
        files: Image file by id.
        about: Row of metadata (age, sex, site) by id; may lack images.
        lesions: Lesion id by id, where one is known.
        sources: Collection by id.
        taxonomy: Of the labels.

    Raises:
        DataError: There are no labels, or no labelled image has a file.
    """
    if not labels:
        raise DataError("the table names no image with a label that is used: check that it is the right one")
    missing = tuple(image for image in labels if image not in files)
    if len(missing) == len(labels):
        where = {str(path.parent) for path in files.values()}
        raise DataError(
            f"none of the {len(labels):,} labelled images, such as {examples(missing)}, "
            f"has a file in {', '.join(sorted(where)) or 'the image folder'}"
        )
    records = tuple(
        Record(image, files[image], label, lesions.get(image), sources[image], *person(about.get(image, {})))
        for image, label in labels.items()
        if image in files
    )
    stray = [image for image in files if image not in labels]
    without = [image for image in labels if image not in about] if about else []
    unlabelled = [image for image in about if image not in labels]
    return Reading(
        records,
        missing,
        taxonomy,
        notes(
            counted(missing, "image has no file", "images have no file"),
            counted(stray, "file has no label and is left out", "files have no label and are left out"),
            counted(without, "image has no metadata", "images have no metadata"),
            counted(unlabelled, "row of metadata has no label", "rows of metadata have no label"),
            *unreadable({image: row for image, row in about.items() if image in labels}),
        ),
    )
