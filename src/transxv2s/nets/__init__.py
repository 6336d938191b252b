"""TransXV2S-Net, its parts and its variants. Importing this registers the variants with timm."""

from transxv2s.nets.baselines import Baseline, check_variant, network
from transxv2s.nets.transxv2s import VARIANTS, TransXV2SNet, count_parameters, create
from transxv2s.nets.weights import load_trunk

__all__ = [
    "VARIANTS",
    "Baseline",
    "TransXV2SNet",
    "check_variant",
    "count_parameters",
    "create",
    "load_trunk",
    "network",
]
