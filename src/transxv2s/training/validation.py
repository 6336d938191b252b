"""What the network says of the validation images on all devices, and the scores by which epochs are judged.

They are those of `scoring`, so that the epoch that is kept is the best by the rule that is reported: means
over the classes that are there. torchmetrics counts an absent class as 0 once it is named for an image.
"""

import numpy as np
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from transxv2s.scoring.arrays import mean_defined
from transxv2s.scoring.confusion import confusions, rates
from transxv2s.scoring.ranking import OneVersusRest


class Answers(Metric):
    """Collects logits and labels; of all devices when they are asked for."""

    logits: list[Tensor]
    labels: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("logits", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Logits (B, K) and labels (B,) of a batch."""
        self.logits.append(logits.detach())
        self.labels.append(labels)

    def compute(self) -> tuple[Tensor, Tensor]:
        """All logits (N, K) and labels (N,)."""
        return dim_zero_cat(self.logits), dim_zero_cat(self.labels)


def scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Plain cross-entropy, accuracy, balanced accuracy, macro F1 and macro AUC.

    Unlike `scoring.score` it takes logits that are not finite; the loss then is not either.

    Args:
        logits: (N, K).
        labels: (N,).
    """
    p, y = logits.cpu().double().softmax(1).numpy(), labels.cpu().numpy()
    classes = p.shape[1]
    found = rates(confusions(p, y, np.zeros_like(y)).reshape(classes, classes + 1))
    areas = [OneVersusRest.of(p[:, c], y == c).auc(np.ones(len(y))) for c in range(classes)]
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "accuracy": float(found.accuracy),
        "balanced_accuracy": float(found.balanced_accuracy),
        "macro_f1": float(found.macro_f1),
        "macro_auc": float(mean_defined(np.array(areas))),
    }
