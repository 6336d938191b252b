"""Is this image like those the network was trained on? Scores of novelty, higher is stranger."""

from transxv2s.trust.novelty.score import Kind, NoveltyScore
from transxv2s.trust.novelty.scores import (
    SCORES,
    Energy,
    Mahalanobis,
    Neighbours,
    Softmax,
)
from transxv2s.trust.novelty.stored import NOVELTY_FILE, Novelty, fit_threshold, from_bytes, to_bytes

__all__ = [
    "NOVELTY_FILE",
    "SCORES",
    "Energy",
    "Kind",
    "Mahalanobis",
    "Neighbours",
    "Novelty",
    "NoveltyScore",
    "Softmax",
    "fit_threshold",
    "from_bytes",
    "to_bytes",
]
