"""Losses against imbalance: one formula, and the sections of a recipe that choose its terms by `name`."""

from typing import Annotated, Any, Final, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

SMALLEST = 1e-12  # keeps the powers and quotients below finite


class WeightedLoss(nn.Module):
    """−Σ w_c · (1 − p_c)^γ · t_c · log p_c over images and classes, divided by Σ w_c · t_c.

    p is the softmax of logits plus offsets, t the target, smoothed only above the line. With weights alone
    it is PyTorch's cross entropy; unlike that it is the same for class positions and their one-hot vectors.

    Args:
        weights: Weight w of each class (K,).
        offsets: Added to the logits in training (K,).
        gamma: Exponent γ of the focal loss.
        label_smoothing: Share of each target that is spread over all classes.
    """

    weights: Tensor
    offsets: Tensor

    def __init__(
        self, weights: Tensor, offsets: Tensor, gamma: float = 0.0, label_smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.register_buffer("weights", weights.float(), persistent=False)
        self.register_buffer("offsets", offsets.float(), persistent=False)
        self.gamma = gamma
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits (B, K) and class positions (B,) or probabilities (B, K) to the mean loss ()."""
        classes = len(self.weights)
        soft = F.one_hot(target, classes).to(logits.dtype) if target.ndim == 1 else target
        smoothed = (1 - self.label_smoothing) * soft + self.label_smoothing / classes
        logs = (logits + self.offsets).log_softmax(1)
        terms = self.weights * smoothed * logs
        if self.gamma:
            terms = terms * (-torch.expm1(logs)).clamp_min(SMALLEST) ** self.gamma
        return -terms.sum() / (self.weights * soft).sum().clamp_min(SMALLEST)


def class_weights(sizes: Tensor) -> Tensor:
    """Inverse class frequency, scaled to mean 1 over images: N / (K · n_c), 0 for an absent class."""
    return torch.where(sizes > 0, sizes.sum() / (sizes.clamp_min(1) * (sizes > 0).sum()), 0.0)


def effective_number_weights(sizes: Tensor, beta: float) -> Tensor:
    """(1 − β) / (1 − β^n_c) (Cui et al. 2019), with mean 1 over the present classes; 0 for an absent one."""
    shares = (1 - beta) / (1 - beta ** sizes.clamp_min(1).double())
    present = torch.where(sizes > 0, shares, 0.0)
    return present * (sizes > 0).sum() / present.sum()


def log_priors(sizes: Tensor) -> Tensor:
    """Log π_c, π the share of each class; 0 for an absent class, which can then only learn to be unlikely."""
    return torch.where(sizes > 0, sizes.clamp_min(1).double().log() - sizes.sum().double().log(), 0.0)


class Loss(BaseModel):
    """Base of the losses of a recipe: all classes alike, unless a method is overridden."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def weights(self, sizes: Tensor) -> Tensor:
        """Weight of each class (K,) for training sets of these class sizes (K,)."""
        return torch.ones(len(sizes))

    def offsets(self, sizes: Tensor) -> Tensor:
        """What is added to the logit of each class (K,) in training."""
        return torch.zeros(len(sizes))

    def build(self, sizes: Tensor) -> WeightedLoss:
        """The loss for training sets of these class sizes (K,)."""
        options = self.model_dump(include={"gamma", "label_smoothing"})
        return WeightedLoss(self.weights(sizes), self.offsets(sizes), **options)


class CrossEntropy(Loss):
    """Cross entropy: every image counts alike.

    Attributes:
        label_smoothing: Share of each target that is spread over all classes; 0.1 is the article's.
    """

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)


class Weighted(Loss):
    """Cross entropy in which every class counts alike: weights are inverse class frequencies.

    Attributes:
        label_smoothing: As in CrossEntropy.
    """

    name: Literal["weighted"] = "weighted"
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)

    def weights(self, sizes: Tensor) -> Tensor:
        """See class_weights."""
        return class_weights(sizes)


class Focal(Loss):
    """Cross entropy in which images already answered well count less (Lin et al. 2017, without their α).

    Attributes:
        gamma: Exponent of 1 − p; 0 is cross entropy.
    """

    name: Literal["focal"] = "focal"
    gamma: float = Field(default=2.0, ge=0)


class ClassBalanced(Loss):
    """Cross entropy weighted by the inverse effective number of samples of a class (Cui et al. 2019).

    Attributes:
        beta: 0 is no weighting; towards 1 the weights become inverse class frequencies.
        label_smoothing: As in CrossEntropy.
    """

    name: Literal["class_balanced"] = "class_balanced"
    beta: float = Field(default=0.999, ge=0, lt=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)

    def weights(self, sizes: Tensor) -> Tensor:
        """See effective_number_weights."""
        return effective_number_weights(sizes, self.beta)


class LogitAdjusted(Loss):
    """Cross entropy of logits + τ · log π, so that plain logits aim at balanced accuracy (Menon et al. 2021).

    Attributes:
        tau: Strength τ; with 1 the plain logits answer as if all classes were equally frequent.
        label_smoothing: As in CrossEntropy.
    """

    name: Literal["logit_adjusted"] = "logit_adjusted"
    tau: float = Field(default=1.0, ge=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)

    def offsets(self, sizes: Tensor) -> Tensor:
        """τ · log π, see log_priors."""
        return self.tau * log_priors(sizes)


LOSSES: Final[dict[str, type[Loss]]] = {
    "cross_entropy": CrossEntropy,
    "weighted": Weighted,
    "focal": Focal,
    "class_balanced": ClassBalanced,
    "logit_adjusted": LogitAdjusted,
}


def by_name(value: Any) -> Any:
    """The loss that a mapping describes; one without the key `name` is cross entropy.

    Validated here and not by the union alone, so that errors name keys as they are written.
    """
    if not isinstance(value, dict):
        return value
    name = value.get("name", "cross_entropy")
    if not isinstance(name, str) or name not in LOSSES:
        raise PydanticCustomError("loss_name", "name must be one of {known}", {"known": ", ".join(LOSSES)})
    return LOSSES[name].model_validate(value)


AnyLoss = Annotated[
    CrossEntropy | Weighted | Focal | ClassBalanced | LogitAdjusted,
    Field(discriminator="name"),
    BeforeValidator(by_name),
]
