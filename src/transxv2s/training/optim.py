"""Optimisers and schedules of a recipe."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from transxv2s.training.recipe import Network, Optimizer, Recipe

START = 1 / 25  # of the peak rate
XCEPTION = "xceptmod.trunk."
TRUNKS = ("effswin.trunk.", XCEPTION, "trunk.")  # the last is that of baselines


def pretrained_parts(options: Network) -> tuple[str, ...]:
    """How the names of those parameters begin that do not start from scratch."""
    if options.checkpoint:
        return ("",)
    if options.pretrained:
        return TRUNKS
    return (XCEPTION,) if options.xception_weights else ()


def pretrained(network: nn.Module, options: Network) -> set[str]:
    """Names of the parameters that were loaded; the last linear layer counts as fresh, its classes may be."""
    *_, head = (name for name, module in network.named_modules() if isinstance(module, nn.Linear))
    names = (name for name, _ in network.named_parameters() if not name.startswith(f"{head}."))
    return {name for name in names if name.startswith(pretrained_parts(options))}


def rate_factor(name: str, loaded: set[str], options: Optimizer) -> float:
    """Share of the learning rate at which a parameter learns."""
    dcgan = options.dcgan_factor if name.startswith("xceptmod.dcgan.") else 1.0
    return dcgan * (options.pretrained_factor if name in loaded else 1.0)


def parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """DCGAN and what was loaded have their own rates; biases, norms and fusion weights do not decay.

    Among the biases is Swin's table of them, which is of two dimensions.
    """
    options, loaded = recipe.optimizer, pretrained(network, recipe.network)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        key = rate_factor(name, loaded, options), parameter.ndim > 1 and not name.endswith("bias")
        groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": options.learning_rate * factor,
            "weight_decay": options.weight_decay if decays else 0.0,
        }
        for (factor, decays), parameters in groups.items()
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
