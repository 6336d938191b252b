"""torch.compile on a network small enough to be compiled in a test."""

import shutil

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from engines.networks import SMALL, checkpoint, squares
from transxv2s import engines
from transxv2s.engines.compiled import Compiled
from transxv2s.engines.eager import Eager
from transxv2s.engines.engine import EngineError

CPU = torch.device("cpu")


class Tiny(nn.Module):
    """Of the form of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, stride=4), nn.BatchNorm2d(8)
        self.classifier = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        mean: Tensor = self.norm(self.conv(x)).relu().mean((2, 3))
        return mean

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(features)
        return logits


@pytest.mark.skipif(
    not shutil.which("g++") and not shutil.which("clang++"), reason="there is no C++ compiler to compile with"
)
def test_batches_are_padded_to_a_size_that_is_compiled_and_cut_again() -> None:
    torch.manual_seed(0)
    network = Tiny().eval()
    compiled, eager = Compiled(network, CPU, "float32"), Eager(network, CPU)
    torch._dynamo.reset()
    graphs = counters["stats"]["unique_graphs"]
    for count in (3, 4):
        asked = squares(count, count)
        for mine, theirs in zip(compiled.run(asked), eager.run(asked), strict=True):
            assert mine.shape == theirs.shape
            np.testing.assert_allclose(mine, theirs, atol=1e-5)

    assert counters["stats"]["unique_graphs"] - graphs == 1  # both took the size of 4


def test_cuda_graphs_need_a_gpu() -> None:
    with pytest.raises(EngineError, match="cudagraphs-bfloat16 needs a GPU"):
        engines.load("cudagraphs-bfloat16", checkpoint(SMALL), CPU)


def test_without_a_compiler_nothing_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(EngineError, match=r"needs a C\+\+ compiler"):
        engines.load("compiled", checkpoint(SMALL), CPU)
