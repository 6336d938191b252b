"""Bands of age: groups in which scores are told and prediction sets may be fitted."""

from bisect import bisect
from math import isnan

from transxv2s.errors import InputError

UNKNOWN = "unknown"
AGE_BANDS = ("0–29", "30–49", "50–69", "70+")
AGE_STARTS = (30, 50, 70)  # where the second and later bands begin, in years


def age_band(age: float | None) -> str:
    """The band of an age in years; NaN and None are unknown.

    Raises:
        InputError: A negative age.
    """
    if age is None or isnan(age):
        return UNKNOWN
    if age < 0:
        raise InputError(f"an age of {age} years is impossible: leave unknown ages empty")
    return AGE_BANDS[bisect(AGE_STARTS, age)]
