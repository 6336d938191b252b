"""What the network itself attends to: the nodes its graph modules chose, and their context masks."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transxv2s.errors import InputError
from transxv2s.explain.observation import Observation
from transxv2s.explain.twin import own_modes
from transxv2s.nets.dcgan import DCGAN
from transxv2s.nets.transxv2s import TransXV2SNet


@dataclass(frozen=True)
class GraphAttention:
    """One DCGAN module at one image, on the module's grid.

    Attributes:
        module: "dcgan1" to "dcgan11", by the block it follows.
        nodes: Which positions the adaptive sampling chose, bool (h, w).
        scores: N·α of every position, of mean 1: (h, w).
        collected: The collector's mask over positions, of mean 1: (h, w).
        distributed: The distributor's mask, the mean over channels, between 0 and 1: (h, w).
    """

    module: str
    nodes: NDArray[np.bool_]
    scores: NDArray[np.float32]
    collected: NDArray[np.float32]
    distributed: NDArray[np.float32]


def graph_attention(network: TransXV2SNet, images: Tensor) -> list[list[GraphAttention]]:
    """For each image (B, 3, H, W) the attention of each DCGAN module, first to last.

    The network is left as it is.

    Raises:
        InputError: The variant has no DCGAN, or the images cannot be explained.
    """
    with own_modes(next(network.parameters()).device), torch.no_grad():
        observation = Observation(network, images)
        branch = observation.network.xceptmod
        if branch is None or not len(branch.dcgan):
            raise InputError("this variant has no graph attention: choose the full network")
        by_module = [
            _attention(f"dcgan{block}", module, observation.maps[f"xception.block{block}"])
            for block, module in branch.dcgan.items()
            if isinstance(module, DCGAN)
        ]
    return [list(modules) for modules in zip(*by_module, strict=True)]


def _attention(name: str, module: DCGAN, x: Tensor) -> list[GraphAttention]:
    """One module at each image, x being its input (B, C, h, w)."""
    grid = (x.shape[2], x.shape[3])
    normal = module.normalised(x)
    nodes = module.collector(normal, grid)
    sample = module.graph.sampling(nodes)
    chosen = torch.zeros_like(sample.scores, dtype=torch.bool).scatter(1, sample.indices, True)
    collected = module.collector.mask(normal, grid)[1].squeeze(2)
    distributed = module.distributor.mask(module.graph(nodes), grid).mean(2)
    fields = [_on_grid(field, grid) for field in (sample.scores, collected, distributed)]
    return [
        GraphAttention(name, where, *rest)
        for where, *rest in zip(chosen.view(-1, *grid).cpu().numpy(), *fields, strict=True)
    ]


def _on_grid(field: Tensor, grid: tuple[int, int]) -> NDArray[np.float32]:
    return field.float().view(-1, *grid).cpu().numpy()
