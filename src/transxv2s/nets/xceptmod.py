"""Branch 2, XceptMod: Xception with a DCGAN after each entry-flow block and four times in the middle flow."""

from typing import Any

import timm
from timm.layers import create_pool2d
from torch import Tensor, nn

from transxv2s.nets.dcgan import DCGAN
from transxv2s.nets.effswin import Maps

TRUNK = "legacy_xception"
BLOCKS = range(1, 13)
STRIDED_BLOCKS = (1, 2, 3, 12)
DCGAN_AFTER = {1: 128, 2: 256, 3: 728, 5: 728, 7: 728, 9: 728, 11: 728}  # block → channels


def use_keras_pooling(trunk: Any) -> None:
    """Gives the strided blocks Keras' `same` max-pooling, with which the published weights were trained.

    timm pads symmetrically, which shifts the features of maps of even size.
    """
    for block in STRIDED_BLOCKS:
        trunk.get_submodule(f"block{block}.rep")[-1] = create_pool2d("max", 3, 2, padding="same")


class XceptMod(nn.Module):
    """Xception trunk, by default with seven DCGAN modules.

    Args:
        dcgan: Whether the DCGAN modules are there.
        pretrained: Whether timm fetches its published ImageNet weights for the trunk.
    """

    trunk: Any  # timm's networks are not typed

    def __init__(self, dcgan: bool = True, pretrained: bool = False) -> None:
        super().__init__()
        self.trunk = timm.create_model(TRUNK, pretrained=pretrained, num_classes=0)
        use_keras_pooling(self.trunk)
        places = DCGAN_AFTER if dcgan else {}
        self.dcgan = nn.ModuleDict({str(block): DCGAN(channels) for block, channels in places.items()})
        self.widths = {"xception": int(self.trunk.num_features)}
        if dcgan:
            self.widths["dcgan"] = DCGAN_AFTER[max(DCGAN_AFTER)]

    def _entry(self, x: Tensor) -> Tensor:
        trunk = self.trunk
        x = trunk.act1(trunk.bn1(trunk.conv1(x)))
        out: Tensor = trunk.act2(trunk.bn2(trunk.conv2(x)))
        return out

    def _exit(self, x: Tensor) -> Tensor:
        trunk = self.trunk
        x = trunk.act3(trunk.bn3(trunk.conv3(x)))
        out: Tensor = trunk.act4(trunk.bn4(trunk.conv4(x)))
        return out

    def forward(self, x: Tensor) -> tuple[dict[str, Tensor], Maps]:
        """Image (B, 3, H, W) to the pooled features by term and all named maps (B, C, h, w).

        `dcgan{n}` is the enhanced map after block n; `dcgan` is what the last module adds to its input.
        """
        maps: Maps = {}
        x = self._entry(x)
        for block in BLOCKS:
            x = maps[f"xception.block{block}"] = self.trunk.get_submodule(f"block{block}")(x)
            if str(block) in self.dcgan:
                x, maps["dcgan"] = self.dcgan[str(block)](x)
                maps[f"dcgan{block}"] = x
        maps["xception"] = self._exit(x)
        return {term: maps[term].mean((2, 3)) for term in self.widths}, maps
