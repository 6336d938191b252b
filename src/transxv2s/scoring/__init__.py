"""How good a model is: scores of one set of predictions, with intervals over lesions, ready for JSON."""

from transxv2s.scoring.bootstrap import Interval, lesion_bootstrap, paired_difference
from transxv2s.scoring.metrics import ClassScore, Scores, score
from transxv2s.scoring.summary import Report, report

__all__ = [
    "ClassScore",
    "Interval",
    "Report",
    "Scores",
    "lesion_bootstrap",
    "paired_difference",
    "report",
    "score",
]
