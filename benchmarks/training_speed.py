"""How fast does the whole network train, beside a plain float32 loop and beside what the processor can do?

Three rows of one process, their steps taken in turn: the plain loop (float32, default layout, PyTorch's own
AdamW), the training step of a recipe (its loss, mixing, optimiser, clipping and averaging, by the functions
of `transxv2s train`, in bfloat16 autocast where the processor has it), and the ceiling: the floating-point
operations of a step (counted, forward and backward) at the rate of a matrix product in the same precision.
Images are random and of full size; reading and augmenting them is not in it (benchmarks/loader.py), nor is
what Lightning does around a step.

    python benchmarks/training_speed.py --out experiments/training_speed.json
"""

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from transxv2s.hardware import computes_in_bfloat16, quick
from transxv2s.nets import create
from transxv2s.taxonomy import ISIC2019
from transxv2s.training.callbacks import Stopwatch
from transxv2s.training.recipe import Recipe, load_recipe
from transxv2s.training.task import LesionTask

Step = Callable[[], object]
PLAIN = "plain float32 loop"
TRAINING = "training step, without Lightning around it"
PRODUCT = 4096  # side of the matrices of the ceiling
CEILING = "ceiling: matrix product"


def plain_step(network: nn.Module, pixels: Tensor, labels: Tensor) -> Step:
    """One step as one would write it first."""
    images = pixels / 255 * 2 - 1
    optimizer = torch.optim.AdamW(network.parameters())

    def step() -> None:
        loss = F.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def training_step(network: nn.Module, recipe: Recipe, pixels: Tensor, labels: Tensor) -> Step:
    """One step of a recipe, in the order in which Lightning takes its parts."""
    task = LesionTask(network, recipe, torch.bincount(labels, minlength=len(ISIC2019)), Stopwatch()).train()
    warnings.filterwarnings("ignore", "You are trying to `self.log")  # there is no trainer to log to
    optimizer = task.configure_optimizers()["optimizer"]
    numbers = count(1)

    def step() -> None:
        with quick(pixels.device):
            loss = task.training_step((pixels, labels), 0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        task.configure_gradient_clipping()
        optimizer.step()
        if task.average is not None:
            task.average.after(next(numbers), task.network)

    return step


def loaded(options: argparse.Namespace) -> Recipe:
    """The recipe at full image size; with a time budget, of which nothing is spent outside a run."""
    return load_recipe(options.config, ["small_share=0.0", "minutes=1"])


def seconds(step: Step) -> float:
    """Of one call."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def operations(step: Step) -> int:
    """Floating-point operations of a step, two for a multiplication with addition."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def product() -> float:
    """Floating-point operations a second of a matrix product, in bfloat16 where the processor has it."""
    dtype = torch.bfloat16 if computes_in_bfloat16(torch.device("cpu")) else torch.float32
    a, b = (torch.randn(PRODUCT, PRODUCT, dtype=dtype) for _ in range(2))
    a @ b
    return 2 * PRODUCT**3 / min(seconds(lambda: a @ b) for _ in range(5))


def measure(options: argparse.Namespace) -> dict[str, list[float]]:
    """Images a second of each row in each round."""
    torch.manual_seed(0)
    pixels = torch.randint(256, (options.batch, 3, options.size, options.size), dtype=torch.uint8)
    labels = torch.randint(len(ISIC2019), (options.batch,))
    recipe = loaded(options)
    first, second = (
        create(options.variant, drop_path=drop).train() for drop in (0.0, recipe.network.drop_path)
    )
    loops = {
        PLAIN: plain_step(first, pixels, labels),
        TRAINING: training_step(second, recipe, pixels, labels),
    }
    counted = [operations(step) for step in loops.values()]  # both, as it warms them up
    work = counted[0] / options.batch
    found: dict[str, list[float]] = {name: [] for name in (*loops, CEILING)}
    for _ in track(range(options.rounds), "rounds", transient=True):
        for name, step in loops.items():
            found[name].append(options.batch / seconds(step))
        found[CEILING].append(product() / work)
    return found


def show(found: dict[str, list[float]]) -> tuple[Table, list[dict[str, object]]]:
    """The table and the rows of the JSON file; ratios are medians over the rounds."""
    table = Table(title="Training steps")
    for heading in ("", "images/s", "× plain float32", "share of the ceiling"):
        table.add_column(heading)
    rows: list[dict[str, object]] = []
    plain, ceiling = found[PLAIN], found[CEILING]
    for name, rates in found.items():
        to_plain, to_ceiling = (
            statistics.median(a / b for a, b in zip(rates, of, strict=True)) for of in (plain, ceiling)
        )
        rate = statistics.median(rates)
        table.add_row(name, f"{rate:.1f}", f"{to_plain:.2f}", f"{to_ceiling:.0%}")
        rows.append(
            {
                "name": name,
                "images_per_second": round(rate, 2),
                "ratio_to_plain_float32": round(to_plain, 3),
                "share_of_ceiling": round(to_ceiling, 3),
            }
        )
    return table, rows


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("configs/modern.yaml"), help="recipe")
    parser.add_argument("--variant", default="transxv2s_net")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    table, rows = show(measure(options))
    Console().print(table)
    if options.out:
        machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
        protocol = {
            "config": str(options.config),
            "variant": options.variant,
            "size": options.size,
            "batch": options.batch,
        }
        options.out.write_text(json.dumps({"machine": machine, **protocol, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
