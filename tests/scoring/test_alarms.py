import numpy as np
import pytest
from predictions import MANY

from transxv2s.errors import InputError
from transxv2s.scoring import alarms, report
from transxv2s.taxonomy import ISIC2019

LABELS = np.array([0] * 10 + [1] * 10 + [2] * 10 + [6] * 4)
PREDICTED = np.array([0] * 3 + [1] * 7 + [1] * 10 + [2] * 5 + [0] * 5 + [1] * 4)
REPORT = report(np.eye(8)[PREDICTED], LABELS, range(34), ISIC2019, draws=200)


def test_a_class_that_is_never_found_and_one_under_the_floor_are_called_out_worst_first() -> None:
    never, seldom = alarms(REPORT)
    assert (never["code"], never["images"], never["predicted"], never["recall"]["value"]) == ("VASC", 4, 0, 0)
    assert never["words"] == "VASC was never predicted: not one of its 4 images was found"
    assert (seldom["code"], seldom["recall"]["value"]) == ("MEL", 0.3)
    interval = f"95 % interval {seldom['recall']['low']:.2f} to {seldom['recall']['high']:.2f}"
    assert seldom["words"] == f"MEL has a recall of 0.30 ({interval}) on 10 images, under the floor of 0.5"


def test_the_floor_itself_is_no_alarm_and_absent_classes_are_none() -> None:
    """BCC has a recall of exactly 0.5; AK, BKL, DF and SCC have no images."""
    assert [a["code"] for a in alarms(REPORT, 0.5)] == ["VASC", "MEL"]
    assert [a["code"] for a in alarms(REPORT, 0.51)] == ["VASC", "MEL", "BCC"]
    assert [a["code"] for a in alarms(REPORT, 0.0)] == ["VASC"]


def test_a_good_average_does_not_silence_it() -> None:
    p = np.eye(8)[np.where(MANY.labels == 6, 1, MANY.labels)]
    scores = report(p, MANY.labels, MANY.lesions, ISIC2019, draws=20)
    assert scores["accuracy"]["value"] is not None
    assert scores["accuracy"]["value"] > 0.9
    assert [a["code"] for a in alarms(scores)] == ["VASC"]


def test_the_floor_is_a_share() -> None:
    with pytest.raises(InputError, match="floor of the recall is 50"):
        alarms(REPORT, 50)
