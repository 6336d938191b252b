"""Real HAM10000 images for the tests of this folder, out of the team's archive."""

import csv
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Ham:
    """HAM10000 in its archive; images are 200×150."""

    archive: tarfile.TarFile

    def _read(self, member: str) -> bytes:
        file = self.archive.extractfile(f"ham10000/{member}")
        assert file is not None
        return file.read()

    def image(self, name: str) -> NDArray[np.uint8]:
        return np.array(Image.open(io.BytesIO(self._read(f"HAM10000_images/{name}.jpg"))))

    def lesion(self, name: str) -> NDArray[np.bool_]:
        member = f"HAM10000_segmentations_lesion_tschandl/{name}_segmentation.png"
        return np.array(Image.open(io.BytesIO(self._read(member)))) > 0

    def by_probability_of(self, artefact: str) -> list[str]:
        """Names of images, those first that a public classifier thinks least likely to have this artefact."""
        table = csv.DictReader(io.StringIO(self._read("artefact_probabilities.csv").decode()))
        return [row["image"] for row in sorted(table, key=lambda row: float(row[artefact]))]


@pytest.fixture(scope="session")
def ham(shared_dir: Path) -> Iterator[Ham]:
    with tarfile.open(shared_dir / "data" / "ham10000.tar") as archive:
        archive.getmembers()  # reads the index once
        yield Ham(archive)
