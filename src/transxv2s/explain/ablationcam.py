"""AblationCAM (Desai and Ramaswamy 2020): channels weighted by how far the logit falls without them.

A channel is set to zero, as the paper does. The paper divides the fall by the logit, which turns the map
around where the logit is negative; here the weight is the fall itself, which gives the same map otherwise.
Only what lies after the map runs again, for many channels at a time.
"""

import torch
from torch import Tensor

from transxv2s.explain.observation import Observation

AT_ONCE = 128  # channels


@torch.no_grad()
def ablationcam(observation: Observation, name: str) -> Tensor:
    """Map (B, K, h, w), signed."""
    activations = observation.maps[name]
    falls = torch.stack([channel_falls(observation, name, image) for image in range(len(activations))])
    return torch.einsum("bkc,bchw->bkhw", falls, activations)


def channel_falls(observation: Observation, name: str, image: int) -> Tensor:
    """By how much the logits of one image fall without each channel: (K, C)."""
    steps, whole = observation.branch_of(name), observation.maps[name][image]
    logits = []
    for channels in torch.split(torch.arange(len(whole), device=whole.device), AT_ONCE):
        without = whole.repeat(len(channels), 1, 1, 1)
        without[torch.arange(len(channels)), channels] = 0
        logits.append(observation.logits_from(steps, name, without, image))
    falls = observation.logits_from(steps, name, whole.unsqueeze(0), image) - torch.cat(logits)
    return falls[:, observation.classes[image]].T.to(whole.dtype)
