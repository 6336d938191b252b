"""Judgement of the network's answer: calibration, prediction sets, novelty, referral to an expert."""

from transxv2s.trust.judgement import Judge, Trust
from transxv2s.trust.policy import Decision, Goals, ReferralPolicy
from transxv2s.trust.rules import Evidence

__all__ = ["Decision", "Evidence", "Goals", "Judge", "ReferralPolicy", "Trust"]
