"""Accuracy against parameters and against speed, with what others published beside it."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from transxv2s.ablation.plan import Published
from transxv2s.ablation.result import Line
from transxv2s.ablation.speed import Speed
from transxv2s.evaluation.figures import COLOURS, LINE, MUTED

Cost = float | None
MARKS = "os^Dv"  # a form for each round of colours


def draw_cost(lines: Sequence[Line], speed: Speed, published: Sequence[Published], source: str) -> Figure:
    """Ours with 95 % intervals; the others as crosses, or as a line where their cost is not known."""
    canvas = Figure((12.0, 5.0), layout="constrained")
    size, pace = canvas.subplots(1, 2, sharey=True)
    _ours(size, lines, {line["name"]: line["parameters"] for line in lines})
    _ours(pace, lines, speed["images_per_second"])
    _others(size, published, [one.parameters for one in published])
    _others(pace, published, [one.images_per_second for one in published])
    for axes, label in ((size, "parameters"), (pace, f"images a second ({speed['how']})")):
        _furnish(axes, label)
    size.set_ylabel("accuracy", color=MUTED)
    canvas.legend(*size.get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False)
    canvas.supxlabel(
        f"bars: 95 % over lesions; hollow: unconverged; grey: {source}, another protocol and machine",
        fontsize=9,
    )
    return canvas


def _ours(axes: Axes, lines: Sequence[Line], costs: Mapping[str, Cost]) -> None:
    for place, line in enumerate(lines):
        cost, colour = costs.get(line["name"]), COLOURS[place % len(COLOURS)]
        if line["scores"] is None or cost is None:
            continue
        low, value, high = (line["scores"]["accuracy"][end] or 0.0 for end in ("low", "value", "high"))
        axes.plot([cost, cost], [low, high], color=colour, linewidth=1.5)
        axes.plot(
            cost,
            value,
            MARKS[place // len(COLOURS) % len(MARKS)],
            color=colour,
            markerfacecolor="white" if line["still_rising"] else colour,
            markersize=7,
            label=line["name"],
            zorder=3,
        )


def _others(axes: Axes, published: Sequence[Published], costs: Sequence[Cost]) -> None:
    for one, cost in zip(published, costs, strict=True):
        if cost is None:
            axes.axhline(one.accuracy, color=MUTED, linestyle="--", linewidth=0.9)
            place, offset = (0.0, one.accuracy), (4, 3)
        else:
            axes.plot(cost, one.accuracy, "x", color=MUTED, markersize=7)
            place, offset = (cost, one.accuracy), (0, -13)
        axes.annotate(
            f"{one.name}, quoted",
            place,
            xycoords="data" if cost is not None else axes.get_yaxis_transform(),
            textcoords="offset points",
            xytext=offset,
            ha="left" if cost is None else "center",
            fontsize=7.5,
            color=MUTED,
        )


def _furnish(axes: Axes, label: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.margins(x=0.16, y=0.08)
    axes.set_xlabel(label, color=MUTED)
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
