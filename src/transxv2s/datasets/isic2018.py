"""ISIC 2018 task 3, as its publisher lays it out: seven classes; the training set is HAM10000."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from transxv2s.datasets.challenge import assemble, one_hot_labels, weighted
from transxv2s.datasets.records import Reading
from transxv2s.datasets.tables import UNPACK, find_folder, image_files, known, read_table, unique_rows
from transxv2s.errors import DataError
from transxv2s.taxonomy import ISIC2018

Part = Literal["Training", "Validation", "Test"]

GROUND_TRUTH = "GroundTruth"
PARTS: tuple[Part, ...] = ("Training", "Validation", "Test")


NO_LESIONS = (
    "no lesion ids are known, since ISIC2018_Task3_Training_LesionGroupings.csv is missing: a split of this "
    "reading would tear lesions"
)


def table(root: Path, part: Part, what: str) -> Path | None:
    """A table of a part, at the root or in the folder that its archive unpacks to; None if not there."""
    stem = f"ISIC2018_Task3_{part}_{what}"
    places = (root / f"{stem}.csv", root / stem / f"{stem}.csv")
    return next((path for path in places if path.exists()), None)


def lesions(root: Path) -> dict[str, str]:
    """Lesion id by image id, for the training set, where the publisher's table is there."""
    path = table(root, "Training", "LesionGroupings")
    if path is None:
        return {}
    rows = unique_rows(path, read_table(path, ("image", "lesion_id")), "image")
    return {image: lesion for image, row in rows.items() if (lesion := known(row["lesion_id"]))}


def read(root: Path, part: Part | None = None) -> Reading:
    """Reads one part.

    Args:
        root: The folder that holds ground truth and image folder.
        part: Which; None takes the first of training, validation and test whose ground truth is there.

    Raises:
        DataError: A file, a column or every image is missing, or labels contradict each other.
    """
    wanted = [part] if part else PARTS
    there = [(name, path) for name in wanted if (path := table(root, name, GROUND_TRUTH))]
    if not there:
        raise DataError(f"{root} holds no ISIC2018_Task3_{wanted[0]}_{GROUND_TRUTH}.csv: {UNPACK}")
    name, path = there[0]
    folder = find_folder(root, f"ISIC2018_Task3_{name}_Input")
    if folder is None:
        raise DataError(f"the image folder {root / f'ISIC2018_Task3_{name}_Input'} is missing: {UNPACK}")
    labels = one_hot_labels(path, ISIC2018)
    source = "HAM10000" if name == "Training" else f"ISIC2018-{name.lower()}"
    lesion_of = lesions(root) if name == "Training" else {}
    reading = assemble(
        labels=labels,
        files=image_files(folder),
        about={},
        lesions=lesion_of,
        sources=dict.fromkeys(labels, source),
        taxonomy=ISIC2018,
    )
    reading = weighted(reading, path)
    torn = name == "Training" and not lesion_of
    return replace(reading, notes=(*reading.notes, NO_LESIONS)) if torn else reading
