"""The summary for a terminal: the measures, and how far methods agree."""

from rich.table import Table

from transxv2s.explain.faithfulness.measures import MEASURES, decisive
from transxv2s.explain.faithfulness.summary import Means, Summary
from transxv2s.scoring.bootstrap import Interval


def table(summary: Summary) -> Table:
    """A row for each method and control, a column for each measure and each stage of the randomisation."""
    first = next(iter(summary["means"].values()))
    stages = [name.removeprefix("rank_after_") for name in first if name.startswith("rank_after_")]
    titles = [measure.title for measure in MEASURES.values()]
    titles += [f"|rank|, random: {stage}" for stage in stages]
    shown = Table(title=f"{summary['images']:,} images of {summary['lesions']:,} lesions, 95 % intervals")
    shown.add_column("method")
    for title in titles:
        shown.add_column(title, justify="right")
    shown.add_column("passes")
    for method, means in summary["means"].items():
        found = summary["verdicts"].get(method)
        passes = "control" if found is None else "yes" if found["passes"] else "no"
        measures, after = (_cell(means[name]) for name in MEASURES), (_after(means, s) for s in stages)
        shown.add_row(method, *measures, *after, passes)
    return shown


def agreement_table(summary: Summary) -> Table:
    """Mean rank correlation between the maps of two methods or controls."""
    shown = Table(title="Agreement: mean rank correlation of two maps")
    for heading in ("", *summary["means"]):
        shown.add_column(heading, justify="right" if heading else "left")
    for method, means in summary["means"].items():
        shown.add_row(method, *(_cell(means[f"agrees_{other}"]) for other in summary["means"]))
    return shown


def _after(means: Means, stage: str) -> str:
    """Likeness to the maps of a random network, and how many of these were flat if any was."""
    share = means[f"flat_after_{stage}"]["value"]
    flat = f"\n{share:.0%} flat" if share else ""
    return _cell(means[decisive(stage)]) + flat


def _cell(interval: Interval) -> str:
    if interval["value"] is None:
        return "–"
    return f"{interval['value']:.3f}\n{interval['low']:.3f}–{interval['high']:.3f}"
