"""The rows of a comparison as a figure: one panel a score, with intervals, seeds and quoted figures."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transxv2s.ablation.result import Line, label
from transxv2s.evaluation.figures import ACCENT, INK, LINE, MUTED, WARNING

PANELS = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "macro_auc": "macro AUC",
    "nll": "loss",
}


def draw(lines: Sequence[Line], source: str) -> Figure:
    """Means of the seeds with 95 % intervals, each seed as a small dot, what `source` quotes as crosses."""
    canvas = Figure((3.2 + 2.3 * len(PANELS), 0.5 * len(lines) + 1.6), layout="constrained")
    panels = canvas.subplots(1, len(PANELS), sharey=True)
    for axes, (score, title) in zip(panels, PANELS.items(), strict=True):
        _panel(axes, lines, score)
        axes.set_title(title, fontsize=10, color=INK)
    panels[0].set_yticks(range(len(lines)), [" ".join(label(line)) for line in lines])
    panels[0].invert_yaxis()
    if any(line["quoted"] for line in lines):
        canvas.supxlabel(f"bars: 95 % over lesions; small dots: seeds; crosses: {source}", fontsize=9)
    return canvas


def _panel(axes: Axes, lines: Sequence[Line], score: str) -> None:
    for place, line in enumerate(lines):
        if line["scores"] is not None:
            interval = line["scores"][score]
            low, value, high = (float(interval[end] or 0.0) for end in ("low", "value", "high"))
            axes.plot([low, high], [place, place], color=ACCENT, linewidth=2.2, solid_capstyle="round")
            axes.plot(value, place, "o", color=ACCENT, markersize=6)
            seeds = [value for value in line["by_seed"][score] if value is not None]
            axes.plot(seeds, [place] * len(seeds), "o", color=INK, markersize=2.5, zorder=3)
        if score in line["quoted"]:
            axes.plot(line["quoted"][score], place, "x", color=WARNING, markersize=7)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
