"""The measures as points with intervals, a panel each; controls in grey."""

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transxv2s.evaluation.figures import ACCENT, LINE, MUTED, WARNING
from transxv2s.explain.faithfulness.controls import CONTROLS
from transxv2s.explain.faithfulness.measures import MEASURES, decisive
from transxv2s.explain.faithfulness.summary import LIMIT, Summary
from transxv2s.explain.methods import METHODS

COLUMNS = 5
PANELS = {
    name: measure.title for name, measure in MEASURES.items() if name not in {"road_most", "road_least"}
}


def draw(summary: Summary, last_stage: str | None) -> Figure:
    """Blue: a method that passes; orange: one that fails; grey: a control, which is no method."""
    panels = PANELS | ({decisive(last_stage): "|rank correlation|, random network"} if last_stage else {})
    methods = list(summary["means"])[::-1]
    rows = -(-len(panels) // COLUMNS)
    canvas = Figure((3.0 * COLUMNS, rows * (0.9 + 0.27 * len(methods))), layout="constrained")
    axes = canvas.subplots(rows, COLUMNS, sharey=True, squeeze=False).ravel()
    for place, (name, title) in zip(axes, panels.items(), strict=False):
        _panel(place, summary, methods, name)
        place.set_title(f"{title}{_direction(name)}", fontsize=9)
    for place in axes[len(panels) :]:
        place.set_axis_off()
    axes[0].set_yticks(range(len(methods)), [_label(method) for method in methods])
    images = f"{summary['images']:,} images of {summary['lesions']:,} lesions"
    canvas.suptitle(
        f"{images}; points: means with 95 % intervals over lesions. "
        "Blue passes, orange fails, grey is a control that knows nothing of the network.",
        fontsize=10,
        color=MUTED,
    )
    return canvas


def _direction(name: str) -> str:
    if name not in MEASURES:
        return f"\n← must be below {LIMIT:g}"
    return {1: "\nmore is better →", -1: "\n← less is better", 0: "\n"}[MEASURES[name].better]


def _label(method: str) -> str:
    return METHODS[method].title if method in METHODS else method


def _panel(axes: Axes, summary: Summary, methods: list[str], name: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=MUTED, labelsize=8)
    for row, method in enumerate(methods):
        found = summary["means"][method][name]
        if found["value"] is None or found["low"] is None or found["high"] is None:
            continue
        colour = _colour(summary, method)
        if method in CONTROLS:
            axes.axvline(found["value"], color=LINE, linewidth=1, zorder=0)
        axes.plot([found["low"], found["high"]], [row, row], color=colour, linewidth=2.2)
        axes.plot(found["value"], row, "o", color=colour, markersize=5)
    if name == "band":
        axes.axvline(1, color=MUTED, linewidth=1, linestyle=":")
    if name not in MEASURES:
        axes.axvline(LIMIT, color=MUTED, linewidth=1, linestyle=":")
        axes.set_xlim(-0.05, 1.05)
        axes.set_xticks([0, 0.5, 1])
    if name == "seconds":
        axes.set_xscale("log")


def _colour(summary: Summary, method: str) -> str:
    if method in CONTROLS:
        return "#999999"
    return ACCENT if summary["verdicts"][method]["passes"] else WARNING


def png(canvas: Figure) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
