"""One device or many: what Lightning is told of them, and what has to be put together again after them."""

from typing import Any, Literal

import lightning
import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from torch import Tensor
from torch.utils.data import DataLoader

from transxv2s import hardware
from transxv2s.training.recipe import Hardware, Recipe


def is_first() -> bool:
    """Whether this process is the one that writes files and talks; known before Lightning has started."""
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]


def options(hardware: Hardware) -> dict[str, Any]:
    """Arguments of the Trainer."""
    return {
        "accelerator": hardware.accelerator,
        "devices": hardware.devices,
        "num_nodes": hardware.nodes,
        "strategy": hardware.strategy,
        "sync_batchnorm": hardware.sync_batchnorm,
        "accumulate_grad_batches": hardware.accumulate,
        "use_distributed_sampler": False,  # our batches are shared out already
    }


def precision(recipe: Recipe) -> Literal["32-true", "bf16-mixed"]:
    """That of a recipe, or what "auto" means here."""
    if recipe.precision != "auto":
        return recipe.precision
    on_gpu = recipe.hardware.accelerator in ("auto", "gpu") and torch.cuda.is_available()
    able = hardware.computes_in_bfloat16(torch.device("cuda" if on_gpu else "cpu"))
    return "bf16-mixed" if able else "32-true"


def predictions(
    trainer: lightning.Trainer, task: lightning.LightningModule, loader: DataLoader[Any], checkpoint: str
) -> Tensor:
    """What `predict_step` gives of all images, on every device; each works on its share, in their order."""
    batches: Any = trainer.predict(task, loader, ckpt_path=checkpoint)
    own = torch.cat(batches).cpu()
    if trainer.world_size == 1:
        return own
    shares: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(shares, own)
    return torch.cat(shares)
