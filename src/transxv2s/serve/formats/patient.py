"""The three things about the patient that a case keeps: age, sex and site. Nothing else is ever read."""

import re
from datetime import date, datetime

from pydicom import Dataset

from transxv2s.datasets.tables import OLDEST, SEXES
from transxv2s.serve import cases

READ = (
    "PatientAge",
    "PatientBirthDate",
    "StudyDate",
    "PatientSex",
    "AnatomicRegionSequence",
    "BodyPartExamined",
)
PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}


def age(dataset: Dataset) -> int | None:
    """Completed years, from Patient's Age or else the study's date less that of birth; 90 is 90 or more."""
    years = _stated(dataset)
    if years is None:
        years = _between(_date(dataset, "PatientBirthDate"), _date(dataset, "StudyDate"))
    return min(years, cases.OLDEST) if years is not None and 0 <= years <= OLDEST else None


def _stated(dataset: Dataset) -> int | None:
    """VR AS (PS3.5, 6.2): three digits and D, W, M or Y."""
    match = re.fullmatch(r"([0-9]{3})([DWMY])", str(dataset.get("PatientAge")).strip())
    return int(int(match[1]) / PER_YEAR[match[2]]) if match else None


def _date(dataset: Dataset, keyword: str) -> date | None:
    try:
        return datetime.strptime(str(dataset.get(keyword)).strip(), "%Y%m%d").date()
    except ValueError:
        return None


def _between(birth: date | None, study: date | None) -> int | None:
    if birth is None or study is None:
        return None
    return study.year - birth.year - ((study.month, study.day) < (birth.month, birth.day))


def sex(dataset: Dataset) -> str | None:
    """Female or male; None for other and unknown, as everywhere in this project."""
    return SEXES.get(str(dataset.get("PatientSex")).strip().lower())
