"""HAM10000's image files, in one folder or the publisher's two parts."""

from pathlib import Path

import pytest

from transxv2s.datasets import ham10000
from transxv2s.errors import DataError

from .layout import write_flat


@pytest.mark.parametrize(
    "folders",
    [("HAM10000_images", "HAM10000_images"), ("HAM10000_images_part_1", "HAM10000_images_part_2")],
)
def test_files_of_all_folders(tmp_path: Path, folders: tuple[str, str]) -> None:
    paths = [tmp_path / folder / f"ISIC_{i}.jpg" for i, folder in enumerate(folders)]
    for path in paths:
        write_flat(path, 1)
    assert ham10000.files(tmp_path) == {"ISIC_0": paths[0], "ISIC_1": paths[1]}


def test_another_layout_is_refused(tmp_path: Path) -> None:
    write_flat(tmp_path / "images" / "ISIC_0.jpg", 1)
    with pytest.raises(DataError, match="holds none of HAM10000_images"):
        ham10000.files(tmp_path)
