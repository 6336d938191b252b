"""ISIC 2019, as its publisher lays it out: the training set, or the official test set with its class UNK."""

from pathlib import Path
from typing import Literal

from transxv2s.datasets.challenge import assemble, one_hot_labels, weighted
from transxv2s.datasets.records import Reading
from transxv2s.datasets.tables import UNPACK, Row, find_folder, image_files, known, read_table, unique_rows
from transxv2s.errors import DataError
from transxv2s.taxonomy import ISIC2019, ISIC2019_UNK

Part = Literal["Training", "Test"]

HAM_IDS = range(24306, 34321)  # ISIC_0024306 to ISIC_0034320 are HAM10000's
TEST_SOURCE = "ISIC2019-test"  # its publisher does not tell the collections apart


def source_of(image: str, lesion: str | None) -> str:
    """The collection an image comes from: HAM10000, BCN_20000 or MSK (which has no or MSK4 lesion ids)."""
    if lesion and lesion.startswith("BCN"):
        return "BCN_20000"
    number = image.removeprefix("ISIC_").split("_")[0]
    return "HAM10000" if number.isdigit() and int(number) in HAM_IDS else "MSK"


def ground_truth(root: Path, part: Part) -> Path:
    """Where the labels of a part are."""
    return root / f"ISIC_2019_{part}_GroundTruth.csv"


def metadata(root: Path, part: Part) -> dict[str, Row]:
    """Rows of metadata by image id; nothing where the file is not there and the part has no lesion ids.

    Raises:
        DataError: The file of the training set, which holds the lesion ids, is missing.
    """
    path = root / f"ISIC_2019_{part}_Metadata.csv"
    if part == "Test" and not path.exists():
        return {}
    required = ("image", "lesion_id") if part == "Training" else ("image",)
    return unique_rows(path, read_table(path, required), "image")


def labels(root: Path) -> dict[str, int]:
    """Class position by image id, for the whole training set, whether its files are there or not.

    Raises:
        DataError: The ground truth is missing or wrong.
    """
    return one_hot_labels(ground_truth(root, "Training"), ISIC2019)


def read(root: Path, part: Part | None = None) -> Reading:
    """Reads the training set, or the official test set (taxonomy `isic2019-unk`).

    Args:
        root: The folder that holds ground truth, metadata and image folder.
        part: Which; None takes the training set if its ground truth is there, else the test set.

    Raises:
        DataError: A file, a column or every image is missing, or labels contradict each other.
    """
    if part is None:
        part = "Test" if _only_test(root) else "Training"
    taxonomy = ISIC2019 if part == "Training" else ISIC2019_UNK
    label_of = one_hot_labels(ground_truth(root, part), taxonomy)
    about = metadata(root, part)
    folder = find_folder(root, f"ISIC_2019_{part}_Input")
    if folder is None:
        raise DataError(f"the image folder {root / f'ISIC_2019_{part}_Input'} is missing: {UNPACK}")
    lesions = {image: lesion for image, row in about.items() if (lesion := known(row.get("lesion_id", "")))}
    sources = {
        image: source_of(image, lesions.get(image)) if part == "Training" else TEST_SOURCE
        for image in label_of
    }
    reading = assemble(
        labels=label_of,
        files=image_files(folder),
        about=about,
        lesions=lesions,
        sources=sources,
        taxonomy=taxonomy,
    )
    return weighted(reading, ground_truth(root, part))


def _only_test(root: Path) -> bool:
    return ground_truth(root, "Test").exists() and not ground_truth(root, "Training").exists()
