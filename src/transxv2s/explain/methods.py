"""The methods by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from transxv2s.explain.ablationcam import ablationcam
from transxv2s.explain.eigencam import eigencam
from transxv2s.explain.fullgrad import fullgrad
from transxv2s.explain.gradcam_plus_plus import gradcam_plus_plus
from transxv2s.explain.hirescam import hirescam
from transxv2s.explain.observation import Observation
from transxv2s.explain.scorecam import scorecam, scorecam_strongest


@dataclass(frozen=True)
class Method:
    """One way to make a heat map.

    Attributes:
        title: As people write it.
        raw: An observation and the names of a target's maps to a signed heat map (B, K, h, w) at each.
        class_dependent: Whether it says anything about the class asked for.
        additive: Whether maps are in logits, so that those of two branches add up; else each is scaled to
            0..1 first, and the fused network's map is their mean.
    """

    title: str
    raw: Callable[[Observation, Sequence[str]], list[Tensor]]
    class_dependent: bool = True
    additive: bool = False


def _each(raw: Callable[[Observation, str], Tensor]) -> Callable[[Observation, Sequence[str]], list[Tensor]]:
    """What looks at one map at a time, at each of several."""
    return lambda observation, names: [raw(observation, name) for name in names]


METHODS = {
    "hirescam": Method("HiResCAM", _each(hirescam), additive=True),
    "scorecam": Method("ScoreCAM", _each(scorecam)),
    "scorecam64": Method("ScoreCAM, 64 channels", scorecam_strongest),
    "gradcam++": Method("GradCAM++", _each(gradcam_plus_plus)),
    "ablationcam": Method("AblationCAM", _each(ablationcam)),
    "eigencam": Method("EigenCAM", _each(eigencam), class_dependent=False),
    "fullgrad": Method("FullGrad", _each(fullgrad), additive=True),
}
SIX = ("hirescam", "scorecam64", "gradcam++", "ablationcam", "eigencam", "fullgrad")
