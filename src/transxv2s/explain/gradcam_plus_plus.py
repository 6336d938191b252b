"""GradCAM++ (Chattopadhyay et al. 2018): channels weighted by their positive gradients.

Equation 19: a_ij = g² / (2g² + ΣA·g³); the weight of a channel is Σ_ij a_ij · relu(g_ij).
"""

import torch
from torch import Tensor

from transxv2s.explain.observation import Observation

EPSILON = 1e-6  # as in the common library


def gradcam_plus_plus(observation: Observation, name: str) -> Tensor:
    """Map (B, K, h, w), signed."""
    activations, gradients = observation.maps[name].unsqueeze(1), observation.gradients(name)
    squares = gradients.square()
    total = activations.sum((3, 4), keepdim=True)
    shares = squares / (2 * squares + total * squares * gradients + EPSILON)
    shares = torch.where(gradients != 0, shares, 0)
    weights = (gradients.relu() * shares).sum((3, 4), keepdim=True)
    return (weights * activations).sum(2)
