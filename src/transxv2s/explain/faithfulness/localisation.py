"""Does a map lie on the lesion, or on its edge? Against a mask drawn by people.

This asks whether a map looks plausible, not whether it is true to the network: a network may well look beside
the lesion.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.explain.faithfulness.perturbation import Map, Places

BAND = 0.05  # of the shorter side, on either side of the edge


def _share(values: Map, places: Places) -> float:
    """Of the map's mass; NaN where there is none."""
    total = float(values.sum(dtype=np.float64))
    return float(values[places].sum(dtype=np.float64)) / total if total > 0 else math.nan


def relevance_mass(values: Map, mask: Places) -> float:
    """Share of the map (H, W), ≥ 0, that lies within the mask; NaN for an empty map or an empty mask.

    A uniform map has the mask's own share of the area.
    """
    return _share(values, mask) if mask.any() else math.nan


def pointing_game(values: Map, mask: Places) -> float:
    """1 if the map's largest value lies within the mask, else 0 (Zhang et al. 2018, without tolerance).

    Of several largest values, the share that lies within; NaN for an empty mask.
    """
    return float(mask[values == values.max()].mean()) if mask.any() else math.nan


def edge_band(mask: Places, width: float = BAND) -> Places:
    """Pixels at most a width from the mask's edge, within or without; the image's border is no edge.

    Args:
        mask: (H, W).
        width: In shares of the shorter side.
    """
    if mask.all() or not mask.any():
        return np.zeros_like(mask)
    reach = width * min(mask.shape)
    return np.asarray((_distance(mask) <= reach) & (_distance(~mask) <= reach))


def _distance(places: Places) -> NDArray[np.float32]:
    """Of each pixel there to the nearest one that is not; 0 elsewhere."""
    return np.asarray(cv2.distanceTransform(places.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def band_concentration(values: Map, mask: Places, width: float = BAND) -> float:
    """Share of the map in the edge's band over the band's share of the area: 1 for a uniform map.

    NaN for an empty map, or a mask that has no edge.
    """
    band = edge_band(mask, width)
    return _share(values, band) / float(band.mean()) if band.any() else math.nan
