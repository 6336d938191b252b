"""EigenCAM (Muhammad and Yeasin 2020): the first principal component of a map's activations.

It asks about no class: it shows what the map holds most of, whatever the network makes of it. The sign of a
component is arbitrary. Here it is such that the positions with the larger activations (the greater sum of
squares over channels) come out positive.
"""

import torch
from torch import Tensor

from transxv2s.explain.observation import Observation


def eigencam(observation: Observation, name: str) -> Tensor:
    """Map (B, K, h, w), signed, the same for every class."""
    activations = observation.maps[name]
    points = activations.flatten(2).transpose(1, 2).float()
    centred = points - points.mean(1, keepdim=True)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    component = u[..., 0] * s[:, :1]
    energy = points.square().sum(2)
    agreement = (component * (energy - energy.mean(1, keepdim=True))).sum(1, keepdim=True)
    component = torch.where(agreement < 0, -component, component)
    found = component.view(len(points), 1, *activations.shape[2:])
    return found.expand(-1, observation.classes.shape[1], -1, -1)
