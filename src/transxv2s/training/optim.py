"""Optimisers and schedules of a recipe."""

from typing import Any

import torch
from torch import nn

from transxv2s.training.recipe import Recipe


def parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """DCGAN modules learn at a fraction of the rate; biases, norms and fusion weights do not decay."""
    options = recipe.optimizer
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((".dcgan." in f".{name}", parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": options.learning_rate * (options.dcgan_factor if dcgan else 1),
            "weight_decay": options.weight_decay if decays else 0.0,
        }
        for (dcgan, decays), parameters in groups.items()
    ]


def configure(network: nn.Module, recipe: Recipe, steps: int) -> dict[str, Any]:
    """Optimiser and schedule in the form that Lightning takes; `steps` is the length of the whole run."""
    groups = parameter_groups(network, recipe)
    optimizer: torch.optim.Optimizer
    if recipe.optimizer.name == "adamax":
        optimizer = torch.optim.Adamax(groups)
    else:
        optimizer = torch.optim.AdamW(groups, fused=True)
    return {"optimizer": optimizer, "lr_scheduler": _schedule(optimizer, recipe, steps)}


def _schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> dict[str, Any]:
    schedule = recipe.schedule
    if schedule.name == "plateau":
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=schedule.factor, patience=schedule.patience
        )
        return {"scheduler": plateau, "monitor": "validation/loss"}
    rates = [group["lr"] for group in optimizer.param_groups]
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, total_steps=steps, pct_start=schedule.warmup, cycle_momentum=False
    )
    return {"scheduler": cycle, "interval": "step"}
