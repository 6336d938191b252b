"""Codes: well-formed, those of the DICOM standard where it has them, and sites in the project's words."""

from typing import cast

import pytest
from pydicom.sr._concepts_dict import concepts

from transxv2s.serve.cases import SITES
from transxv2s.serve.formats.sites import table
from transxv2s.serve.formats.terms import SNOMED_CT, name_of
from transxv2s.taxonomy import ISIC2019

SCT = cast(dict[str, dict[str, object]], concepts["SCT"])
STANDARD = {code for found in SCT.values() for code in found}
MULTIPLIED = [
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
]
MOVED = [
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
]
REGIONS = [value for scheme, value in table() if scheme == "SCT"]


def passes_verhoeff(code: str) -> bool:
    """The check digit of every SNOMED CT identifier, which any single wrong or swapped digit breaks."""
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = int(MULTIPLIED[check][int(MOVED[place % 8][int(digit)])])
    return check == 0


@pytest.mark.parametrize("code", [code for code, _ in SNOMED_CT.values()])
def test_diagnoses_have_a_valid_check_digit(code: str) -> None:
    assert passes_verhoeff(code)
    assert not passes_verhoeff(code[:-2] + code[-1] + code[-2])


def test_diagnoses_are_those_of_dicom_where_it_has_them() -> None:
    assert "201101007" in SCT["ActinicKeratosis"]
    assert "254651007" in SCT["SquamousCellCarcinomaOfSkin"]
    assert (SNOMED_CT["AK"][0], SNOMED_CT["SCC"][0]) == ("201101007", "254651007")


def test_every_class_has_a_name() -> None:
    assert SNOMED_CT.keys() <= set(ISIC2019.codes)
    assert [name_of(code) for code in ("MEL", "AKIEC", "wart")] == [
        "melanoma",
        "actinic keratosis or intraepithelial carcinoma",
        "wart",
    ]


def test_regions_are_those_of_dicom() -> None:
    assert len(REGIONS) > 100
    assert set(REGIONS) <= STANDARD


def test_sites_are_in_the_words_of_isic_2019() -> None:
    assert set(table().values()) <= set(SITES)
