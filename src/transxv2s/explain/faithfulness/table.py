"""The summary for a terminal."""

from rich.table import Table

from transxv2s.explain.faithfulness.measures import MEASURES
from transxv2s.explain.faithfulness.summary import Summary
from transxv2s.scoring.bootstrap import Interval


def table(summary: Summary) -> Table:
    """A row for each method and control, a column for each measure and each stage of the randomisation."""
    first = next(iter(summary["means"].values()))
    stages = [name for name in first if name.startswith("rank_after_")]
    titles = [measure.title for measure in MEASURES.values()]
    titles += [f"rank, random: {stage.removeprefix('rank_after_')}" for stage in stages]
    shown = Table(title=f"{summary['images']:,} images of {summary['lesions']:,} lesions, 95 % intervals")
    shown.add_column("method")
    for title in titles:
        shown.add_column(title, justify="right")
    shown.add_column("passes")
    for method, means in summary["means"].items():
        found = summary["verdicts"].get(method)
        passes = "control" if found is None else "yes" if found["passes"] else "no"
        shown.add_row(method, *(_cell(means[name]) for name in (*MEASURES, *stages)), passes)
    return shown


def _cell(interval: Interval) -> str:
    if interval["value"] is None:
        return "–"
    return f"{interval['value']:.3f}\n{interval['low']:.3f}–{interval['high']:.3f}"
