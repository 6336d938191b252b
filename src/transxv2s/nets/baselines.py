"""Networks of timm as baselines, trained and stored by the same code as our own: variant `timm/NAME`."""

from typing import Any

import timm
from torch import Tensor, nn

from transxv2s.errors import InputError
from transxv2s.nets.transxv2s import VARIANTS, create

PREFIX = "timm/"


class Baseline(nn.Module):
    """A network of timm with its own head.

    Args:
        name: As timm knows it; it must take images of any size, as convolutional networks do.
        num_classes: Number of logits.
        drop_rate: Dropout before the head.
        pretrained: Whether timm fetches its published ImageNet weights.
        drop_path: Stochastic depth, for networks that have it.

    Raises:
        InputError: timm knows no such network, or it has no stochastic depth and is asked for it.
    """

    trunk: Any  # timm's networks are not typed

    def __init__(
        self,
        name: str,
        num_classes: int = 8,
        drop_rate: float = 0.3,
        pretrained: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        check_variant(PREFIX + name)
        depth: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
        try:
            self.trunk = timm.create_model(
                name, pretrained=pretrained, num_classes=num_classes, drop_rate=drop_rate, **depth
            )
        except TypeError as error:
            raise InputError(f"{name} cannot be built so ({error}): set network.drop_path to 0") from error

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, 3, H, W), scaled by mean = std = 0.5, to logits (B, num_classes)."""
        logits: Tensor = self.trunk(x)
        return logits

    def forward_features(self, x: Tensor) -> Tensor:
        """Image (B, 3, H, W) to the features (B, F) that its last layer classifies."""
        features: Tensor = self.trunk.forward_head(self.trunk.forward_features(x), pre_logits=True)
        return features

    def classify(self, features: Tensor) -> Tensor:
        """Features (B, F) to logits (B, num_classes)."""
        logits: Tensor = self.trunk.get_classifier()(features)
        return logits


def network(variant: str, num_classes: int, **options: Any) -> nn.Module:
    """A variant of ours, or a baseline where the name begins with `timm/`; see `create` and `Baseline`.

    Raises:
        InputError: There is no such network, or it cannot be built with these options.
        WeightsUnavailableError: `pretrained=True`, and the weights could not be fetched.
    """
    if variant.startswith(PREFIX):
        return Baseline(variant.removeprefix(PREFIX), num_classes, **options)
    return create(variant, num_classes, **options)


def check_variant(variant: str) -> None:
    """Whether `network` knows the name.

    Raises:
        InputError: It does not.
    """
    known = timm.is_model(variant.removeprefix(PREFIX)) if variant.startswith(PREFIX) else variant in VARIANTS
    if not known:
        raise InputError(
            f"there is no variant {variant!r}; choose one of {', '.join(VARIANTS)}, or {PREFIX}NAME of timm"
        )
