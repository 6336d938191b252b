"""HiResCAM (Draelos and Carin 2020): gradient times activation, entry by entry, summed over channels.

In logits: where the network is linear after the map, a map's sum is what it adds to the logit.
"""

from torch import Tensor

from transxv2s.explain.observation import Observation


def hirescam(observation: Observation, name: str) -> Tensor:
    """Map (B, K, h, w), signed."""
    return (observation.gradients(name) * observation.maps[name].unsqueeze(1)).sum(2)
