"""Branch 1, EffSwin: EfficientNetV2-S with a Swin stage beside its Stage 4."""

from functools import partial
from typing import Any

import timm
import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn

from transxv2s.nets.steps import IMAGE, Maps, Step, walk
from transxv2s.nets.swin import SwinStage

TRUNK = "tf_efficientnetv2_s"
SWIN_STAGE = 3  # index in the trunk's blocks of the article's Stage 4


class Merge(nn.Module):
    """1×1 convolution in which the Swin map meets the convolutional map.

    It starts as the identity on the convolutional map, so that a pretrained trunk still works. It has no
    bias, because the next batch normalisation would take it away again.
    """

    def __init__(self, channels: int, extra: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels + extra, channels, kernel_size=1, bias=False)
        with torch.no_grad():
            self.conv.weight[:, :channels] = torch.eye(channels)[:, :, None, None]

    def forward(self, convolutional: Tensor, swin: Tensor) -> Tensor:
        """Maps (B, channels, H, W) and (B, extra, H, W) to (B, channels, H, W)."""
        merged: Tensor = self.conv(torch.cat([convolutional, swin], dim=1))
        return merged


class StridedDepthwise(Conv2dSame):
    """A depthwise convolution with stride that trains in float32 on processors.

    In bfloat16 oneDNN has no fast gradient for it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, ⌈H / stride⌉, ⌈W / stride⌉)."""
        if self.training and x.device.type == "cpu":
            with torch.autocast("cpu", enabled=False):
                return self._convolved(x.float()).to(x.dtype)
        return self._convolved(x)

    def _convolved(self, x: Tensor) -> Tensor:
        out: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return out


def train_fast(trunk: nn.Module) -> None:
    """Gives the trunk's depthwise convolutions with stride their own way to train."""
    for module in trunk.modules():
        if type(module) is Conv2dSame and module.groups > 1 and module.stride != (1, 1):
            module.__class__ = StridedDepthwise


class EffSwin(nn.Module):
    """EfficientNetV2-S trunk, by default with the Swin stage.

    Args:
        swin: Whether the Swin stage is there.
        pretrained: Whether timm fetches its published ImageNet weights for the trunk.
        drop_path: Chance that training skips the last residual block of the trunk, rising from 0 to there.
    """

    trunk: Any  # timm's networks are not typed

    def __init__(self, swin: bool = True, pretrained: bool = False, drop_path: float = 0.0) -> None:
        super().__init__()
        self.trunk = timm.create_model(TRUNK, pretrained=pretrained, num_classes=0, drop_path_rate=drop_path)
        train_fast(self.trunk)
        self.widths = {"effnet": int(self.trunk.num_features)}
        self.swin = self.merge = None
        if swin:
            channels = self.trunk.blocks[SWIN_STAGE - 1][-1].conv_pwl.out_channels
            merged = self.trunk.blocks[SWIN_STAGE][-1].conv_pwl.out_channels
            self.swin = SwinStage(channels)
            self.merge = Merge(merged, self.swin.norm.normalized_shape[0])
            self.widths["swin"] = self.swin.norm.normalized_shape[0]

    def _stage(self, index: int, x: Tensor) -> Tensor:
        if index == 0:
            x = self.trunk.bn1(self.trunk.conv_stem(x))
        out: Tensor = self.trunk.blocks[index](x)
        return out

    def _head(self, x: Tensor) -> Tensor:
        out: Tensor = self.trunk.bn2(self.trunk.conv_head(x))
        return out

    def steps(self) -> list[Step]:
        """The way from the image to each named map.

        `effnet.stage4.unmerged` is what the convolutional Stage 4 gives, before the Swin map meets it.
        """
        steps, last = [], IMAGE
        for index in range(len(self.trunk.blocks)):
            name, run = f"effnet.stage{index + 1}", partial(self._stage, index)
            if index == SWIN_STAGE and self.swin is not None and self.merge is not None:
                steps += [Step(f"{name}.unmerged", (last,), run), Step("swin", (last,), self.swin)]
                steps.append(Step(name, (f"{name}.unmerged", "swin"), self.merge))
            else:
                steps.append(Step(name, (last,), run))
            last = name
        return [*steps, Step("effnet", (last,), self._head)]

    def forward(self, x: Tensor) -> tuple[dict[str, Tensor], Maps]:
        """Image (B, 3, H, W) to the pooled features by term and all named maps (B, C, h, w)."""
        maps = walk(self.steps(), {IMAGE: x})
        del maps[IMAGE]
        return {term: maps[term].mean((2, 3)) for term in self.widths}, maps
