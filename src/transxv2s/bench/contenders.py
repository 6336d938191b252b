"""What is measured side by side: our engines, networks of timm of like cost, and the machine's own limit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import nn

from transxv2s import engines
from transxv2s.bench.work import PRODUCT, matrix_product, operations
from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.eager import Plain, on_device, to_numpy
from transxv2s.engines.engine import COMPILING, ENGINES, FILE_SUFFIXES, Engine, Squares, parse
from transxv2s.errors import TransXV2SError

Role = Literal["reference", "engine", "baseline", "ceiling"]

TRUNKS = "tf_efficientnetv2_s + legacy_xception"  # our two trunks with nothing between them
BASELINES = (TRUNKS, "convnext_tiny", "swin_tiny_patch4_window7_224")
CEILING = "matrix product"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Contender:
    """Something to measure.

    Attributes:
        role: What it is among the others; the reference is our network as trained, in float32.
        name: Of the engine, or of the network of timm.
        precision: In which it computes.
        run: A batch of squares uint8 (B, S, S, 3) through it.
        engine: The engine, where it is one of ours.
    """

    role: Role
    name: str
    precision: str
    run: Callable[[Squares], object]
    engine: Engine | None = None


def our_engines(
    checkpoint: Checkpoint, names: Sequence[str], device: torch.device
) -> tuple[list[Contender], dict[str, str]]:
    """Those of our engines that can be used here, the reference first; and of the others, why not.

    Each answers an image: what compiles does so then, and may fail in as many ways as there are compilers.
    """
    found, missing = [], {}
    size = checkpoint.config.preprocessing.size
    for name in dict.fromkeys([engines.REFERENCE, *names]):
        try:
            engine = engines.load(name, checkpoint, device)
            engine.run(np.zeros((1, size, size, 3), np.uint8))
        except TransXV2SError as error:
            missing[name] = str(error)
            continue
        except Exception as error:
            missing[name] = f"it failed at its first image ({type(error).__name__}: {error})"
            continue
        role: Role = "reference" if name == engines.REFERENCE else "engine"
        found.append(Contender(role, engine.name, engine.precision, engine.run, engine))
    return found, missing


def default_names() -> list[str]:
    """All engines but those that compile, which takes minutes for every size of batch."""
    return [name for name, chosen in ENGINES.items() if chosen.kind not in COMPILING]


def baselines(classes: int, size: int, device: torch.device, precision: str) -> list[Contender]:
    """Networks of timm with random weights, in PyTorch, channels-last."""
    return [
        Contender(
            "baseline", name, precision, _in_torch(_network(name, classes, size), DTYPES[precision], device)
        )
        for name in BASELINES
    ]


def ceilings(device: torch.device, precisions: Sequence[str]) -> list[Contender]:
    """Products of large matrices."""
    return [
        Contender("ceiling", CEILING, one, _ignoring(matrix_product(DTYPES[one], device)))
        for one in precisions
    ]


def products_an_image(checkpoint: Checkpoint) -> float:
    """How many matrix products of the ceiling are as much arithmetic as one image."""
    size = checkpoint.config.preprocessing.size
    network = Plain(checkpoint.model)
    device = next(network.parameters()).device
    image = on_device(np.zeros((1, size, size, 3), np.uint8), device)
    return operations(lambda: network(image)) / PRODUCT


def bytes_of(checkpoint: Checkpoint, name: str) -> int:
    """Size on disk of what an engine loads."""
    from transxv2s.engines.store import file_of

    chosen = parse(name)
    if chosen.kind in FILE_SUFFIXES:
        path = file_of(checkpoint, chosen)
        files = [path, path.with_suffix(".bin")]
    else:
        files = [(checkpoint.directory or Path()) / weights for weights in checkpoint.config.weights]
    return sum(file.stat().st_size for file in files if file.exists())


class Side(nn.Module):
    """Two networks on the same image; their logits are added."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) to (B, K)."""
        out: torch.Tensor = self.first(x) + self.second(x)
        return out


def _network(name: str, classes: int, size: int) -> nn.Module:
    if name == TRUNKS:
        first, second = (timm.create_model(part, num_classes=classes) for part in name.split(" + "))
        return Side(first, second)
    options: dict[str, Any] = {"img_size": size} if name.startswith("swin") else {}
    return timm.create_model(name, num_classes=classes, **options)


def _in_torch(network: nn.Module, dtype: torch.dtype, device: torch.device) -> Callable[[Squares], object]:
    ready: Any = network.eval().to(device, dtype).to(memory_format=torch.channels_last)

    def run(squares: Squares) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits = ready(on_device(squares, device).to(dtype))
        return to_numpy(logits, logits)[0]

    return run


def _ignoring(run: Callable[[], object]) -> Callable[[Squares], object]:
    return lambda _: run()
