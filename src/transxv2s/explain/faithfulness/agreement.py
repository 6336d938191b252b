"""Do two maps say the same?"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import rankdata  # type: ignore[import-untyped]
from torchmetrics.functional.image import structural_similarity_index_measure

from transxv2s.explain.faithfulness.perturbation import Map, Values


def rank_correlations(maps: Sequence[Map]) -> Values:
    """Spearman's between the pixels of each two of M maps, −1..1: (M, M).

    NaN for a flat map, which puts no pixel before another and so neither agrees nor disagrees.
    """
    ranks = rankdata([values.ravel() for values in maps], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.corrcoef(ranks))


def flat(values: Map) -> bool:
    """Whether a map is the same everywhere."""
    return bool(values.min() == values.max())


def structural_similarity(first: Map, second: Map) -> float:
    """SSIM (Wang et al. 2004) of two maps between 0 and 1: at most 1, for equal maps."""
    one, other = (torch.from_numpy(values)[None, None] for values in (first, second))
    similarity = structural_similarity_index_measure(one, other, data_range=1.0)
    return float(torch.as_tensor(similarity))
