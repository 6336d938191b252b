"""The readers read what was downloaded."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from transxv2s.cli import data_get
from transxv2s.datasets import registry
from transxv2s.datasets.catalogue import COLLECTIONS
from transxv2s.datasets.download import download

from .server import serving
from .toy import Listener, zipped

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "ISIC_0000019.jpg"


def one_hot(codes: str) -> bytes:
    columns = codes.split()
    return f"image,{','.join(columns)}\nISIC_1,1{',0' * (len(columns) - 1)}\n".encode()


PICTURE = SAMPLE.read_bytes()
EIGHT, SEVEN = "MEL NV BCC AK BKL DF VASC SCC", "MEL NV BCC AKIEC BKL DF VASC"
PART_ZIPS = {
    f"ISIC2018_Task3_{part}_{kind}.zip": zipped({f"ISIC2018_Task3_{part}_{kind}/{name}": content})
    for part in ("Training", "Validation", "Test")
    for kind, name, content in (
        ("Input", "ISIC_1.jpg", PICTURE),
        ("GroundTruth", f"ISIC2018_Task3_{part}_GroundTruth.csv", one_hot(SEVEN)),
    )
}
PUBLISHED = {
    "isic2019": {
        "ISIC_2019_Training_GroundTruth.csv": one_hot(f"{EIGHT} UNK"),
        "ISIC_2019_Training_Metadata.csv": b"image,age_approx,lesion_id,sex\nISIC_1,50,L1,male\n",
        "ISIC_2019_Test_GroundTruth.csv": one_hot(f"{EIGHT} UNK"),
        "ISIC_2019_Test_Metadata.csv": b"image,age_approx,sex\nISIC_1,50,male\n",
        "ISIC_2019_Training_Input.zip": zipped({"ISIC_2019_Training_Input/ISIC_1.jpg": PICTURE}),
        "ISIC_2019_Test_Input.zip": zipped({"ISIC_2019_Test_Input/ISIC_1.jpg": PICTURE}),
    },
    "isic2018": {
        "ISIC2018_Task3_Training_LesionGroupings.csv": b"image,lesion_id\nISIC_1,L1\n",
        **PART_ZIPS,
    },
    "ham10000": {
        "HAM10000_metadata.csv": b"lesion_id,image_id,dx,age,sex\nL1,ISIC_1,mel,50,male\n",
        "HAM10000_images_part_1.zip": zipped({"ISIC_1.jpg": PICTURE}),  # flat
        "HAM10000_images_part_2.zip": zipped({"ISIC_2.jpg": PICTURE}),
        "HAM10000_segmentations_lesion_tschandl.zip": zipped(
            {"HAM10000_segmentations_lesion_tschandl/ISIC_1_segmentation.png": PICTURE}
        ),
    },
}


@pytest.mark.parametrize(
    ("name", "readers"),
    [
        ("isic2019", ("isic2019", "isic2019-test")),
        ("isic2018", ("isic2018", "isic2018-test")),
        ("ham10000", ("ham10000",)),
    ],
)
def test_readers_read_what_was_downloaded(
    name: str, readers: tuple[str, ...], listener: Listener, tmp_path: Path
) -> None:
    files = tuple(
        replace(file, checksum=None) for file in COLLECTIONS[name].files
    )  # the toy's bytes are others
    with serving(PUBLISHED[name]) as site:
        download(replace(COLLECTIONS[name], files=files), tmp_path, listener, site.url)
    for reader in readers:
        reading = registry.read(reader, tmp_path)
        assert [record.id for record in reading.records] == ["ISIC_1"]
        assert reading.records[0].path.read_bytes() == PICTURE


def test_the_catalogue_is_well_formed() -> None:
    assert list(COLLECTIONS) == [str(name) for name in data_get.Name]
    for item in COLLECTIONS.values():
        assert len({file.placed for file in item.files}) == len(item.files)
        for file in item.files:
            assert file.address.startswith("https://")
            assert file.checksum is None or re.fullmatch(r"md5:[0-9a-f]{32}", file.checksum)
