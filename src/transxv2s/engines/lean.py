"""A network made lean for prediction: the same function, in fewer passes over memory.

Training and heat maps keep the network as it is; the engines run this copy of it.
"""

import math
from copy import deepcopy
from typing import Any, Self

import torch
import torch.nn.functional as F
from timm.layers.pool2d_same import MaxPool2dSame
from torch import Tensor, nn

from transxv2s.engines.folding import fold_batch_norms
from transxv2s.engines.widening import extra, wide, widen_convolutions
from transxv2s.imaging.pipeline import MEAN, STD
from transxv2s.nets.attention import Grid
from transxv2s.nets.dcgan import DCGAN, AdaptiveSampling, GraphConvolution
from transxv2s.nets.fusion import Fusion
from transxv2s.nets.swin import WindowAttention
from transxv2s.nets.transxv2s import TransXV2SNet
from transxv2s.nets.xceptmod import MIDDLE_CHANNELS, XceptMod


def scaled(pixels: Tensor) -> Tensor:
    """Squares uint8 (B, S, S, 3) to float32 (B, 3, S, S) in channels-last memory, as `pipeline.to_tensor`."""
    return ((pixels.float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)


class LeanNetwork(nn.Module):
    """What the engines run: squares to logits and features.

    Args:
        network: A variant of ours or a baseline; it is copied.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = deepcopy(network).cpu().eval().requires_grad_(False)
        self.dtype = torch.float32
        fold_batch_norms(self.network)
        make_lean(self.network)

    def in_bfloat16(self) -> Self:
        """This network, its weights in bfloat16 but for those of the fusion and the last layer."""
        self.dtype = torch.bfloat16
        self.network.bfloat16()
        for part in self._exact_parts():
            part.float()
        return self

    def forward(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """Squares (B, 3, S, S), scaled by mean = std = 0.5, to logits (B, K) and features (B, F)."""
        features = self.network.forward_features(squares.to(self.dtype)).float()
        return self.network.classify(features), features

    def _exact_parts(self) -> list[nn.Module]:
        if isinstance(self.network, TransXV2SNet):
            return [self.network.fusion, self.network.classifier]
        return [self.network.trunk.get_classifier()]


def make_lean(network: nn.Module) -> None:
    """Replace, in place, the parts that have a leaner way to the same result."""
    for name, module in list(network.named_modules()):
        if isinstance(module, DCGAN):
            network.set_submodule(name, LeanDCGAN(module, module.distributor.gate.numel()))
        elif isinstance(module, WindowAttention):
            module.__class__ = PlainWindowAttention
        elif isinstance(module, MaxPool2dSame):
            module.__class__ = UnpaddedMaxPool
        elif isinstance(module, XceptMod):
            widen_convolutions(module.trunk, MIDDLE_CHANNELS)
        elif isinstance(module, Fusion):
            module.__class__ = Float32Fusion


class LeanDCGAN(nn.Module):
    """The three stages on maps of whole tiles, with masks that are never written out.

    Args:
        module: The one to replace; its small parts are shared.
        channels: C; the maps have as many more that are zero as make whole tiles.
    """

    def __init__(self, module: DCGAN, channels: int) -> None:
        super().__init__()
        self.channels, self.extra = channels, extra(channels)
        collector, distributor = module.collector, module.distributor
        self.collect = Attentions(collector, collector.psi, collector.phi)
        self.graph = LeanGraph(module.graph, channels)
        self.distribute = Attentions(distributor, distributor.theta, distributor.xi)
        self.gate = distributor.gate

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As DCGAN: map X (B, C + extra, H, W) to the enhanced map and to what was added to X."""
        grid = (x.shape[2], x.shape[3])
        tokens = x.permute(0, 2, 3, 1).flatten(1, 2)
        nodes = self._wide(F.layer_norm(tokens[:, :, : self.channels], (self.channels,)))
        channel, spatial = self.collect(nodes, grid)
        channel = self._wide(channel.sigmoid().softmax(2) * self.channels)
        spatial = spatial.sigmoid().softmax(1) * (grid[0] * grid[1])
        h2 = self.graph(nodes * channel * spatial)
        channel, spatial = self.distribute(h2, grid)
        context = h2 * (self._wide(channel + self.gate) + spatial).sigmoid()
        return _to_map(tokens + context, grid), _to_map(context, grid)

    def _wide(self, x: Tensor) -> Tensor:
        return F.pad(x, (0, self.extra)) if self.extra else x


class Attentions(nn.Module):
    """Channel and spatial attention, each after its projection.

    Args:
        stage: Has the two attentions.
        first: Projection before the channel attention.
        second: Projection before the spatial attention.
    """

    def __init__(self, stage: nn.Module, first: nn.Linear, second: nn.Linear) -> None:
        super().__init__()
        self.channels = first.out_features
        self.mlp: Any = stage.get_submodule("channel_attention.mlp")
        self.spatial = stage.get_submodule("spatial_attention")
        self.first, self.second = (
            wide(p, extra(self.channels), extra(self.channels)) for p in (first, second)
        )

    def forward(self, tokens: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, C + extra) on a grid to scores of channels (B, 1, C) and of positions (B, N, 1)."""
        projected = self.first(tokens)
        pooled = torch.cat([projected.mean(1, keepdim=True), projected.amax(1, keepdim=True)], dim=1)
        channel = self.mlp(pooled[:, :, : self.channels]).sum(1, keepdim=True)
        return channel, self.spatial(self.second(tokens)[:, :, : self.channels], grid)


class LeanGraph(nn.Module):
    """The graph convolution with 1/√C on the few sampled nodes instead of on all relations.

    Args:
        graph: The one to replace.
        channels: C.
    """

    def __init__(self, graph: GraphConvolution, channels: int) -> None:
        super().__init__()
        more = extra(channels)
        self.channels = channels
        self.sampling = AdaptiveSampling(channels + more, graph.sampling.max_nodes, graph.sampling.share)
        self.sampling.score = wide(graph.sampling.score, more, 0)
        self.w1, self.w2 = wide(graph.w1, more, more), wide(graph.w2, more, more)

    def forward(self, nodes: Tensor) -> Tensor:
        """Nodes (B, N, C + extra) to H2 of the same shape."""
        sampled = self.sampling(nodes).nodes
        relations = nodes @ (sampled / math.sqrt(self.channels)).transpose(1, 2)
        h1 = (self.w1(nodes) + relations.softmax(2) @ sampled).relu()
        h2: Tensor = (self.w2(h1) + h1).relu()
        return h2


class PlainWindowAttention(WindowAttention):
    """Attention by products of four-dimensional arrays, which every format of exchange knows."""

    def _attend(self, windows: Tensor, bias: Tensor) -> Tensor:
        b, n, t, c = windows.shape
        heads = self.qkv(windows).view(b * n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = heads[0] / math.sqrt(c // self.heads), heads[1], heads[2]
        scores = (q @ k.transpose(2, 3)).view(b, n, self.heads, t, t) + bias.to(q.dtype)
        mixed = scores.softmax(4).view(b * n, self.heads, t, t) @ v
        out: Tensor = self.projection(mixed.transpose(1, 2).reshape(b, n, t, c))
        return out


class UnpaddedMaxPool(MaxPool2dSame):
    """Keras' `same` pooling, 3×3 with stride 2, by the pooling's own padding instead of a padded copy."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, ⌈H/2⌉, ⌈W/2⌉)."""
        odd = (x.shape[2] % 2, x.shape[3] % 2)  # an even side is padded at its end only, as ceil_mode does
        return F.max_pool2d(x, 3, 2, padding=odd, ceil_mode=True)


class Float32Fusion(Fusion):
    """The fusion in float32, whatever the branches work in: it is small, and all that follows rests on it.

    Zero channels of the branches' maps are left behind here.
    """

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """As Fusion."""
        return super().forward({term: self._exact(term, value) for term, value in features.items()})

    def _exact(self, term: str, value: Tensor) -> Tensor:
        projection: Any = self.projections[term]
        return value[:, : projection.linear.in_features].float()


def _to_map(tokens: Tensor, grid: Grid) -> Tensor:
    """Tokens (B, H·W, C) to a map (B, C, H, W) in channels-last memory, as a view."""
    return tokens.reshape(-1, *grid, tokens.shape[2]).permute(0, 3, 1, 2)
