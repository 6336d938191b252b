"""ISIC 2019 training set, as its publisher lays it out: ground truth, metadata and an image folder."""

from pathlib import Path

from transxv2s.datasets.records import Reading, Record, examples, image_files, rows
from transxv2s.errors import DataError
from transxv2s.taxonomy import ISIC2019

GROUND_TRUTH = "ISIC_2019_Training_GroundTruth.csv"
METADATA = "ISIC_2019_Training_Metadata.csv"
IMAGES = "ISIC_2019_Training_Input"
HAM_IDS = range(24306, 34321)  # ISIC_0024306 to ISIC_0034320 are HAM10000's


def source_of(image: str, lesion: str | None) -> str:
    """The collection an image comes from: HAM10000, BCN_20000 or MSK (which has no or MSK4 lesion ids)."""
    if lesion and lesion.startswith("BCN"):
        return "BCN_20000"
    number = image.removeprefix("ISIC_").split("_")[0]
    return "HAM10000" if number.isdigit() and int(number) in HAM_IDS else "MSK"


def labels(root: Path) -> dict[str, int]:
    """Class position by image id, from the one-hot ground truth.

    Raises:
        DataError: The file is missing, or a row does not set exactly one of the eight classes.
    """
    found: dict[str, int] = {}
    for row in rows(root / GROUND_TRUTH, ("image", *ISIC2019.codes)):
        hot = [i for i, code in enumerate(ISIC2019.codes) if float(row[code] or 0) == 1]
        if len(hot) != 1:
            raise DataError(f"{GROUND_TRUTH}: {row['image']} must have exactly one class, but has {len(hot)}")
        if row["image"] in found:
            raise DataError(f"{GROUND_TRUTH}: {row['image']} appears twice")
        found[row["image"]] = hot[0]
    return found


def lesions(root: Path) -> dict[str, str]:
    """Lesion id by image id, for the images that have one."""
    return {
        r["image"]: r["lesion_id"] for r in rows(root / METADATA, ("image", "lesion_id")) if r["lesion_id"]
    }


def read(root: Path) -> Reading:
    """Reads the training set.

    Args:
        root: The folder that holds the ground truth, the metadata and the image folder.

    Raises:
        DataError: A file, a column or every image is missing.
    """
    label_of, lesion_of, files = labels(root), lesions(root), image_files(root / IMAGES)
    missing = tuple(image for image in label_of if image not in files)
    if len(missing) == len(label_of):
        raise DataError(f"none of the images is in {root / IMAGES}, for example {examples(missing)}")
    records = tuple(
        Record(image, files[image], label, lesion_of.get(image), source_of(image, lesion_of.get(image)))
        for image, label in label_of.items()
        if image in files
    )
    return Reading(records, missing)
