"""Dual-Contextual Graph Attention Network (DCGAN): collect context, convolve a sampled graph, distribute.

Equations are those of the article's section "Branch 2"; docs/traceability.md maps each to a test.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transxv2s.nets.attention import ChannelAttention, Grid, SpatialAttention, to_map, to_tokens

CLOSED_GATE = -3.0  # sigmoid(-3) = 0.05: a fresh module hardly touches a pretrained trunk's features


class ContextCollector(nn.Module):
    """Stage 1: weights every entry of the map by softmax(C_att + S_att).

    The softmax runs over channels and positions jointly (over one of them alone the other attention would
    cancel) and is scaled by C·H·W, so that a uniform mask is the identity. As C_att is constant over
    positions and S_att over channels, the joint softmax is the outer product of two small ones.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.psi = nn.Linear(channels, channels)
        self.phi = nn.Linear(channels, channels)
        self.channel_attention = ChannelAttention(channels)
        self.spatial_attention = SpatialAttention()

    def mask(self, tokens: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
        """The two factors of the mask, each of mean 1: over channels (B, 1, C) and positions (B, N, 1)."""
        channel = self.channel_attention(self.psi(tokens)).sigmoid()
        spatial = self.spatial_attention(self.phi(tokens), grid).sigmoid()
        return channel.softmax(2) * channel.shape[2], spatial.softmax(1) * spatial.shape[1]

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Tokens (B, N, C) on a grid to weighted tokens of the same shape."""
        channel, spatial = self.mask(tokens, grid)
        return tokens * torch.matmul(spatial, channel).to(tokens.dtype)  # one pass over the tokens


class Sample(NamedTuple):
    """The nodes that the adaptive sampling chose.

    Attributes:
        nodes: (B, k, C), each multiplied by N·α, which has mean 1 over all positions.
        indices: (B, k), positions in row-major order.
        scores: (B, N), N·α for every position.
    """

    nodes: Tensor
    indices: Tensor
    scores: Tensor


class AdaptiveSampling(nn.Module):
    """Keeps the k nodes of the highest α = softmax(tanh(N·W_att)); multiplying by α gives W_att its gradient.

    Args:
        channels: C.
        max_nodes: Upper bound of k, which keeps the cost of the graph linear in the number of positions.
        share: k is at most this share of all positions (rounded up), so that there is always a choice.
    """

    def __init__(self, channels: int, max_nodes: int = 64, share: float = 0.25) -> None:
        super().__init__()
        self.max_nodes = max_nodes
        self.share = share
        self.score = nn.Linear(channels, 1)

    def sample_size(self, positions: int) -> int:
        """The number of nodes k kept of this many positions."""
        return min(self.max_nodes, math.ceil(self.share * positions))

    def forward(self, nodes: Tensor) -> Sample:
        """Nodes (B, N, C) to the k chosen ones."""
        positions = nodes.shape[1]
        scores = self.score(nodes).squeeze(2).tanh().softmax(1) * positions
        weights, indices = scores.topk(self.sample_size(positions), dim=1)
        chosen = nodes.gather(1, indices.unsqueeze(2).expand(-1, -1, nodes.shape[2]))
        return Sample(chosen * weights.unsqueeze(2).to(nodes.dtype), indices, scores)


class GraphConvolution(nn.Module):
    """Stage 2: every position gathers from the sampled nodes, then two layers with residuals.

    G = N_sampled · Nᵀ;  ATN_sampled = softmax_k(G / √C)ᵀ · N_sampled;
    H1 = σ(N·W1 + ATN_sampled);  H2 = σ(H1·W2 + H1), σ the rectifier.
    """

    def __init__(self, channels: int, max_nodes: int = 64, share: float = 0.25) -> None:
        super().__init__()
        self.sampling = AdaptiveSampling(channels, max_nodes, share)
        self.w1 = nn.Linear(channels, channels)
        self.w2 = nn.Linear(channels, channels)

    def forward(self, nodes: Tensor) -> Tensor:
        """Nodes (B, N, C) to H2 of the same shape."""
        sampled = self.sampling(nodes).nodes
        relations = torch.matmul(nodes, sampled.transpose(1, 2)) / math.sqrt(nodes.shape[2])
        gathered = torch.matmul(relations.softmax(2), sampled)
        h1 = (self.w1(nodes) + gathered).relu()
        h2: Tensor = (self.w2(h1) + h1).relu()
        return h2


class ContextDistributor(nn.Module):
    """Stage 3: H2 weighted by sigmoid(channel + spatial attention), to be added to the module's input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.theta = nn.Linear(channels, channels)
        self.xi = nn.Linear(channels, channels)
        self.channel_attention = ChannelAttention(channels)
        self.spatial_attention = SpatialAttention()
        self.gate = nn.Parameter(torch.full((channels,), CLOSED_GATE))

    def mask(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Tokens (B, N, C) on a grid to their weights, between 0 and 1."""
        channel = self.channel_attention(self.theta(tokens))
        spatial = self.spatial_attention(self.xi(tokens), grid)
        mask: Tensor = (channel + self.gate + spatial).sigmoid()  # the small ones first
        return mask

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Tokens (B, N, C) on a grid to weighted tokens of the same shape."""
        return tokens * self.mask(tokens, grid).to(tokens.dtype)


class DCGAN(nn.Module):
    """The three stages with the skip connection to the input.

    The stages see X with each position normalised over its channels. A trunk's maps grow with depth, and G
    with their square: unbounded, it picks a single node, and the distributor's gate is pushed open.

    Args:
        channels: C of the map X.
        max_nodes: See AdaptiveSampling.
        share: See AdaptiveSampling.
    """

    def __init__(self, channels: int, max_nodes: int = 64, share: float = 0.25) -> None:
        super().__init__()
        self.collector = ContextCollector(channels)
        self.graph = GraphConvolution(channels, max_nodes, share)
        self.distributor = ContextDistributor(channels)

    def normalised(self, x: Tensor) -> Tensor:
        """Map X (B, C, H, W) to tokens (B, H·W, C), each normalised over its channels."""
        with torch.autocast(x.device.type, enabled=False):  # it would make a float32 copy of the map
            return F.layer_norm(to_tokens(x), x.shape[1:2])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map X (B, C, H, W) to the enhanced map and to what was added to X, both (B, C, H, W)."""
        grid = (x.shape[2], x.shape[3])
        nodes = self.collector(self.normalised(x), grid)
        context = to_map(self.distributor(self.graph(nodes), grid), grid)
        return x + context, context
