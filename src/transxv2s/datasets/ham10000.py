"""HAM10000, as its publisher lays it out: both image folders or one, metadata, lesion masks; seven classes.

The 8-class labels of the same images are in the ISIC 2019 ground truth.
"""

from pathlib import Path

from transxv2s.datasets.challenge import assemble
from transxv2s.datasets.records import Reading, counted
from transxv2s.datasets.tables import UNPACK, by_id, find_folder, image_files, known, read_table, unique_rows
from transxv2s.errors import DataError
from transxv2s.taxonomy import ISIC2018

FOLDERS = ("HAM10000_images", "HAM10000_images_part_1", "HAM10000_images_part_2")
METADATA = ("HAM10000_metadata.csv", "HAM10000_metadata.tab", "HAM10000_metadata")
MASKS = "HAM10000_segmentations_lesion_tschandl"
MASK_SUFFIX = "_segmentation"
SOURCE = "HAM10000"


def files(root: Path) -> dict[str, Path]:
    """Image files by id, from the one folder or the publisher's two parts.

    Raises:
        DataError: None of the folders is there, or an image is in both with different names of file.
    """
    folders = [folder for name in FOLDERS if (folder := find_folder(root, name))]
    if not folders:
        raise DataError(f"{root} holds none of {', '.join(FOLDERS)}: {UNPACK}")
    return by_id(path for folder in folders for path in image_files(folder).values())


def masks(root: Path) -> dict[str, Path]:
    """Files of the lesion masks by image id; nothing where the folder is not there."""
    folder = find_folder(root, MASKS)
    return {name.removesuffix(MASK_SUFFIX): p for name, p in image_files(folder).items()} if folder else {}


def read(root: Path) -> Reading:
    """Reads the whole set in the seven classes of ISIC 2018.

    Args:
        root: The folder that holds the metadata and one or two image folders.

    Raises:
        DataError: A file, a column or every image is missing, or a diagnosis is unknown.
    """
    path = next((root / name for name in METADATA if (root / name).exists()), root / METADATA[0])
    rows = unique_rows(path, read_table(path, ("image_id", "lesion_id", "dx")), "image_id")
    strange = [image for image, row in rows.items() if row["dx"].upper() not in ISIC2018.codes]
    if strange:
        problem = counted(strange, "image has an unknown diagnosis", "images have an unknown diagnosis")
        codes = ", ".join(code.lower() for code in ISIC2018.codes)
        raise DataError(f"{path}: {problem}: dx must be one of {codes}")
    labels = {image: ISIC2018.index(row["dx"].upper()) for image, row in rows.items()}
    return assemble(
        labels=labels,
        files=files(root),
        about=rows,
        lesions={image: lesion for image, row in rows.items() if (lesion := known(row["lesion_id"]))},
        sources=dict.fromkeys(labels, SOURCE),
        taxonomy=ISIC2018,
    )
