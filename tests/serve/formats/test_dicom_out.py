"""The report says all of the finding, to pydicom, to highdicom and to an outside judge."""

import io
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
import pytest
from highdicom.sr import ComprehensiveSR
from pydicom import Dataset

from serve.formats.dicom_files import photograph, sample, written
from serve.formats.findings import CHECKPOINT, answered, finding
from transxv2s import NOTICE, __version__
from transxv2s.serve.formats.dicom_out import structured_report
from transxv2s.serve.formats.filing import filing_of

REPORT_OF_A_FILE = "file"
REPORT_OF_BYTES = "bytes"


def opened(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def items(sequence: Sequence[Dataset]) -> Iterator[tuple[str, str | float, Dataset]]:
    """All content items in reading order: name, value, item."""
    for item in sequence:
        name = item.ConceptNameCodeSequence[0].CodeMeaning
        yield name, value(item), item
        yield from items(item.get("ContentSequence", []))


def value(item: Dataset) -> str | float:
    match item.ValueType:
        case "TEXT":
            return str(item.TextValue)
        case "CODE":
            return str(item.ConceptCodeSequence[0].CodeMeaning)
        case "NUM":
            return float(item.MeasuredValueSequence[0].NumericValue)
        case "IMAGE":
            return str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
    return ""


def said(dataset: Dataset, wanted: str) -> list[str | float]:
    return [found for name, found, _ in items(dataset.ContentSequence) if name == wanted]


def test_the_report_says_all_of_the_finding() -> None:
    report = opened(structured_report(finding()))
    assert said(report, "Finding") == ["Basal cell carcinoma of skin"]
    assert said(report, "Differential Diagnosis/Impression") == [
        "Malignant melanoma of skin",
        "Melanocytic nevus",
        "Basal cell carcinoma of skin",
        "Actinic keratosis",
        "benign keratosis",
        "dermatofibroma",
        "vascular lesion",
        "Squamous cell carcinoma of skin",
    ]
    expected = [100 / 3, *(100 * p for p in finding().probabilities.values())]
    assert said(report, "Certainty of Finding") == pytest.approx(expected, abs=1e-6)
    assert said(report, "Recommendation") == [
        "The algorithm does not answer alone: an expert must look at this lesion."
    ]
    assert said(report, "Comment") == [*finding().reasons, NOTICE]
    assert said(report, "Quality Finding") == finding().quality


def test_the_report_says_who_says_so() -> None:
    report = opened(structured_report(finding()))
    assert said(report, "Algorithm Name") == ["TransXV2S-Net"]
    assert said(report, "Algorithm Version") == [__version__]
    assert said(report, "Algorithm Parameters") == ["model transxv2s_net", f"checkpoint {CHECKPOINT}"]
    assert said(report, "Observer Type") == ["Device"]
    assert report.DeviceSerialNumber == CHECKPOINT
    assert (report.CompletionFlag, report.PreliminaryFlag) == ("COMPLETE", "PRELIMINARY")
    assert report.VerificationFlag == "UNVERIFIED"


def test_an_answer_carries_its_advice_and_no_reasons() -> None:
    report = opened(structured_report(answered()))
    assert said(report, "Finding") == ["dermatofibroma"]
    assert said(report, "Recommendation") == [
        "The algorithm answers without an expert. Look again in three months."
    ]
    assert said(report, "Comment") == [NOTICE]


def test_highdicom_reads_the_report() -> None:
    report = ComprehensiveSR.from_dataset(opened(structured_report(finding())))
    assert report.content[0].name.meaning == "Diagnostic Imaging Report"


def test_without_a_dicom_source_there_is_no_patient_and_every_file_is_its_own_study() -> None:
    one, other = (opened(structured_report(finding())) for _ in range(2))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert one[keyword].value != other[keyword].value
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"):
        assert not one[keyword].value
    assert "CurrentRequestedProcedureEvidenceSequence" not in one


def test_the_answer_to_a_dicom_file_refers_to_it_and_is_filed_with_it() -> None:
    source = photograph(sample())
    filing = filing_of(written(source))
    report = opened(structured_report(finding(), filing))
    assert said(report, "Source image") == [source.SOPInstanceUID]
    assert ComprehensiveSR.from_dataset(report).get_evidence() == [
        (source.StudyInstanceUID, source.SeriesInstanceUID, source.SOPInstanceUID, source.SOPClassUID)
    ]
    for keyword in ("StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber"):
        assert report[keyword].value == source[keyword].value


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Änne"),
        ("ISO_IR 192", "Иванова^Анна"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ],
)
def test_names_in_other_characters_arrive(charset: str | list[str], name: str) -> None:
    source = photograph(sample(), SpecificCharacterSet=charset, PatientName=name)
    report = opened(structured_report(finding(), filing_of(written(source))))
    assert str(report.PatientName) == name
    assert "σ" in str(said(report, "Quality Finding"))


@pytest.mark.parametrize("source", [REPORT_OF_A_FILE, REPORT_OF_BYTES])
def test_the_outside_judge_finds_no_error(source: str, tmp_path: Path) -> None:
    judge = shutil.which("dciodvfy")
    if judge is None:
        pytest.skip("needs dciodvfy, from the package dicom3tools")
    filing = filing_of(written(photograph(sample()))) if source == REPORT_OF_A_FILE else None
    for number, found in enumerate((finding(), answered())):
        file = tmp_path / f"{number}.dcm"
        file.write_bytes(structured_report(found, filing))
        verdict = subprocess.run([judge, file], capture_output=True, text=True, check=False)  # noqa: S603
        assert "ComprehensiveSR" in verdict.stderr.splitlines()  # it knew what it looked at
        assert "Error" not in verdict.stderr
