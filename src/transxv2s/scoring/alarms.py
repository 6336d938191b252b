"""Which classes a model fails on: a good average can hide that one class is never found."""

from typing import TypedDict

from transxv2s.errors import InputError
from transxv2s.scoring.bootstrap import Interval
from transxv2s.scoring.summary import Report

FLOOR = 0.5


class Alarm(TypedDict):
    """A class whose recall is under the floor, or which was never predicted."""

    code: str
    recall: Interval
    images: int
    predicted: int
    words: str


def alarms(scores: Report, floor: float = FLOOR) -> list[Alarm]:
    """The classes to call out at the top of a report, worst first; absent classes cannot be judged.

    Args:
        scores: As `report` gives them.
        floor: Smallest recall that raises no alarm, in [0, 1].

    Raises:
        InputError: A floor outside [0, 1].
    """
    if not 0 <= floor <= 1:
        raise InputError(f"the floor of the recall is {floor}; give a share between 0 and 1, such as {FLOOR}")
    found = [_alarm(code, scores, floor) for code in scores["per_class"] if _fails(code, scores, floor)]
    return sorted(found, key=lambda alarm: (alarm["recall"]["value"], alarm["code"]))


def _fails(code: str, scores: Report, floor: float) -> bool:
    recall = scores["per_class"][code]["recall"]
    return recall is not None and (recall < floor or not scores["per_class"][code]["predicted"])


def _alarm(code: str, scores: Report, floor: float) -> Alarm:
    one, recall = scores["per_class"][code], scores["intervals"][code]["recall"]
    images = f"{one['images']} image{'s' if one['images'] != 1 else ''}"
    if not one["predicted"]:
        words = f"{code} was never predicted: not one of its {images} was found"
    else:
        interval = f"95 % interval {recall['low']:.2f} to {recall['high']:.2f}"
        found = f"{code} has a recall of {recall['value']:.2f} ({interval})"
        words = f"{found} on {images}, under the floor of {floor:g}"
    return {
        "code": code,
        "recall": recall,
        "images": one["images"],
        "predicted": one["predicted"],
        "words": words,
    }
