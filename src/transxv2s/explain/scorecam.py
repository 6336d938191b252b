"""ScoreCAM (Wang et al. 2020): channels weighted by the logit of the image seen through them.

A channel, enlarged to the image and scaled to 0..1, masks the image; its score is the logit of the masked
image above that of the baseline, an image of zeros (mid-grey); its weight the softmax over channels.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from transxv2s.explain.observation import Observation
from transxv2s.hardware import quick

AT_ONCE = 32  # masked images in the network, which bounds the memory
STRONGEST = 64  # channels of a target

Score = Callable[[Tensor], Tensor]  # masked images (N, 3, H, W) to logits (N, number of classes)


@torch.no_grad()
def scorecam(observation: Observation, name: str) -> Tensor:
    """Map (B, K, h, w), signed: every channel, and the whole network sees the masked image."""
    maps = [
        _weighted(observation, image, observation.maps[name][image], observation.network)
        for image in range(len(observation.images))
    ]
    return torch.stack(maps)


@torch.no_grad()
def scorecam_strongest(observation: Observation, names: Sequence[str]) -> list[Tensor]:
    """The same for interactive use: map (B, K, h, w), signed, at each; of 64 channels, quickly scored.

    In bfloat16 where the hardware computes in it. A target of several maps shares the 64 among them; they are
    the channels that vary most over positions: what is the same everywhere moves no place above another. The
    whole network sees the masked image: with one branch alone the scores are those of another question, and
    the map ranks places hardly better than equal weights do.
    """
    return [_of_strongest(observation, name, STRONGEST // len(names)) for name in names]


def _of_strongest(observation: Observation, name: str, channels: int) -> Tensor:
    def score(masked: Tensor) -> Tensor:
        with quick(masked.device):
            logits: Tensor = observation.network(masked)
        return logits.to(masked.dtype)

    found = []
    for image, activations in enumerate(observation.maps[name]):
        spread = activations.var((1, 2))
        strongest = spread.topk(min(channels, len(spread))).indices
        found.append(_weighted(observation, image, activations[strongest], score))
    return torch.stack(found)


def _weighted(observation: Observation, image: int, activations: Tensor, score: Score) -> Tensor:
    """Channels (C, h, w) weighted by the scores of the masked image: (K, h, w)."""
    whole = observation.images[image]
    logits = [score(whole * masks) for masks in torch.split(_masks(activations, whole.shape[1:]), AT_ONCE)]
    increases = torch.cat(logits) - score(torch.zeros_like(whole).unsqueeze(0))
    weights = increases[:, observation.classes[image]].softmax(0)
    return torch.einsum("ck,chw->khw", weights, activations)


def _masks(activations: Tensor, size: torch.Size) -> Tensor:
    """Channels (C, h, w) as masks (C, 1, H, W) between 0 and 1; a flat channel hides everything."""
    grown = F.interpolate(activations.unsqueeze(1), tuple(size), mode="bilinear", align_corners=True)
    low, high = grown.amin((2, 3), keepdim=True), grown.amax((2, 3), keepdim=True)
    return (grown - low) / (high - low + 1e-8)
