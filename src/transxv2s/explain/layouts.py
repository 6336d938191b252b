"""Where on a map the entries of a traced tensor lie: sums over all that is not a position."""

from collections.abc import Callable

from torch import Tensor, nn

from transxv2s.nets.attention import Grid
from transxv2s.nets.dcgan import DCGAN
from transxv2s.nets.swin import SwinBlock, WindowAttention, from_windows, padded

Layout = Callable[[Tensor], Tensor | None]  # entries (B, …) to a map (B, h, w); None: at no position


def on_map(entries: Tensor) -> Tensor | None:
    """Of convolutional maps (B, C, h, w); pooled features and their gates are nowhere in particular."""
    return entries.sum(1) if entries.ndim == 4 and entries.shape[2:].numel() > 1 else None


def channels_last(entries: Tensor) -> Tensor | None:
    """Of Swin's maps (B, h, w, C)."""
    return entries.sum(3) if entries.ndim == 4 else None


class InWindows:
    """Of a window attention: (B, windows, …, window², channels), or with heads before the places.

    Scores and attention weights belong to the place that asks.
    """

    def __init__(self, attention: WindowAttention, x: Tensor) -> None:
        self.window, self.grid = attention.window, (x.shape[1], x.shape[2])
        self.shift = attention.shifts(self.grid)

    def __call__(self, entries: Tensor) -> Tensor | None:
        """Brings the places back to where they were."""
        summed = entries.sum((2, 4)) if entries.ndim == 5 else entries.sum(3)
        full = (padded(self.grid[0], self.window), padded(self.grid[1], self.window))
        places = from_windows(summed.unsqueeze(3), self.window, full).squeeze(3)
        return places.roll(self.shift, (1, 2))[:, : self.grid[0], : self.grid[1]]


class OnTokens:
    """Of a DCGAN: tokens (B, N, …), sampled nodes (B, k, …), and maps inside its spatial attention.

    Attributes:
        chosen: The positions (B, k) of the sampled nodes, as soon as they are known.
    """

    def __init__(self, module: DCGAN, x: Tensor) -> None:
        self.grid: Grid = (x.shape[2], x.shape[3])
        self.chosen: Tensor | None = None

    def __call__(self, entries: Tensor) -> Tensor | None:
        """Brings sampled nodes back to their positions; channel attention is at none."""
        if entries.ndim == 4:
            return on_map(entries)
        batch, positions = len(entries), self.grid[0] * self.grid[1]
        summed = entries.reshape(batch, entries.shape[1], -1).sum(2)
        if self.chosen is not None and summed.shape == self.chosen.shape:
            summed = summed.new_zeros(batch, positions).scatter(1, self.chosen, summed)
        return summed.view(batch, *self.grid) if summed.shape[1] == positions else None


def layout_within(module: nn.Module, x: Tensor) -> Layout | None:
    """The layout inside a module that gets x; None where it is that of what is around it."""
    if isinstance(module, WindowAttention):
        return InWindows(module, x)
    if isinstance(module, DCGAN):
        return OnTokens(module, x)
    return channels_last if isinstance(module, SwinBlock | nn.LayerNorm) else None
