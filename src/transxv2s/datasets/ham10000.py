"""HAM10000, as its publisher lays it out. Its 8-class labels are in the ISIC 2019 ground truth.

Here it only lends its larger image files to the ISIC 2019 reader, which holds the same images by id.
"""

from pathlib import Path

from transxv2s.datasets.records import image_files
from transxv2s.errors import DataError

FOLDERS = ("HAM10000_images", "HAM10000_images_part_1", "HAM10000_images_part_2")


def files(root: Path) -> dict[str, Path]:
    """Image files by id, from the one folder or the publisher's two parts.

    Raises:
        DataError: None of the folders is there.
    """
    folders = [root / name for name in FOLDERS if (root / name).is_dir()]
    if not folders:
        raise DataError(
            f"{root} holds none of {', '.join(FOLDERS)}: unpack HAM10000 as its publisher lays it out"
        )
    return {image: path for folder in folders for image, path in image_files(folder).items()}
