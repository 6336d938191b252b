"""ROAD, remove and debias (Rong et al. 2022): pixels are removed so that one cannot see that they were.

A missing pixel is the weighted mean of its neighbours (1/6 beside, 1/12 across), missing ones as well, which
is one sparse linear system, plus a little noise. Unlike a grey patch, this leaves no shape behind that the
network could read, so that removing relevant pixels and removing a telling shape are not mixed up.
"""

import numpy as np
import torch
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.linalg import splu  # type: ignore[import-untyped]
from torch import Tensor

from transxv2s.errors import InputError
from transxv2s.explain.faithfulness.perturbation import Order, Places, Score, Values, leading

BESIDE, ACROSS = 1 / 6, 1 / 12  # the paper's weights
NEIGHBOURS = [(y, x, ACROSS if y and x else BESIDE) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]
NOISE = 0.01  # standard deviation, in the network's scale of −1 to 1
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the pixels that are removed
KNOWN, OUTSIDE = -1, -2


def imputed(image: Values, missing: Places) -> Values:
    """The image (C, H, W) with its missing pixels solved for, without noise.

    Raises:
        InputError: No pixel is left to start from.
    """
    if missing.all():
        raise InputError("an image of which every pixel is missing cannot be filled: keep one")
    count, (height, width) = int(missing.sum()), missing.shape
    numbers = np.full(missing.shape, KNOWN)
    numbers[missing] = np.arange(count)
    around = np.pad(numbers, 1, constant_values=OUTSIDE)
    values = np.pad(np.where(missing, 0.0, image), ((0, 0), (1, 1), (1, 1)))
    diagonal, right = np.zeros(count), np.zeros((count, len(image)))
    rows, columns, entries = [np.arange(count)], [np.arange(count)], [diagonal]
    for y, x, weight in NEIGHBOURS:
        window = slice(1 + y, 1 + y + height), slice(1 + x, 1 + x + width)
        neighbour = around[window][missing]
        diagonal += weight * (neighbour != OUTSIDE)
        right += weight * values[:, *window][:, missing].T
        unknown = np.flatnonzero(neighbour >= 0)
        rows.append(unknown)
        columns.append(neighbour[unknown])
        entries.append(np.full(len(unknown), -weight))
    places = np.concatenate(rows), np.concatenate(columns)
    matrix = coo_array((np.concatenate(entries), places), (count, count)).tocsc()
    filled = np.array(image, np.float64)
    # symmetric and positive definite: no pivoting is needed, and this order of elimination suits a grid
    solver = splu(matrix, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    filled[:, missing] = solver.solve(right).T
    return filled


def without(image: Tensor, missing: Places, random: np.random.Generator) -> Tensor:
    """The image (3, H, W) with its missing pixels filled by linear imputation and noise."""
    filled = imputed(image.double().cpu().numpy(), missing)
    filled[:, missing] += random.normal(0, NOISE, (len(filled), int(missing.sum())))
    return torch.from_numpy(filled).to(image)


def road(score: Score, image: Tensor, order: Order, seed: int) -> tuple[float, float]:
    """Mean score over SHARES with the most relevant pixels removed, and with the least relevant removed.

    The second minus the first is the better the larger it is; a map that means nothing has about 0.

    Args:
        score: What is asked for.
        image: (3, H, W).
        order: Of relevance.
        seed: Of the noise.
    """
    random, shape = np.random.default_rng(seed), image.shape[1:]
    most = [leading(order, share, shape) for share in SHARES]
    least = [leading(order[::-1], share, shape) for share in SHARES]
    values = score(torch.stack([without(image, missing, random) for missing in (*most, *least)]))
    return float(values[: len(SHARES)].mean()), float(values[len(SHARES) :].mean())
