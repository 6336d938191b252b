"""Readers by name."""

from pathlib import Path

import pytest

from transxv2s.datasets import registry
from transxv2s.datasets.registry import TableOptions
from transxv2s.datasets.table import Columns
from transxv2s.errors import ConfigError
from transxv2s.taxonomy import NEVUS_MELANOMA

from .layout import Lesion, write_flats, write_isic2019, write_lines
from .test_ham10000 import write_ham10000
from .test_isic2018 import write_part
from .test_isic2019 import write_test_set


def test_every_name_reaches_its_reader(tmp_path: Path) -> None:
    write_isic2019(tmp_path, [Lesion("ISIC_1", "NV")])
    for write in (write_test_set, write_ham10000):
        write(tmp_path)
    write_part(tmp_path, "Training")
    write_part(tmp_path, "Test")
    write_flats(tmp_path / "classes", "NV/a.jpg")
    table = write_lines(tmp_path / "photos" / "t.csv", "photo,label", "b,naevus")
    write_flats(tmp_path / "photos", "b.jpg")
    options = TableOptions(table, Columns(image="photo"), {"naevus": "NV"}, NEVUS_MELANOMA)
    found = {
        name: registry.read(name, tmp_path / folder, options).records[0].id
        for name, folder in {
            "isic2019": ".",
            "isic2019-test": ".",
            "isic2018": ".",
            "isic2018-test": ".",
            "ham10000": ".",
            "table": "photos",
        }.items()
    }
    assert found == {
        "isic2019": "ISIC_1",
        "isic2019-test": "ISIC_0",
        "isic2018": "ISIC_Training0",
        "isic2018-test": "ISIC_Test0",
        "ham10000": "ISIC_0",
        "table": "b",
    }
    assert registry.read("folder", tmp_path / "classes").records[0].id == "a"
    assert registry.read("table", tmp_path / "photos", options).taxonomy is NEVUS_MELANOMA


def test_an_unknown_name_is_told_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="'isic2017' is unknown: take one of isic2019, isic2019-test, isic2018"
    ):
        registry.read("isic2017", tmp_path)
