"""The branches around timm's trunks: nothing of the trunk is lost, and Xception pools as Keras does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from networks import branch_two, fresh, images, shared
from torch import Tensor

from transxv2s.nets.effswin import EffSwin, Merge
from transxv2s.nets.xceptmod import STRIDED_BLOCKS, XceptMod


@torch.no_grad()
@pytest.mark.parametrize(("branch", "term"), [(EffSwin, "effnet"), (XceptMod, "xception")])
def test_a_bare_branch_is_its_trunk(branch: type[EffSwin | XceptMod], term: str) -> None:
    module = branch(False).eval()
    pooled, _ = module(images(1, 84))
    torch.testing.assert_close(pooled[term], module.trunk(images(1, 84)))


def keras_max_pool(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """3×3 maximum with stride 2 and padding `same`: one place more at the end than at the start if uneven."""
    side = len(x)
    out = np.empty((-(-side // 2),) * 2, np.float32)
    before = max((len(out) - 1) * 2 + 3 - side, 0) // 2
    for i in range(len(out)):
        for j in range(len(out)):
            rows = [r for r in range(2 * i - before, 2 * i - before + 3) if 0 <= r < side]
            columns = [c for c in range(2 * j - before, 2 * j - before + 3) if 0 <= c < side]
            out[i, j] = max(x[r, c] for r in rows for c in columns)
    return out


@pytest.mark.parametrize("block", STRIDED_BLOCKS)
@pytest.mark.parametrize("side", [2, 3, 8, 9, 16, 31])
def test_pooling_is_that_of_keras(side: int, block: int) -> None:
    x = np.random.default_rng(side).normal(size=(side, side)).astype(np.float32) - 5  # below any zero padding
    pool = list(branch_two(shared()).get_submodule(f"trunk.block{block}.rep").children())[-1]
    assert np.array_equal(pool(torch.from_numpy(x)[None, None])[0, 0].numpy(), keras_max_pool(x))


@torch.no_grad()
def test_merge_starts_as_the_identity_on_the_convolutional_map() -> None:
    x = torch.randn(2, 6, 3, 3)
    merge = Merge(6, 2)
    torch.testing.assert_close(merge(x, torch.zeros(2, 2, 3, 3)), x)
    assert not torch.allclose(merge(x, torch.ones(2, 2, 3, 3)), x), "the Swin map must reach the trunk"


@torch.no_grad()
def test_swin_reads_what_stage_4_reads() -> None:
    branch = shared().effswin
    maps = branch(images(1, 100))[1]
    assert branch.swin is not None
    assert branch.merge is not None
    swin = branch.swin(maps["effnet.stage3"])
    torch.testing.assert_close(maps["swin"], swin)
    stage4 = branch.trunk.blocks[3](maps["effnet.stage3"])
    torch.testing.assert_close(maps["effnet.stage4"], branch.merge(stage4, swin))


@torch.no_grad()
def test_each_dcgan_stands_between_its_block_and_the_next() -> None:
    branch = branch_two(shared())
    maps = branch(images(1))[1]
    assert list(branch.dcgan) == ["1", "2", "3", "5", "7", "9", "11"]
    for name, module in branch.dcgan.items():
        enhanced, context = module(maps[f"xception.block{name}"])
        torch.testing.assert_close(maps[f"dcgan{name}"], enhanced)
        following = branch.trunk.get_submodule(f"block{int(name) + 1}")
        torch.testing.assert_close(maps[f"xception.block{int(name) + 1}"], following(enhanced))
    torch.testing.assert_close(maps["dcgan"], context)


def enhanced(module: Callable[[Tensor], Any], x: Tensor) -> Tensor:
    """The output that flows on; a DCGAN gives its context beside it."""
    out = module(x)
    return out if isinstance(out, Tensor) else out[0]


def forward_and_backward(module: Callable[[Tensor], Any], x: Tensor) -> tuple[Tensor, Tensor]:
    """The output and the gradient of its squared sum by the input."""
    out = enhanced(module, x)
    return out, torch.autograd.grad(out.square().sum(), x)[0]


PARTS = [("effswin.swin", 64), ("xceptmod.dcgan.1", 128), ("xceptmod.dcgan.11", 728)]


@pytest.mark.parametrize(("part", "channels"), PARTS[:2])
def test_compiling_changes_nothing(part: str, channels: int) -> None:
    """The parts with code of our own are traced, forward and backward, as one graph."""
    module = fresh().get_submodule(part)
    x = torch.randn(1, channels, 9, 7, requires_grad=True)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(forward_and_backward(compiled, x), forward_and_backward(module, x))


@torch.no_grad()
@pytest.mark.parametrize(("part", "channels"), PARTS)
def test_parts_keep_bfloat16_close(part: str, channels: int) -> None:
    """Bfloat16 has 8 bits of mantissa (0.4 %), and each part is some ten operations deep.

    Of a DCGAN the enhanced map is compared: the context alone moves more where two nodes of nearly equal
    score change places at the edge of the selection.
    """
    module, x = shared().get_submodule(part), images(1, 9, channels=channels)
    exact = enhanced(module, x)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = enhanced(module, x)
    assert (rounded.float() - exact).norm() < 0.04 * exact.norm()
