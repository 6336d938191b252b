"""Findings as JSON, as CSV and as a table for the terminal.

A row is a finding with the file it came from in front: `{"file": …, "id": …, "probabilities": …, …}`.
"""

import csv
import io
import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from transxv2s import NOTICE
from transxv2s.cli.batch import Outcome
from transxv2s.cli.terminal import printable
from transxv2s.reports.page import percent
from transxv2s.reports.prediction import Card, Failure

PLAIN_COLUMNS = ("file", "id", "predicted", "predicted_name", "decision", "advice", "model", "checkpoint")
LIST_COLUMNS = ("prediction_set", "reasons", "quality")
REASON_LENGTH = 60  # characters of the reasons in the terminal
UNBROKEN = "\N{NO-BREAK SPACE}"  # at which the table would break lines
SET_WIDTH = 30  # of the column of prediction sets there: three classes, which most have


def row(card: Card) -> dict[str, Any]:
    """A finding and the file it came from, ready for JSON."""
    return {"file": card.file, **card.finding.model_dump(mode="json")}


def to_json(cards: Sequence[Card], failures: Sequence[Failure]) -> str:
    """One document: `{"findings": [row…], "failures": [{"file", "reason"}…], "notice": …}`."""
    document = {
        "findings": [row(card) for card in cards],
        "failures": [asdict(failure) for failure in failures],
        "notice": NOTICE,
    }
    return json.dumps(document, indent=2) + "\n"


def to_csv(cards: Sequence[Card], codes: Sequence[str]) -> str:
    """One line an examined image, with a column of probabilities a class; lists are joined by ``; ``."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [*PLAIN_COLUMNS, *LIST_COLUMNS, *codes], lineterminator="\n")
    writer.writeheader()
    for values in map(row, cards):
        plain = {name: values[name] for name in PLAIN_COLUMNS}
        lists = {name: "; ".join(values[name]) for name in LIST_COLUMNS}
        writer.writerow(plain | lists | values["probabilities"])
    return buffer.getvalue()


def to_table(outcomes: Sequence[Outcome]) -> Table:
    """The outcomes in their order, for people: images by id, failures by file and with the reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Image", "Looks most like", "Prediction set", "Decision", "Why"):
        table.add_column(name, overflow="fold", max_width=SET_WIDTH if name == "Prediction set" else None)
    for outcome in outcomes:
        table.add_row(*(Text(printable(cell)) for cell in _cells(outcome)))  # not markup either
    return table


def _cells(outcome: Outcome) -> tuple[str, str, str, str, str]:
    if isinstance(outcome, Failure):
        return outcome.file, "", "", "not examined", outcome.reason
    finding = outcome.finding
    why = textwrap.shorten("; ".join(finding.reasons) or finding.advice, REASON_LENGTH, placeholder=" …")
    shares = {
        code: percent(finding.probabilities[code]).replace(UNBROKEN, "") for code in finding.prediction_set
    }
    members = ", ".join(f"{code} {share}" for code, share in shares.items())
    return finding.id, finding.predicted_name, members, finding.decision.replace("_", " "), why
