"""Colour normalisation: GWSD of the article and its peers, all with one method `apply`."""

from transxv2s.imaging.colour.filters import CLAHE, Wiener
from transxv2s.imaging.colour.gwsd import GWSD, estimate_targets, gwsd
from transxv2s.imaging.colour.illuminant import GrayWorld, MaxRGB, ShadesOfGray
from transxv2s.imaging.colour.methods import METHODS, Colour, by_method

__all__ = [
    "CLAHE",
    "GWSD",
    "METHODS",
    "Colour",
    "GrayWorld",
    "MaxRGB",
    "ShadesOfGray",
    "Wiener",
    "by_method",
    "estimate_targets",
    "gwsd",
]
