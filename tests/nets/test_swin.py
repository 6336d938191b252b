"""Windowed attention against its definition: loops over tokens on the original grid, no padding, no roll."""

import pytest
import torch
from torch import Tensor

from transxv2s.nets.swin import SwinBlock, SwinStage, WindowAttention

WINDOW = 4
GRIDS = [(8, 8), (4, 4), (7, 5), (4, 9), (1, 1), (13, 6)]
Place = tuple[int, int]


def attention(shift: int, dim: int = 8, heads: int = 2) -> WindowAttention:
    torch.manual_seed(shift)
    module = WindowAttention(dim, heads, WINDOW, shift).double()
    torch.nn.init.normal_(module.position_bias)  # the start values are too small to notice
    return module


def tokens(grid: Place, dim: int = 8) -> Tensor:
    return torch.randn(1, *grid, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(7))


def strip(position: int, size: int, shift: int) -> int:
    """Number of the window along one axis: the borders lie at shift, shift + 4, shift + 8 …"""
    return (position + WINDOW - shift) // WINDOW if shift and size > WINDOW else position // WINDOW


def share_a_window(a: Place, b: Place, grid: Place, shift: int) -> bool:
    return all(strip(p, n, shift) == strip(q, n, shift) for p, q, n in zip(a, b, grid, strict=True))


def defined_output(module: WindowAttention, x: Tensor) -> Tensor:
    """softmax(q·k/√d + B(relative position))·v over the tokens of the same window, head by head."""
    grid = (x.shape[1], x.shape[2])
    places = [(i, j) for i in range(grid[0]) for j in range(grid[1])]
    d = x.shape[3] // module.heads
    qkv = {p: module.qkv(x[0, p[0], p[1]]).view(3, module.heads, d) for p in places}
    out = torch.zeros_like(x)
    for p in places:
        others = [o for o in places if share_a_window(p, o, grid, module.shift)]
        rows = [(p[0] - o[0] + WINDOW - 1) * (2 * WINDOW - 1) + p[1] - o[1] + WINDOW - 1 for o in others]
        heads = []
        for h in range(module.heads):
            scores = [
                qkv[p][0, h] @ qkv[o][1, h] / d**0.5 + module.position_bias[r, h]
                for o, r in zip(others, rows, strict=True)
            ]
            weights = torch.stack(scores).softmax(0)
            heads.append(sum(w * qkv[o][2, h] for w, o in zip(weights, others, strict=True)))
        out[0, p[0], p[1]] = module.projection(torch.cat([h for h in heads if isinstance(h, Tensor)]))
    return out


@torch.no_grad()
@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_attention_is_what_is_defined(grid: Place, shift: int) -> None:
    module, x = attention(shift), tokens(grid)
    torch.testing.assert_close(module(x), defined_output(module, x))


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("grid", [(8, 8), (7, 5), (4, 9)], ids=str)
def test_a_token_depends_on_its_own_window_only(grid: Place, shift: int) -> None:
    module, x = attention(shift), tokens(grid).requires_grad_()
    out = module(x).square().sum((0, 3))
    for p in [(0, 0), (grid[0] // 2, grid[1] // 2), (grid[0] - 1, grid[1] - 1), (0, grid[1] - 1)]:
        (gradient,) = torch.autograd.grad(out[p], x, retain_graph=True)
        reached = gradient[0].abs().sum(2) > 0
        for i in range(grid[0]):
            for j in range(grid[1]):
                assert reached[i, j] == share_a_window(p, (i, j), grid, shift)


@torch.no_grad()
@pytest.mark.parametrize("grid", [(4, 4), (3, 4), (1, 1)], ids=str)
def test_one_window_is_not_shifted(grid: Place) -> None:
    shifted, plain, x = attention(2), attention(0), tokens(grid)
    plain.load_state_dict(shifted.state_dict())
    assert torch.equal(shifted(x), plain(x))


@torch.no_grad()
def test_block_adds_attention_and_perceptron_to_its_input() -> None:
    block = SwinBlock(8, 2, WINDOW, shift=2).double()
    x = tokens((7, 5))
    middle = x + block.attention(torch.nn.functional.layer_norm(x, (8,)))
    first, second = block.mlp[0], block.mlp[2]
    hidden = torch.nn.functional.gelu(first(torch.nn.functional.layer_norm(middle, (8,))))
    torch.testing.assert_close(block(x), middle + second(hidden))


def test_stage_is_windowed_then_shifted() -> None:
    attentions = [m for m in SwinStage(64).modules() if isinstance(m, WindowAttention)]
    assert [(a.window, a.shift, a.heads) for a in attentions] == [(4, 0, 8), (4, 2, 8)]


@torch.no_grad()
@pytest.mark.parametrize(("side", "expected"), [(16, 8), (13, 7), (8, 4), (1, 1)])
def test_stage_halves_the_grid_of_any_map(side: int, expected: int) -> None:
    assert SwinStage(64)(torch.randn(2, 64, side, side + 1)).shape == (2, 64, expected, side // 2 + 1)


@torch.no_grad()
def test_stage_embeds_each_patch_by_one_matrix() -> None:
    """With the blocks out of the way, the stage is a normalised linear map of each 2×2 patch."""
    stage = SwinStage(3, dim=8, heads=2).double()
    stage.blocks = torch.nn.Sequential()
    x = torch.randn(1, 3, 5, 4, dtype=torch.float64)
    patch = torch.cat([x[0, :, 4:, 2:], torch.zeros(3, 1, 2, dtype=torch.float64)], dim=1)  # over the edge
    assert stage.embedding.bias is not None
    token = stage.embedding.weight.flatten(1) @ patch.flatten() + stage.embedding.bias
    torch.testing.assert_close(stage(x)[0, :, 2, 1], torch.nn.functional.layer_norm(token, (8,)))
