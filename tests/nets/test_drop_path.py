"""Stochastic depth: no weights, nothing at prediction, and blocks skipped as often as asked in training."""

import pytest
import torch
from timm.layers import DropPath

from transxv2s.nets.effswin import EffSwin
from transxv2s.nets.xceptmod import MIDDLE_BLOCKS, XceptMod


def test_it_changes_neither_keys_nor_predictions() -> None:
    plain, deep = XceptMod(dcgan=False).eval(), XceptMod(dcgan=False, drop_path=0.5).eval()
    deep.load_state_dict(plain.state_dict())
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(deep(x)[0]["xception"], plain(x)[0]["xception"])


@pytest.mark.parametrize("block", [MIDDLE_BLOCKS[3], MIDDLE_BLOCKS[-1]])
def test_xception_skips_middle_blocks_more_often_with_depth(block: int) -> None:
    torch.manual_seed(0)
    rate = 0.6 * (1 + MIDDLE_BLOCKS.index(block)) / len(MIDDLE_BLOCKS)
    network = XceptMod(dcgan=False, drop_path=0.6).train()
    x = torch.rand(200, 728, 2, 2)
    with torch.inference_mode():
        out = network.trunk.get_submodule(f"block{block}")(x.clone())
    skipped = (out == x).flatten(1).all(1).float().mean().item()
    assert abs(skipped - rate) < 4 * (rate * (1 - rate) / 200) ** 0.5


def test_efficientnet_has_timms() -> None:
    rates = [m.drop_prob for m in EffSwin(swin=False, drop_path=0.4).modules() if isinstance(m, DropPath)]
    assert len(rates) > 20
    assert rates == sorted(rates)
    assert 0 < rates[0] < rates[-1] < 0.4
    assert not any(isinstance(m, DropPath) for m in EffSwin(swin=False).modules())
