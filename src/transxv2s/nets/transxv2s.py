"""TransXV2S-Net and the rows of the article's ablation, from one factory that timm knows as well."""

from typing import Any

from timm.models import register_model
from torch import Tensor, nn

from transxv2s.errors import InputError, WeightsUnavailableError
from transxv2s.nets.effswin import EffSwin
from transxv2s.nets.fusion import START, Fusion
from transxv2s.nets.steps import Maps, Step
from transxv2s.nets.xceptmod import XceptMod

MIN_SIDE = 64
TIMM_BOOKKEEPING = {"pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}  # create_model passes them on
COMPONENTS = (
    "effswin.trunk",
    "effswin.swin",
    "effswin.merge",
    "xceptmod.trunk",
    "xceptmod.dcgan",
    "fusion",
    "classifier",
)

# variant → the parts it has; each row of the ablation adds one to the row before
VARIANTS: dict[str, frozenset[str]] = {
    "transxv2s_net_efficientnetv2_s": frozenset(),
    "transxv2s_net_effswin": frozenset({"swin"}),
    "transxv2s_net_xception": frozenset({"swin", "xception"}),
    "transxv2s_net": frozenset({"swin", "xception", "dcgan"}),
}


class TransXV2SNet(nn.Module):
    """Two branches, their learned fusion and a linear classifier.

    Args:
        parts: Which of "swin", "xception" and "dcgan" are there.
        num_classes: Number of logits; 0 gives the fused features.
        drop_rate: Dropout before the classifier.
        pretrained: Whether timm fetches its published ImageNet weights for the trunks.
        drop_path: Chance that training skips the last residual block of a trunk (stochastic depth).

    Raises:
        WeightsUnavailableError: `pretrained`, and the weights could not be fetched.
    """

    def __init__(
        self,
        parts: frozenset[str] = VARIANTS["transxv2s_net"],
        num_classes: int = 8,
        drop_rate: float = 0.3,
        pretrained: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.effswin = EffSwin("swin" in parts, pretrained, drop_path)
        self.xceptmod = XceptMod("dcgan" in parts, pretrained, drop_path) if "xception" in parts else None
        branches = [self.effswin.widths] + ([self.xceptmod.widths] if self.xceptmod else [])
        self.fusion = Fusion(branches)
        self.num_features = 512
        self.num_classes = num_classes
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def _branches(self, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        _check(x)
        features, maps = self.effswin(x)
        if self.xceptmod is not None:
            more_features, more_maps = self.xceptmod(x)
            features, maps = features | more_features, maps | more_maps
        return features, maps

    def forward_features(self, x: Tensor) -> Tensor:
        """Image (B, 3, H, W), scaled by mean = std = 0.5, to F_Ensemble (B, 512).

        Raises:
            InputError: Not four dimensions, not three channels, or a side under 64.
        """
        fused: Tensor = self.fusion(self._branches(x)[0])
        return fused

    def forward(self, x: Tensor) -> Tensor:
        """Image (B, 3, H, W), scaled by mean = std = 0.5, to logits (B, num_classes); errors as above."""
        return self.classify(self.forward_features(x))

    def classify(self, features: Tensor) -> Tensor:
        """F_Ensemble (B, 512) to logits (B, num_classes)."""
        logits: Tensor = self.classifier(self.dropout(features))
        return logits

    def branches(self) -> dict[str, list[Step]]:
        """By branch, the steps from the image to each named map."""
        steps = {"effswin": self.effswin.steps()}
        return steps | ({"xceptmod": self.xceptmod.steps()} if self.xceptmod is not None else {})

    def forward_head(self, maps: Maps) -> Tensor:
        """The branches' last maps (B, C, h, w) by term, as `get_feature_maps` names them, to logits."""
        features = {term: maps[term].mean((2, 3)) for branch in self.fusion.branches for term in branch}
        return self.classify(self.fusion(features))

    def get_feature_maps(self, x: Tensor) -> dict[str, Tensor]:
        """Image (B, 3, H, W) to the named intermediate maps (B, C, h, w) of this variant."""
        return self._branches(x)[1]

    def fusion_weights(self) -> dict[str, float]:
        """The learned weights α to η that this variant has, by name."""
        weights = self.fusion.weights
        return {name: weights[name].item() for name in START if name in weights}


def _check(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] != 3:
        raise InputError(f"the network takes RGB images (B, 3, H, W), not {tuple(x.shape)}")
    if min(x.shape[2:]) < MIN_SIDE:
        raise InputError(
            f"the network takes images of at least {MIN_SIDE}×{MIN_SIDE}, not {tuple(x.shape[2:])}"
        )


def create(variant: str = "transxv2s_net", num_classes: int = 8, **options: Any) -> TransXV2SNet:
    """Builds a variant by name; further options are those of TransXV2SNet.

    Raises:
        InputError: The variant is not known.
        WeightsUnavailableError: `pretrained=True`, and the weights could not be fetched.
    """
    if variant not in VARIANTS:
        raise InputError(f"there is no variant {variant!r}; choose one of {', '.join(VARIANTS)}")
    try:
        return TransXV2SNet(VARIANTS[variant], num_classes, **options)
    except (OSError, RuntimeError) as error:
        if not options.get("pretrained"):
            raise
        raise WeightsUnavailableError(
            "timm could not fetch the ImageNet weights of the trunks: check the network connection, "
            f"or build the network with pretrained=False ({type(error).__name__})"
        ) from error


def _register(variant: str) -> None:
    """Makes `timm.create_model(variant)` build it; timm's own bookkeeping arguments are not for us."""

    def entrypoint(
        pretrained: bool = False, num_classes: int = 8, drop_rate: float = 0.3, **kwargs: Any
    ) -> Any:
        if kwargs.pop("in_chans", 3) != 3:
            raise InputError("the network takes RGB images: leave in_chans at 3")
        if unknown := {name for name, value in kwargs.items() if value is not None} - TIMM_BOOKKEEPING:
            raise InputError(f"{variant} has no option {', '.join(sorted(unknown))}: remove it")
        return create(variant, num_classes, drop_rate=drop_rate, pretrained=pretrained)

    entrypoint.__name__ = variant
    entrypoint.__module__ = __name__
    register_model(entrypoint)


for _variant in VARIANTS:
    _register(_variant)


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Parameters by component, with their total."""
    present = {name: count for name in COMPONENTS if (count := _parameters_under(model, name))}
    return present | {"total": sum(p.numel() for p in model.parameters())}


def _parameters_under(model: nn.Module, prefix: str) -> int:
    return sum(p.numel() for name, p in model.named_parameters() if name.startswith(prefix + "."))
