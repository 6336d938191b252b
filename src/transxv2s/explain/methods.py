"""The methods by name."""

from collections.abc import Callable
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
        raw: An observation and the name of a map to a signed map (B, K, h, w).
        class_dependent: Whether it says anything about the class asked for.
        additive: Whether maps are in logits, so that those of two branches add up; else each is scaled to
            0..1 first, and the fused network's map is their mean.
    """

    title: str
    raw: Callable[[Observation, str], Tensor]
    class_dependent: bool = True
    additive: bool = False


METHODS = {
    "hirescam": Method("HiResCAM", hirescam, additive=True),
    "scorecam": Method("ScoreCAM", scorecam),
    "scorecam64": Method("ScoreCAM, 64 channels", scorecam_strongest),
    "gradcam++": Method("GradCAM++", gradcam_plus_plus),
    "ablationcam": Method("AblationCAM", ablationcam),
    "eigencam": Method("EigenCAM", eigencam, class_dependent=False),
    "fullgrad": Method("FullGrad", fullgrad, additive=True),
}
SIX = ("hirescam", "scorecam64", "gradcam++", "ablationcam", "eigencam", "fullgrad")
