"""Nothing that identifies the patient gets out: not as a result, in a log, a warning or an error."""

import pickle
import warnings

import pydicom
import pytest

from serve.formats.dicom_files import SECRETS, photograph, sample, written
from serve.formats.findings import finding
from transxv2s.errors import ImageError
from transxv2s.serve.formats.dicom_in import read
from transxv2s.serve.formats.dicom_out import structured_report
from transxv2s.serve.formats.filing import filing_of


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def malformed() -> bytes:
    """Every identifying value breaks the rules of its kind, which makes pydicom quote it in warnings."""
    broken = {
        "PatientName": "Quixote Aldonza",
        "PatientBirthDate": "19610309 Aldonza",
        "PatientAge": "Aldonza",
        "PatientSex": "Quixote",
        "StudyDate": "Aldonza",
        "PatientID": "MRN-4711" * 20,
        "BodyPartExamined": "aldonza Quixote" * 4,
        "StudyID": "MRN-4711 is much too long for a short string",
    }
    with pydicom.config.disable_value_validation():
        return written(photograph(sample(), **broken))


def test_the_secrets_are_in_the_file() -> None:
    content = written(photograph(sample()))
    assert all(secret.encode() in content for secret in SECRETS)


@pytest.mark.parametrize("content", [written(photograph(sample())), malformed()])
def test_reading_keeps_none_of_them(content: bytes) -> None:
    found = read(content)
    pickled = pickle.dumps(found)
    assert not [secret for secret in SECRETS if secret.encode() in pickled]
    assert not secrets_in(repr(found))


def test_reading_and_answering_say_none_of_them(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    content = malformed()
    caplog.set_level("DEBUG")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read(content)
        filing = filing_of(content)
        structured_report(finding(), filing)
        with pytest.raises(ImageError) as refused:
            read(content[:-1000])
    said = capfd.readouterr()
    everything = [caplog.text, said.out, said.err, *(str(w.message) for w in caught), str(refused.value)]
    assert not secrets_in(" ".join(everything))


def test_what_an_answer_is_filed_under_does_not_show_the_patient() -> None:
    filing = filing_of(written(photograph(sample())))
    assert filing.attributes["PatientName"] == "Quixote^Aldonza"
    assert not secrets_in(repr(filing))
