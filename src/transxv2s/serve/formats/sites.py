"""Where on the body: DICOM's anatomic regions in the words of ISIC 2019 (`anatom_site_general`).

`sites.csv` holds DICOM's dermatology sites (PS3.16, CID 4029), the common regions, and the defined terms of
Body Part Examined. What lies between two of our sites (axilla, groin, buttock, nails) is in none: no site is
better than a wrong one.
"""

import csv
from functools import cache
from importlib.resources import files

from pydicom import Dataset


@cache
def table() -> dict[tuple[str, str], str]:
    """Coding scheme and value → site."""
    text = files(__package__).joinpath("sites.csv").read_text(encoding="utf-8")
    return {(row["scheme"], row["value"]): row["site"] for row in csv.DictReader(text.splitlines())}


def site(dataset: Dataset) -> str | None:
    """One of `cases.SITES`, by Anatomic Region Sequence or Body Part Examined; None where neither says."""
    for region in dataset.get("AnatomicRegionSequence") or []:
        code = (str(region.get("CodingSchemeDesignator")).strip(), str(region.get("CodeValue")).strip())
        if code in table():
            return table()[code]
    part = str(dataset.get("BodyPartExamined")).upper().replace(" ", "").replace("_", "")
    return table().get(("BODY PART", part))
