"""Trust with numbers of one's choice, for tests that need a calibrated checkpoint."""

from typing import Any

from transxv2s.taxonomy import ISIC2019
from transxv2s.trust import ReferralPolicy, Trust
from transxv2s.trust.conformal import Limits, PredictionSets
from transxv2s.trust.scaling import Temperature


def plain_trust(
    temperature: float = 1.0, limit: float = 0.1, fitted_on: str = "a split", **policy: Any
) -> Trust:
    """Temperature scaling, one limit for all classes' sets, and the policy of the keywords."""
    classes = len(ISIC2019)
    limits = Limits(values=(limit,) * classes, lesions=(100,) * classes)
    return Trust(
        scaling=Temperature(temperature=temperature),
        sets=PredictionSets(score="lac", coverage=0.9, conditional_on="none", limits=limits),
        policy=ReferralPolicy(**policy),
        fitted_on=fitted_on,
    )
