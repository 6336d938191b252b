"""Deletion and insertion curves (Petsiuk, Das and Saenko 2018): does the answer hang on what a map marks?

Deletion replaces pixels of the image by a baseline, the most relevant first; insertion puts pixels of the
image onto the baseline in the same order. A good map makes the probability of the class fall at once in the
first and rise at once in the second. What takes the place of a pixel matters, so there are two baselines.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms

from transxv2s.errors import InputError
from transxv2s.trust.judgement import Trust, scores_of

Map: TypeAlias = NDArray[np.float32]  # (H, W), the larger the more relevant
Places: TypeAlias = NDArray[np.bool_]  # (H, W)
Order: TypeAlias = NDArray[np.intp]  # (H·W,), positions from the most to the least relevant
Values: TypeAlias = NDArray[np.float64]
Logits: TypeAlias = Callable[[Tensor], Tensor]  # images (N, 3, H, W) to (N, number of classes)
Score: TypeAlias = Callable[[Tensor], Values]  # images (N, 3, H, W) to the probability of one class, (N,)

BLUR = 0.1  # standard deviation of the blur in shares of the side: no structure of a lesion survives it
STEPS = 10
AT_ONCE = 32  # images in the network


def probability_of(logits: Logits, class_index: int, trust: Trust | None = None) -> Score:
    """The probability of one class, some images at a time: calibrated, or by softmax without trust."""

    @torch.no_grad()
    def score(images: Tensor) -> Values:
        parts = [logits(part).cpu() for part in torch.split(images, AT_ONCE)]
        return scores_of(trust, torch.cat(parts))[0][:, class_index]

    return score


def blurred(image: Tensor) -> Tensor:
    """The image (3, H, W) through a Gaussian of BLUR times its shorter side."""
    sigma = BLUR * min(image.shape[1:])
    size = 2 * round(3 * sigma) + 1
    found: Tensor = transforms.gaussian_blur(image, [size, size], [sigma, sigma])
    return found


def mean_colour(image: Tensor) -> Tensor:
    """The image's own mean colour everywhere: (3, H, W)."""
    return image.mean((1, 2), keepdim=True).expand_as(image)


BASELINES = {"blurred": blurred, "mean_colour": mean_colour}


def ranking(values: Map, ties: Map) -> Order:
    """Positions from the most to the least relevant.

    Args:
        values: A heat map (H, W).
        ties: Of the same shape; what orders equals, such as all that a rectifier cut off. It should know
            nothing and be as coarse as heat maps are: equals in the order of the image would count its upper
            half as more relevant, and scattered pixel by pixel they would hide nothing when they are removed.

    Raises:
        InputError: The map is not (H, W) or not finite.
    """
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InputError(f"a heat map must be finite and (height, width), not {values.shape}")
    return np.lexsort((-ties.ravel(), -values.ravel()))


def leading(order: Order, share: float, shape: tuple[int, ...]) -> Places:
    """Where the first pixels of an order are, a share of all: (H, W)."""
    places = np.zeros(len(order), bool)
    places[order[: round(share * len(order))]] = True
    return places.reshape(shape)


def shares(steps: int = STEPS) -> Values:
    """Shares of the pixels at which a curve is known, 0 and 1 among them: (steps + 1,)."""
    return np.linspace(0, 1, steps + 1)


def passage(start: Tensor, end: Tensor, order: Order, steps: int = STEPS) -> Tensor:
    """An image at each of the `shares`, as its pixels give way to those of another: (steps + 1, 3, H, W).

    Args:
        start: (3, H, W); the image for deletion, the baseline for insertion.
        end: (3, H, W); the other of the two.
        order: In which pixels change.
        steps: Number of equal steps.
    """
    where = np.stack([leading(order, share, start.shape[1:]) for share in shares(steps)])
    return torch.where(torch.from_numpy(where).to(start.device).unsqueeze(1), end, start)


def area(values: Values) -> float:
    """Area under a curve over shares from 0 to 1, by the trapezoidal rule."""
    return float(np.trapezoid(values, shares(len(values) - 1)))


def deletion_and_insertion(
    score: Score, image: Tensor, baseline: Tensor, order: Order, steps: int = STEPS
) -> tuple[float, float]:
    """Both areas, between 0 and 1: the less the first and the more the second, the better the map.

    The curves share their ends, and all images are scored in one go.
    """
    away, back = passage(image, baseline, order, steps), passage(baseline, image, order, steps)
    values = score(torch.cat([away, back[1:-1]]))
    deletion = values[: steps + 1]
    insertion = [deletion[-1], *values[steps + 1 :], deletion[0]]
    return area(deletion), area(np.array(insertion))
