"""Learned fusion of the branches: F = θ·(α·f_EffNet + β·f_Swin) + η·(γ·f_Xception + δ·f_DCGAN)."""

import torch
from torch import Tensor, nn

TERM_WEIGHTS = {"effnet": "alpha", "swin": "beta", "xception": "gamma", "dcgan": "delta"}
START = {"alpha": 0.5, "beta": 0.5, "gamma": 0.5, "delta": 0.5, "theta": 0.6, "eta": 0.4}


class Projection(nn.Module):
    """Linear map to the common width, normalised without affine terms so that fusion weights compare."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, features) to (B, width), each row of mean 0 and deviation 1."""
        out: Tensor = self.norm(self.linear(features))
        return out


class Fusion(nn.Module):
    """Weighted sum of projected terms, by branch and then over branches.

    A weight exists only where there is something to weigh: not inside a branch of one term, and not over a
    single branch.

    Args:
        branches: For each branch its terms and their feature widths.
        width: Common width of the projected features.
    """

    def __init__(self, branches: list[dict[str, int]], width: int = 512) -> None:
        super().__init__()
        widths = {term: features for branch in branches for term, features in branch.items()}
        self.projections = nn.ModuleDict({t: Projection(n, width) for t, n in widths.items()})
        self.branches = [tuple(branch) for branch in branches]
        weights = [TERM_WEIGHTS[t] for branch in branches if len(branch) > 1 for t in branch]
        weights += ["theta", "eta"] if len(branches) > 1 else []
        self.weights = nn.ParameterDict({name: nn.Parameter(torch.tensor(START[name])) for name in weights})

    def _weighted(self, name: str, value: Tensor) -> Tensor:
        return value * self.weights[name] if name in self.weights else value

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """Pooled features (B, n) by term to F_Ensemble (B, width)."""
        fused = []
        for outer, terms in zip(("theta", "eta"), self.branches, strict=False):
            projected = [self._weighted(TERM_WEIGHTS[t], self.projections[t](features[t])) for t in terms]
            fused.append(self._weighted(outer, torch.stack(projected).sum(0)))
        return torch.stack(fused).sum(0)
