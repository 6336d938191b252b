"""Where prediction sets are by age band, an image gets the set of the age that is told."""

from typing import Any

from serve.api.conftest import Site
from serve.api.tiny import LIGHT, LIMITS, Brightness, TinyExaminer, config, image
from serve.formats.dicom_files import photograph, sample, written
from transxv2s.checkpoint import Checkpoint
from transxv2s.classifier import Classifier
from trusting import plain_trust


def by(grouping: str) -> TinyExaminer:
    """Only of 70 years and more the class named is alone in its set."""
    sets = plain_trust().sets
    every, one = (sets.limits.model_copy(update={"values": (value,) * 8}) for value in (0.0, 1.0))
    grouped = sets.model_copy(
        update={"limits": every, "grouping": grouping, "groups": {"70+": one, "30–49": every}}
    )
    made = config()
    assert made.trust is not None
    trust = made.trust.model_copy(update={"sets": grouped})
    checkpoint = Checkpoint(made.model_copy(update={"trust": trust}), Brightness, "0123456789ab")
    return TinyExaminer(Classifier(checkpoint, "cpu"), LIMITS)


def set_size(case: dict[str, Any]) -> int:
    return len(case["findings"][0]["prediction_set"])


def test_the_age_of_the_form_decides(site: Site) -> None:
    site.workers.examiner = by("age")
    assert [set_size(site.send(image(LIGHT), age=age).json()) for age in ("80", "40", "")] == [1, 8, 8]


def test_a_file_may_tell_the_age_itself(site: Site) -> None:
    site.workers.examiner = by("age")
    assert set_size(site.send(written(photograph(sample(), PatientAge="080Y"))).json()) == 1
    assert set_size(site.send(written(photograph(sample(), PatientAge="080Y")), age="40").json()) == 8


def test_an_age_is_no_source(site: Site) -> None:
    site.workers.examiner = by("source")
    assert set_size(site.send(image(LIGHT), age="80").json()) == 8
