"""The network's own attention is what its modules do in a forward pass."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from explain.networks import SMALL, images, shared
from transxv2s.errors import InputError
from transxv2s.explain import graph_attention
from transxv2s.nets.dcgan import Sample


@torch.no_grad()
def test_nodes_are_those_of_the_forward_pass() -> None:
    network, x, seen = shared(), images(2, 84, 100), list[Sample]()
    branch = network.xceptmod
    assert branch is not None

    def note(module: nn.Module, inputs: Any, output: Sample) -> None:
        seen.append(output)

    handles = [m.get_submodule("graph.sampling").register_forward_hook(note) for m in branch.dcgan.values()]
    network(x)
    for handle in handles:
        handle.remove()
    found = graph_attention(network, x)
    assert [a.module for a in found[0]] == [f"dcgan{n}" for n in (1, 2, 3, 5, 7, 9, 11)]
    for image, modules in enumerate(found):
        for attention, sample in zip(modules, seen, strict=True):
            chosen = np.flatnonzero(attention.nodes.ravel())
            assert chosen.tolist() == sorted(sample.indices[image].tolist())
            np.testing.assert_allclose(attention.scores.ravel(), sample.scores[image], rtol=1e-4)


def test_masks() -> None:
    for attention in graph_attention(shared(), images(1, 84, 100))[0]:
        shape = attention.nodes.shape
        assert attention.collected.shape == attention.distributed.shape == attention.scores.shape == shape
        assert attention.collected.mean() == pytest.approx(1, abs=1e-4)
        assert attention.scores.mean() == pytest.approx(1, abs=1e-4)
        assert attention.distributed.min() > 0
        assert attention.distributed.max() < 1
        left = attention.scores[~attention.nodes]
        assert attention.scores[attention.nodes].min() >= left.max()


def test_a_variant_without_graph_modules_says_so() -> None:
    with pytest.raises(InputError, match="no graph attention"):
        graph_attention(shared(SMALL), images())
