"""What the rows of all images come to: means with intervals, differences from the controls, and a verdict.

A method passes if on average, with the whole 95 % interval of the paired difference, it is better than both
controls in every measure that decides (deletion and insertion under both baselines, ROAD), and if its maps
on the wholly random network are others: the interval of the rank correlation's mean size ends below LIMIT.
Flat maps have no rank correlation and speak neither for nor against a method. The masks do not decide, as a
network may be right to look beside the lesion.
"""

from collections.abc import Iterable, Sequence
from typing import TypedDict

import numpy as np

from transxv2s.explain.faithfulness.controls import CONTROLS
from transxv2s.explain.faithfulness.measures import MEASURES, Row, decisive
from transxv2s.explain.faithfulness.perturbation import Values
from transxv2s.scoring.bootstrap import DRAWS, LEVEL, Interval, bootstrap, lesion_numbers

LIMIT = 0.5  # size of the rank correlation with the map of the random network

Means = dict[str, Interval]


class Verdict(TypedDict):
    """Whether a method passes, and one sentence for each rule that it fails."""

    passes: bool
    failures: list[str]


class Summary(TypedDict):
    """Of all images.

    Attributes:
        images: Their number.
        lesions: Of how many lesions.
        means: By method and control, then column.
        against: By method, control and measure: by how much the method is better, positive where it is.
        verdicts: By method.
        best: Of the methods that pass, the one with the most ROAD; None where none passes.
    """

    images: int
    lesions: int
    means: dict[str, Means]
    against: dict[str, dict[str, Means]]
    verdicts: dict[str, Verdict]
    best: str | None


def mean_intervals(values: Values, lesions: Sequence[str], seed: int = 0) -> list[Interval]:
    """Mean of each column (N, M) with its 95 % interval over lesions; NaN counts as not measured."""
    lesion, known = lesion_numbers(lesions, len(values)), ~np.isnan(values)
    filled = np.where(known, values, 0.0)

    def means(weights: Values) -> Values:
        of_images = weights[:, lesion]
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Values = (of_images @ filled) / (of_images @ known)
        return found

    return bootstrap(means, int(lesion.max()) + 1, draws=DRAWS, seed=seed, level=LEVEL)


def summarise(rows: Sequence[Sequence[Row]], lesions: Sequence[str], last_stage: str | None) -> Summary:
    """Sums up.

    Args:
        rows: By image; of each image those of all methods and controls.
        lesions: The lesion of each image.
        last_stage: Of the randomisation, at which nothing is left of the network; None where there is none.
    """
    by_method = {str(row["method"]): [image[i] for image in rows] for i, row in enumerate(rows[0])}
    columns = [name for name, value in rows[0][0].items() if isinstance(value, float)]
    values = {method: _table(mine, columns) for method, mine in by_method.items()}
    means = {
        method: dict(zip(columns, mean_intervals(table, lesions), strict=True))
        for method, table in values.items()
    }
    methods = [method for method in values if method not in CONTROLS]
    deciding = {method: _table(mine, MEASURES) for method, mine in by_method.items()}
    against = {
        method: {control: _better(deciding[method], deciding[control], lesions) for control in CONTROLS}
        for method in methods
    }
    after = {m: means[m][decisive(last_stage)] if last_stage else None for m in methods}
    verdicts = {m: verdict(against[m], after[m]) for m in methods}
    passing = [method for method in methods if verdicts[method]["passes"]]
    best = max(passing, key=lambda method: means[method]["road"]["value"] or 0.0, default=None)
    return {
        "images": len(rows),
        "lesions": len(set(lesions)),
        "means": means,
        "against": against,
        "verdicts": verdicts,
        "best": best,
    }


def _table(rows: Sequence[Row], columns: Iterable[str]) -> Values:
    names = list(columns)
    return np.array([[row[name] for name in names] for row in rows], np.float64)


def _better(first: Values, control: Values, lesions: Sequence[str]) -> Means:
    """By how much the first is better, for each measure of which more or less is better."""
    signs = np.array([measure.better for measure in MEASURES.values()])
    intervals = mean_intervals((first - control) * signs, lesions)
    return {n: i for n, i, sign in zip(MEASURES, intervals, signs, strict=True) if sign and n != "seconds"}


def verdict(against: dict[str, Means], after: Interval | None) -> Verdict:
    """The rules of this module, for one method.

    Args:
        against: By control and measure, by how much the method is better.
        after: Size of the rank correlation with the map of the wholly random network; None where it was not
            measured.
    """
    failures = [
        f"{measure.title}: not better than the control {control} ({_words(found[name])})"
        for name, measure in MEASURES.items()
        if measure.decides
        for control, found in against.items()
        if (low := found[name]["low"]) is None or low <= 0
    ]
    high = after and after["high"]
    if after is None or high is None:
        failures.append("was not tried on a random network, or all its maps there are flat")
    elif high >= LIMIT:
        failures.append(f"keeps its map on a random network (|rank correlation| {_words(after)})")
    return {"passes": not failures, "failures": failures}


def _words(interval: Interval) -> str:
    if interval["value"] is None:
        return "undefined"
    return f"{interval['value']:.3f}, {interval['low']:.3f} to {interval['high']:.3f}"
