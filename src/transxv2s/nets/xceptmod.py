"""Branch 2, XceptMod: Xception with a DCGAN after each entry-flow block and four times in the middle flow."""

from functools import partial
from operator import add
from typing import Any

import timm
from timm.layers import DropPath, create_pool2d
from torch import Tensor, nn

from transxv2s.nets.dcgan import DCGAN
from transxv2s.nets.steps import IMAGE, Maps, Step, walk

TRUNK = "legacy_xception"
BLOCKS = range(1, 13)
STRIDED_BLOCKS = (1, 2, 3, 12)
MIDDLE_BLOCKS = range(4, 12)
MIDDLE_CHANNELS = 728
DCGAN_AFTER = {1: 128, 2: 256, 3: 728, 5: 728, 7: 728, 9: 728, 11: 728}  # block → channels


def use_keras_pooling(trunk: Any) -> None:
    """Gives the strided blocks Keras' `same` max-pooling, with which the published weights were trained.

    timm pads symmetrically, which shifts the features of maps of even size.
    """
    for block in STRIDED_BLOCKS:
        trunk.get_submodule(f"block{block}.rep")[-1] = create_pool2d("max", 3, 2, padding="same")


def use_drop_path(trunk: Any, rate: float) -> None:
    """Stochastic depth (Huang et al. 2016) for the middle flow, whose skip connections are the identity.

    timm's Xception has none. The blocks add their input after the last module of `rep`; this adds no weights.
    """
    for index, block in enumerate(MIDDLE_BLOCKS, start=1):
        trunk.get_submodule(f"block{block}.rep").append(DropPath(rate * index / len(MIDDLE_BLOCKS)))


class XceptMod(nn.Module):
    """Xception trunk, by default with seven DCGAN modules.

    Args:
        dcgan: Whether the DCGAN modules are there.
        pretrained: Whether timm fetches its published ImageNet weights for the trunk.
        drop_path: Chance that training skips the last middle block of the trunk, rising linearly to there.
    """

    trunk: Any  # timm's networks are not typed

    def __init__(self, dcgan: bool = True, pretrained: bool = False, drop_path: float = 0.0) -> None:
        super().__init__()
        self.trunk = timm.create_model(TRUNK, pretrained=pretrained, num_classes=0)
        use_keras_pooling(self.trunk)
        if drop_path:
            use_drop_path(self.trunk, drop_path)
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

    def _block(self, block: int, x: Tensor) -> Tensor:
        if block == BLOCKS[0]:
            x = self._entry(x)
        out: Tensor = self.trunk.get_submodule(f"block{block}")(x)
        return out

    def _dcgan(self, block: str, output: int, x: Tensor) -> Tensor:
        """Either output of a module: 0 the enhanced map, 1 what is added to X."""
        out: Tensor = self.dcgan[block](x)[output]
        return out

    def _dcgan_steps(self, block: str, last: str) -> list[Step]:
        name = f"dcgan{block}"
        if block != list(self.dcgan)[-1]:
            return [Step(name, (last,), partial(self._dcgan, block, 0))]
        return [Step("dcgan", (last,), partial(self._dcgan, block, 1)), Step(name, (last, "dcgan"), add)]

    def steps(self) -> list[Step]:
        """The way from the image to each named map.

        `dcgan{n}` is the enhanced map after block n; `dcgan` is what the last module adds to its input.
        """
        steps, last = [], IMAGE
        for block in BLOCKS:
            steps.append(Step(f"xception.block{block}", (last,), partial(self._block, block)))
            if str(block) in self.dcgan:
                steps += self._dcgan_steps(str(block), steps[-1].name)
            last = steps[-1].name
        return [*steps, Step("xception", (last,), self._exit)]

    def forward(self, x: Tensor) -> tuple[dict[str, Tensor], Maps]:
        """Image (B, 3, H, W) to the pooled features by term and all named maps (B, C, h, w)."""
        maps = walk(self.steps(), {IMAGE: x})
        del maps[IMAGE]
        return {term: maps[term].mean((2, 3)) for term in self.widths}, maps
