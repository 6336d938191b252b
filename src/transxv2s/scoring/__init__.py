"""How good a model is: scores of one set of predictions, with intervals over lesions, ready for JSON."""

from transxv2s.ages import age_band
from transxv2s.scoring.alarms import Alarm, alarms
from transxv2s.scoring.bootstrap import (
    Interval,
    Intervals,
    Scored,
    lesion_bootstrap,
    paired_difference,
    unpaired_difference,
)
from transxv2s.scoring.curves import Curves, curves
from transxv2s.scoring.malignancy import BinaryScore, Malignancy, malignancy
from transxv2s.scoring.metrics import ClassScore, Scores, score
from transxv2s.scoring.official import OfficialScores, official_score, official_score_files
from transxv2s.scoring.referral import Answered, Outcome, referral
from transxv2s.scoring.subgroups import Subgroup, subgroups
from transxv2s.scoring.submission import Submission, align, read_submission, write_submission
from transxv2s.scoring.summary import Report, report

__all__ = [
    "Alarm",
    "Answered",
    "BinaryScore",
    "ClassScore",
    "Curves",
    "Interval",
    "Intervals",
    "Malignancy",
    "OfficialScores",
    "Outcome",
    "Report",
    "Scored",
    "Scores",
    "Subgroup",
    "Submission",
    "age_band",
    "alarms",
    "align",
    "curves",
    "lesion_bootstrap",
    "malignancy",
    "official_score",
    "official_score_files",
    "paired_difference",
    "read_submission",
    "referral",
    "report",
    "score",
    "subgroups",
    "unpaired_difference",
    "write_submission",
]
