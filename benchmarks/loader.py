"""Does reading the store ever starve training? Images a second of the loader and of the network's step.

The loader is the recipe's own: prepared images, its augmentation, its batch size, in one process and in
workers. The step is forward, backward and optimiser of the full network in bfloat16 on the same machine, one
after the other. What the parts of the augmentation cost is told in milliseconds an image on one core.

    python benchmarks/loader.py --config configs/first.yaml --out experiments/loader.json
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, RandomSampler

from transxv2s.datasets import ham10000, isic2019, store
from transxv2s.datasets.records import with_larger_files
from transxv2s.hardware import quick
from transxv2s.imaging.pipeline import MEAN, STD
from transxv2s.nets import create
from transxv2s.training import augment, optim
from transxv2s.training.data import PreparedImages
from transxv2s.training.recipe import Recipe, load_recipe

TARGET = 10  # times as fast as the step
REPEATS = 3
SECONDS = 0.5  # of repetition for each part of the augmentation


@dataclass(frozen=True)
class Row:
    """A loader's rate, the median of some passes; without workers it runs in the training process."""

    augmented: bool
    workers: int
    images_per_second: float


def prepared(recipe: Recipe, count: int) -> PreparedImages:
    """Evenly spaced images of the recipe's data set, from its store."""
    records = isic2019.read(recipe.data.root).records
    files = ham10000.files(recipe.data.ham10000) if recipe.data.ham10000 else {}
    chosen = with_larger_files(records[:: max(1, len(records) // count)][:count], files)
    images = store.prepare(chosen, recipe.preprocessing, recipe.data.store)
    change = augment.build(recipe.augmentation, recipe.preprocessing.size)
    return PreparedImages(images, [record.label for record in chosen], change)


def loader_rate(images: PreparedImages, batch: int, workers: int) -> float:
    """Images a second from the arrival of the first batch on, shuffled as in training."""
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(
        images,
        batch,
        sampler=RandomSampler(images, generator=generator),
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    rates = []
    for _ in range(REPEATS):
        batches = iter(loader)
        for _ in islice(batches, 1 + 2 * workers):  # what workers fetch ahead while they start
            pass
        start = time.perf_counter()
        count = sum(len(labels) for _, labels in batches)
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


def step_rate(images: PreparedImages, recipe: Recipe, steps: int) -> float:
    """Images a second of one training step, the median of some after one to warm up."""
    torch.manual_seed(0)
    network = create(recipe.network.variant, drop_rate=recipe.network.dropout)
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(optim.parameter_groups(network, recipe))
    x, labels = next(iter(DataLoader(images, recipe.batch_size, shuffle=True)))
    seconds = []
    for _ in range(1 + steps):
        start = time.perf_counter()
        scaled = ((x.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        with quick(torch.device("cpu")):
            logits = network(scaled)
        torch.autograd.backward(F.cross_entropy(logits.float(), labels))
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    return recipe.batch_size / statistics.median(seconds[1:])


def milliseconds(work: Callable[[], object]) -> float:
    """Of one call, the mean over half a second."""
    work()
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < SECONDS:
        work()
        count += 1
    return 1000 * spent / count


def costs(images: PreparedImages) -> dict[str, float]:
    """Milliseconds an image, on one core as in a worker: reading, and each part of the augmentation."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    plain = PreparedImages(images.images, images.labels)
    found = {"reading": milliseconds(lambda: plain[int(torch.randint(len(plain), ()))])}
    x, _ = plain[0]
    parts = images.transform.children() if isinstance(images.transform, nn.Sequential) else ()
    for part in parts:
        found[type(part).__name__] = milliseconds(lambda part=part: part(x))  # type: ignore[misc]
    torch.set_num_threads(threads)
    return found


def tables(rows: list[Row], step: float, cost: dict[str, float], title: str) -> list[Table]:
    """Rates beside that of the step, and costs, for people."""
    rates = Table("images from", "workers", "images/s", "× step", title=title)
    rates.add_row("training step", "", f"{step:.1f}", "1")
    for row in rows:
        name = "loader" if row.augmented else "loader, no augmentation"
        ratio = row.images_per_second / step
        rates.add_row(name, str(row.workers), f"{row.images_per_second:,.0f}", f"{ratio:,.0f}")
    parts = Table("part", "ms an image", title="on one core")
    for name, value in cost.items():
        parts.add_row(name, f"{value:.3f}")
    return [rates, parts]


def main() -> None:
    """Prints two tables and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.config, arguments.set)
    images = prepared(recipe, arguments.images)
    plain = PreparedImages(images.images, images.labels)
    step = step_rate(images, recipe, arguments.steps)
    rows = [Row(False, 0, loader_rate(plain, recipe.batch_size, 0))]
    rows += [Row(True, n, loader_rate(images, recipe.batch_size, n)) for n in arguments.workers]
    cost = costs(images)
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}"
    )
    side = recipe.preprocessing.size
    setting = f"{recipe.network.variant}, {side}×{side}, batch {recipe.batch_size}, bfloat16, seed 0"
    for table in tables(rows, step, cost, f"{setting} ({machine})"):
        Console().print(table)
    slowest = min(row.images_per_second for row in rows if row.augmented) / step
    Console().print(f"the slowest loader is {slowest:.1f} × as fast as the step; the target is {TARGET}")
    if arguments.out:
        content = {
            "setting": setting,
            "machine": machine,
            "augmentation": recipe.augmentation.model_dump(),
            "images": len(images),
            "step_images_per_second": step,
            "loaders": [asdict(row) | {"times_step": row.images_per_second / step} for row in rows],
            "milliseconds_an_image": cost,
            "target": TARGET,
            "slowest_times_step": slowest,
        }
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
