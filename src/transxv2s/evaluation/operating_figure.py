"""The operating curve of a referral policy: how safe, for how many referrals."""

from matplotlib.figure import Figure

from transxv2s.evaluation.figures import ACCENT, INK, MUTED, WARNING, figure
from transxv2s.trust.policy import Goals
from transxv2s.trust.tuning import Tuned


def operating_curve(tuned: Tuned, goals: Goals) -> Figure:
    """Safety of malignant lesions and accuracy of answers against the share referred, with the goals.

    Args:
        tuned: The policy in use, and those tuned for rising sensitivity.
        goals: Of the policy in use.
    """
    canvas, axes = figure(6.8, 4.6)
    curves = {"with floors for classes": (tuned.curve, "o-"), "without": (tuned.without_rare, "s--")}
    for floors, (curve, style) in curves.items():
        shares = [point["referred"] for point in curve]
        safe, right = [p["safe"] for p in curve], [p["accuracy_of_answers"] for p in curve]
        axes.plot(shares, safe, style, color=ACCENT, markersize=4, label=f"malignant are safe, {floors}")  # type: ignore[arg-type]
        axes.plot(shares, right, style, color=WARNING, markersize=4, label=f"answers are right, {floors}")  # type: ignore[arg-type]
    axes.axhline(goals.sensitivity, color=MUTED, linewidth=0.8, linestyle=":")
    for place, name, colour in ((goals.budget, "budget", MUTED), (tuned.shares["all"], "in use", INK)):
        axes.axvline(place, color=colour, linewidth=0.8, linestyle=":" if name == "budget" else "-")
        axes.text(place, 0.01, f" {name}", color=colour, fontsize=8, transform=axes.get_xaxis_transform())
    axes.set_xlabel("share of images referred", color=MUTED)
    axes.set_ylabel("share (safe: recognised as malignant, or referred)", color=MUTED)
    axes.set_xlim(0, 1)
    axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return canvas
