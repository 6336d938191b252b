"""The fusion against explicit sums, and which weights each variant has."""

import pytest
import torch
from networks import NAMES, shared
from torch import Tensor

from transxv2s.nets.fusion import Fusion, Projection

WIDTHS = [{"effnet": 7, "swin": 3}, {"xception": 5, "dcgan": 4}]
OUTER = {"theta": 0.6, "eta": 0.4}
INNER = {"alpha": 0.5, "beta": 0.5, "gamma": 0.5, "delta": 0.5}
WEIGHTS = [{}, {"alpha": 0.5, "beta": 0.5}, {"alpha": 0.5, "beta": 0.5} | OUTER, INNER | OUTER]


def features() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {term: torch.randn(2, n) for branch in WIDTHS for term, n in branch.items()}


def normalised(fusion: Fusion, term: str, value: Tensor) -> Tensor:
    """Projection to the common width, then mean 0 and deviation 1 of each row."""
    projection = fusion.projections[term]
    assert isinstance(projection, Projection)
    out = projection.linear(value)
    mean, variance = out.mean(1, keepdim=True), out.var(1, correction=0, keepdim=True)
    normal: Tensor = (out - mean) / (variance + 1e-5).sqrt()
    return normal


@torch.no_grad()
def test_formula() -> None:
    fusion, f = Fusion(WIDTHS, width=16), features()
    a, b, c, d, t, e = 0.3, -0.7, 1.1, 0.2, 0.9, -0.4
    for name, value in zip(
        ("alpha", "beta", "gamma", "delta", "theta", "eta"), (a, b, c, d, t, e), strict=True
    ):
        fusion.weights[name].fill_(value)
    n = {term: normalised(fusion, term, value) for term, value in f.items()}
    expected = t * (a * n["effnet"] + b * n["swin"]) + e * (c * n["xception"] + d * n["dcgan"])
    torch.testing.assert_close(fusion(f), expected)


@torch.no_grad()
def test_a_single_term_of_a_branch_has_no_weight() -> None:
    fusion, f = Fusion([WIDTHS[0], {"xception": 5}], width=16), features()
    n = {term: normalised(fusion, term, f[term]) for term in ("effnet", "swin", "xception")}
    expected = 0.6 * (0.5 * n["effnet"] + 0.5 * n["swin"]) + 0.4 * n["xception"]
    torch.testing.assert_close(fusion(f), expected)


@pytest.mark.parametrize(("variant", "weights"), list(zip(NAMES, WEIGHTS, strict=True)))
def test_weights_of_the_variants_start_as_designed(variant: str, weights: dict[str, float]) -> None:
    assert shared(variant).fusion_weights() == pytest.approx(weights)
