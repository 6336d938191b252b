"""Are heat maps true to the network? Measures, controls and a verdict for each method."""

from transxv2s.explain.faithfulness.cases import Case, choose, prepare
from transxv2s.explain.faithfulness.controls import CONTROLS
from transxv2s.explain.faithfulness.measures import MEASURES, Subject
from transxv2s.explain.faithfulness.run import evaluate, run_evaluation, subject_of
from transxv2s.explain.faithfulness.summary import LIMIT, Summary, Verdict, summarise
from transxv2s.explain.faithfulness.table import agreement_table, table

__all__ = [
    "CONTROLS",
    "LIMIT",
    "MEASURES",
    "Case",
    "Subject",
    "Summary",
    "Verdict",
    "agreement_table",
    "choose",
    "evaluate",
    "prepare",
    "run_evaluation",
    "subject_of",
    "summarise",
    "table",
]
