"""Swin stage: windowed and shifted-windowed self-attention (Liu et al. 2021) on a grid of any size."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transxv2s.nets.attention import Grid


def padded(size: int, window: int) -> int:
    """The next multiple of the window."""
    return -(-size // window) * window


def axis_regions(size: int, window: int, shift: int, device: torch.device) -> Tensor:
    """Region number of each place of one axis after padding and cyclic shift.

    Two places attend to each other only within one region: a wrapped-around strip is a region of its own, and
    so is the padding (-1).
    """
    position = torch.arange(padded(size, window), device=device)
    wrapped = (position < shift).long()  # the shift brings these to the end, beside places far from them
    return wrapped.masked_fill(position >= size, -1).roll(-shift)


def to_windows(x: Tensor, window: int) -> Tensor:
    """(B, H, W, C) to (B, windows, window², C), windows in row-major order."""
    b, h, w, c = x.shape
    x = x.view(b, h // window, window, w // window, window, c)
    return x.transpose(2, 3).reshape(b, -1, window * window, c)


def from_windows(windows: Tensor, window: int, grid: Grid) -> Tensor:
    """The inverse of to_windows: (B, windows, window², C) to (B, H, W, C)."""
    h, w = grid
    b, _, _, c = windows.shape
    x = windows.view(b, h // window, w // window, window, window, c)
    return x.transpose(2, 3).reshape(b, h, w, c)


def attention_mask(grid: Grid, window: int, shift: Grid, device: torch.device) -> Tensor:
    """Which pairs of a window may attend to each other: bool (windows, window², window²)."""
    rows = axis_regions(grid[0], window, shift[0], device)
    columns = axis_regions(grid[1], window, shift[1], device)
    regions = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)
    labels = to_windows(regions.unsqueeze(0), window)[0]
    return (labels.unsqueeze(1) == labels.unsqueeze(2)).all(-1)


def relative_position_index(window: int, device: torch.device) -> Tensor:
    """Row of the bias table for each pair of places of a window: (window², window²)."""
    axis = torch.arange(window, device=device)
    place = torch.stack(torch.meshgrid(axis, axis, indexing="ij")).flatten(1)
    offset = place[:, :, None] - place[:, None, :] + window - 1
    return offset[0] * (2 * window - 1) + offset[1]


class WindowAttention(nn.Module):
    """Multi-head self-attention inside (shifted) windows with a relative position bias.

    Args:
        dim: Token width, a multiple of heads.
        heads: Number of heads.
        window: Side of a window in tokens.
        shift: Cyclic shift in tokens (0 for W-MSA, window // 2 for SW-MSA); an axis that is only one window
            wide is not shifted.
    """

    def __init__(self, dim: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.shift = shift
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)
        self.position_bias = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.position_bias, std=0.02)

    def shifts(self, grid: Grid) -> Grid:
        """The cyclic shift of each axis of a grid (H, W)."""
        return (self.shift if grid[0] > self.window else 0, self.shift if grid[1] > self.window else 0)

    def _bias(self, grid: Grid, shift: Grid) -> Tensor:
        """Position bias, minus infinity where attention is forbidden: (windows, heads, window², window²)."""
        index = relative_position_index(self.window, self.position_bias.device)
        bias = self.position_bias[index].permute(2, 0, 1)
        mask = attention_mask(grid, self.window, shift, bias.device)
        return torch.where(mask.unsqueeze(1), bias, -torch.inf)

    def _attend(self, windows: Tensor, bias: Tensor) -> Tensor:
        b, n, t, c = windows.shape
        q, k, v = self.qkv(windows).view(b, n, t, 3, self.heads, c // self.heads).permute(3, 0, 1, 4, 2, 5)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype).expand(b, -1, -1, -1, -1))
        out: Tensor = self.projection(mixed.transpose(2, 3).reshape(b, n, t, c))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to the same shape."""
        h, w = x.shape[1:3]
        grid = (padded(h, self.window), padded(w, self.window))
        shift = self.shifts((h, w))
        x = F.pad(x, (0, 0, 0, grid[1] - w, 0, grid[0] - h)).roll((-shift[0], -shift[1]), (1, 2))
        windows = self._attend(to_windows(x, self.window), self._bias((h, w), shift))
        return from_windows(windows, self.window, grid).roll(shift, (1, 2))[:, :h, :w]


class SwinBlock(nn.Module):
    """Attention and a two-layer perceptron, each normalised before and added to its input."""

    def __init__(self, dim: int, heads: int, window: int, shift: int, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = WindowAttention(dim, heads, window, shift)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_ratio * dim), nn.GELU(), nn.Linear(mlp_ratio * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to the same shape."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class SwinStage(nn.Module):
    """Patch embedding, W-MSA block, SW-MSA block, normalisation.

    Args:
        in_channels: Channels of the incoming map.
        dim: Token width.
        heads: Attention heads.
        window: Side of a window in tokens.
        patch: Side of a patch in positions of the incoming map.
    """

    def __init__(
        self, in_channels: int, dim: int = 64, heads: int = 8, window: int = 4, patch: int = 2
    ) -> None:
        super().__init__()
        self.patch = patch
        self.embedding = nn.Conv2d(in_channels, dim, patch, stride=patch)
        self.blocks = nn.Sequential(
            SwinBlock(dim, heads, window, shift=0), SwinBlock(dim, heads, window, shift=window // 2)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, dim, ⌈H/patch⌉, ⌈W/patch⌉)."""
        h, w = x.shape[2:]
        x = F.pad(x, (0, padded(w, self.patch) - w, 0, padded(h, self.patch) - h))
        x = self.embedding(x).permute(0, 2, 3, 1)
        out: Tensor = self.norm(self.blocks(x))
        return out.permute(0, 3, 1, 2)
