"""Judgement of the network's answer: calibrated probabilities, prediction sets and referral to an expert."""

from transxv2s.trust.calibration import Calibration, conformal_threshold, fit_temperature, prediction_set
from transxv2s.trust.referral import Decision, Referral, decide

__all__ = [
    "Calibration",
    "Decision",
    "Referral",
    "conformal_threshold",
    "decide",
    "fit_temperature",
    "prediction_set",
]
