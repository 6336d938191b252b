"""Optimisers and schedules of a recipe."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from transxv2s.training.recipe import Recipe

START = 1 / 25  # of the peak rate


def parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """DCGAN modules learn at a fraction of the rate; biases, norms and fusion weights do not decay."""
    options = recipe.optimizer
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((name.startswith("xceptmod.dcgan."), parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": options.learning_rate * (options.dcgan_factor if dcgan else 1),
            "weight_decay": options.weight_decay if decays else 0.0,
        }
        for (dcgan, decays), parameters in groups.items()
    ]


def one_cycle(progress: float, warmup: float) -> float:
    """Share of the peak rate: a cosine from 1/25 up to 1, then one down to 0 (Smith & Topin 2019).

    Args:
        progress: How much of the run is done, 0..1.
        warmup: Share of the run in which the rate rises.
    """
    if progress < warmup:
        return START + (1 - START) * (1 - math.cos(math.pi * progress / warmup)) / 2
    return (1 + math.cos(math.pi * (min(progress, 1) - warmup) / (1 - warmup))) / 2


def configure(network: nn.Module, recipe: Recipe, progress: Callable[[], float]) -> dict[str, Any]:
    """Optimiser and schedule in the form that Lightning takes; `progress` tells the done share of the run."""
    groups = parameter_groups(network, recipe)
    optimizer: torch.optim.Optimizer
    if recipe.optimizer.name == "adamax":
        optimizer = torch.optim.Adamax(groups)
    else:
        optimizer = torch.optim.AdamW(groups, fused=True)
    return {"optimizer": optimizer, "lr_scheduler": _schedule(optimizer, recipe, progress)}


def _schedule(
    optimizer: torch.optim.Optimizer, recipe: Recipe, progress: Callable[[], float]
) -> dict[str, Any]:
    schedule = recipe.schedule
    if schedule.name == "plateau":
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=schedule.factor, patience=schedule.patience
        )
        return {"scheduler": plateau, "monitor": "validation/loss"}
    cycle = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: one_cycle(progress(), schedule.warmup))
    return {"scheduler": cycle, "interval": "step"}
