"""The ISIC 2019 reader on tiny sets in the publisher's layout."""

from pathlib import Path

import pytest

from transxv2s.datasets import isic2019
from transxv2s.errors import DataError
from transxv2s.taxonomy import ISIC2019

from .layout import Lesion, write_isic2019, write_tables

LESIONS = (
    Lesion("ISIC_0000001", "NV"),
    Lesion("ISIC_0024306", "MEL", "HAM_0000550"),
    Lesion("ISIC_0053454", "SCC", "BCN_0003884"),
    Lesion("ISIC_0000003_downsampled", "VASC", "MSK4_0011169"),
)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_records_in_the_order_of_the_table(tmp_path: Path, newline: str) -> None:
    reading = isic2019.read(write_isic2019(tmp_path, LESIONS, newline))
    assert reading.missing == ()
    assert [(r.id, ISIC2019.codes[r.label], r.lesion, r.source) for r in reading.records] == [
        ("ISIC_0000001", "NV", None, "MSK"),
        ("ISIC_0024306", "MEL", "HAM_0000550", "HAM10000"),
        ("ISIC_0053454", "SCC", "BCN_0003884", "BCN_20000"),
        ("ISIC_0000003_downsampled", "VASC", "MSK4_0011169", "MSK"),
    ]
    assert all(r.path == tmp_path / isic2019.IMAGES / f"{r.id}.png" for r in reading.records)


def test_missing_files_are_reported(tmp_path: Path) -> None:
    root = write_isic2019(tmp_path, LESIONS)
    (root / isic2019.IMAGES / "ISIC_0024306.png").unlink()
    reading = isic2019.read(root)
    assert reading.missing == ("ISIC_0024306",)
    assert "ISIC_0024306" not in {r.id for r in reading.records}
    assert len(reading.records) == 3


def test_a_folder_without_any_of_the_images_is_refused(tmp_path: Path) -> None:
    write_tables(tmp_path, LESIONS)
    (tmp_path / isic2019.IMAGES).mkdir()
    with pytest.raises(DataError, match=r"none of the images is in .*ISIC_0000001, ISIC_0024306"):
        isic2019.read(tmp_path)


@pytest.mark.parametrize("name", [isic2019.GROUND_TRUTH, isic2019.METADATA])
def test_a_missing_table_is_named(tmp_path: Path, name: str) -> None:
    root = write_isic2019(tmp_path, LESIONS)
    (root / name).unlink()
    with pytest.raises(DataError, match=name):
        isic2019.read(root)


@pytest.mark.parametrize(("hot", "count"), [("1.0,1.0", 2), ("0.0,0.0", 0)])
def test_exactly_one_class_must_be_set(tmp_path: Path, hot: str, count: int) -> None:
    lines = [",".join(["image", *ISIC2019.codes]), f"ISIC_1,{hot}" + ",0.0" * 6]
    (tmp_path / isic2019.GROUND_TRUTH).write_text("\n".join(lines))
    with pytest.raises(DataError, match=rf"ISIC_1 must have exactly one class, but has {count}"):
        isic2019.labels(tmp_path)


def test_an_image_may_appear_only_once(tmp_path: Path) -> None:
    write_tables(tmp_path, (*LESIONS, Lesion("ISIC_0000001", "MEL")))
    with pytest.raises(DataError, match="ISIC_0000001 appears twice"):
        isic2019.labels(tmp_path)


@pytest.mark.parametrize(
    ("image", "lesion", "source"),
    [
        ("ISIC_0024305", None, "MSK"),
        ("ISIC_0024306", "HAM_1", "HAM10000"),
        ("ISIC_0034320", "HAM_1", "HAM10000"),
        ("ISIC_0034321", None, "MSK"),
        ("ISIC_0030000", "BCN_1", "BCN_20000"),
        ("photograph", None, "MSK"),
    ],
)
def test_the_source_follows_from_lesion_and_number(image: str, lesion: str | None, source: str) -> None:
    assert isic2019.source_of(image, lesion) == source
