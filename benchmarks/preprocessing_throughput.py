"""How many images a second does preprocessing take, from JPEG to tensor, and which step takes how long?

UDA-1 images (real hair, real circles) are brought to the wanted sizes and encoded as JPEG of quality 90.
Steps are timed one after the other on one core, and must come to what `Preprocessing.apply` gives. Throughput
is that of a pool over all cores: processes as `preprocess` runs them, threads as `predict` does. Other work
on the machine only makes things slower: the fastest of several rounds counts, and beside it stands what
the CPU time used would give on free cores.

    python benchmarks/preprocessing_throughput.py --uda1 .data/uda1 --figure throughput.png
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from transxv2s.imaging.crop import Box, central, cut, field_of_view
from transxv2s.imaging.decode import decode
from transxv2s.imaging.hair import remove_hair
from transxv2s.imaging.pipeline import ARTICLE, bounded, resize, to_tensor

Rgb: TypeAlias = NDArray[np.uint8]
Pool: TypeAlias = Literal["processes", "threads"]

TARGET = 143  # images/s at the first size: what the article's network takes
QUALITY = 90
CHUNK = 16
SECONDS = 6.0  # of rounds for each measurement of throughput
ROUNDS = 5  # of the steps, after one that warms up
PREPROCESSING = ARTICLE  # all steps


def encoded(folder: Path, width: int, height: int, number: int) -> list[bytes]:
    """So many UDA-1 images, evenly spread, as JPEG files of one size."""
    files = sorted((folder / "images").iterdir())
    chosen = [files[i] for i in np.linspace(0, len(files) - 1, number).astype(int)]
    pictures = [cv2.cvtColor(resize(decode(file), height, width), cv2.COLOR_RGB2BGR) for file in chosen]
    return [cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes() for p in pictures]


def look(rgb: Rgb) -> tuple[Rgb, Box | None]:
    """Finds the field of view."""
    return rgb, field_of_view(rgb) if PREPROCESSING.field_of_view else None


def clean(found: tuple[Rgb, Box | None]) -> tuple[Rgb, Box | None]:
    """Removes hair."""
    rgb, box = found
    return remove_hair(rgb, PREPROCESSING.hair_removal) if PREPROCESSING.hair_removal else rgb, box


def crop(found: tuple[Rgb, Box | None]) -> Rgb:
    """Cuts to the field of view and to the central fraction."""
    rgb, box = found
    return central(cut(rgb, box) if box else rgb, PREPROCESSING.crop_fraction)


def steps() -> dict[str, Callable[[Any], Any]]:
    """The default pipeline, step by step."""
    colour, size = PREPROCESSING.colour, PREPROCESSING.size
    return {
        "decode": decode,
        "bound": bounded,
        "field of view": look,
        "hair": clean,
        "crop": crop,
        "colour": colour.apply if colour else (lambda rgb: rgb),
        "resize": lambda rgb: resize(rgb, size, size),
        "to tensor": to_tensor,
    }


def timed_steps(content: bytes) -> dict[str, float]:
    """Milliseconds of each step on one image."""
    value: Any = content
    times = {}
    for name, step in steps().items():
        start = time.perf_counter()
        value = step(value)
        times[name] = 1000 * (time.perf_counter() - start)
    assert torch.equal(value, whole(content)), "the steps timed here are no longer those of the pipeline"
    return times


def whole(content: bytes) -> torch.Tensor:
    """All of it."""
    return to_tensor(PREPROCESSING.apply(decode(content)))


def plain(content: bytes) -> torch.Tensor:
    """The reference: no preprocessing but the size."""
    return to_tensor(resize(decode(content), PREPROCESSING.size, PREPROCESSING.size))


def alone() -> None:
    """In a worker or for the steps: one core for one image."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _seconds(job: Callable[[bytes], torch.Tensor], contents: Sequence[bytes]) -> float:
    """Works on some images and gives the CPU time used."""
    start = time.thread_time()
    for content in contents:
        job(content)
    return time.thread_time() - start


def images_per_second(
    job: Callable[[bytes], torch.Tensor], contents: Sequence[bytes], pool: Pool
) -> tuple[float, float]:
    """Throughput on all cores, once the workers are up: in the fastest round, and by CPU time."""
    chunks = [contents[i : i + CHUNK] for i in range(0, len(contents), CHUNK)]
    cores = os.cpu_count() or 1
    executor: Executor = ProcessPoolExecutor(cores, initializer=alone)
    if pool == "threads":
        executor = ThreadPoolExecutor(cores)
    walls: list[float] = []
    busy: list[float] = []
    with executor:
        list(executor.map(partial(_seconds, job), chunks))
        while sum(walls) < SECONDS:
            start = time.perf_counter()
            busy.append(sum(executor.map(partial(_seconds, job), chunks)))
            walls.append(time.perf_counter() - start)
    return len(contents) / min(walls), cores * len(contents) / statistics.median(busy)


def measure(contents: Sequence[bytes], size: str) -> dict[str, Any]:
    """Steps and throughput of one size."""
    rounds = [
        [timed_steps(content) for content in contents]
        for _ in track(range(ROUNDS + 1), f"steps at {size}", transient=True)
    ][1:]
    by_step = {
        name: [min(row[name] for row in rows) for rows in zip(*rounds, strict=True)] for name in steps()
    }
    found: dict[str, Any] = {
        "mean_ms": {name: statistics.mean(values) for name, values in by_step.items()},
        "95th_percentile_ms": {name: float(np.quantile(values, 0.95)) for name, values in by_step.items()},
        "images_per_second": {},
    }
    pools: tuple[Pool, ...] = ("processes", "threads")
    for pool in pools:
        for name, job in ((pool, whole), (f"{pool}, plain decode and resize", plain)):
            fastest, by_cpu = images_per_second(job, contents, pool)
            found["images_per_second"] |= {name: fastest, f"{name}, by CPU time": by_cpu}
    return found


def tables(results: dict[str, dict[str, Any]]) -> tuple[Table, Table]:
    """Milliseconds by step, and images a second."""
    shown = Table(title="ms an image on one core, mean and 95th percentile")
    speed = Table(title=f"images/s on {os.cpu_count()} cores (target {TARGET} at the first size)")
    for table in (shown, speed):
        table.add_column("")
        for size in results:
            table.add_column(size, justify="right")
    names = next(iter(results.values()))
    for name in names["mean_ms"]:
        cells = [f"{r['mean_ms'][name]:.2f}  {r['95th_percentile_ms'][name]:6.2f}" for r in results.values()]
        shown.add_row(name, *cells)
    shown.add_row("all", *(f"{sum(r['mean_ms'].values()):.2f}  {'':6}" for r in results.values()))
    for way in names["images_per_second"]:
        speed.add_row(way, *(f"{r['images_per_second'][way]:.0f}" for r in results.values()))
    return shown, speed


def draw(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Stacked milliseconds by size, and throughput beside the target."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    sizes, start = list(results), np.zeros(len(results))
    for name in results[sizes[0]]["mean_ms"]:
        times = np.array([results[size]["mean_ms"][name] for size in sizes])
        left.barh(sizes, times, left=start, label=name)
        start += times
    left.set(xlabel="ms an image on one core")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=8, fontsize="small")
    ways = list(results[sizes[0]]["images_per_second"])
    for k, size in enumerate(sizes):
        y = np.arange(len(ways)) + 0.4 * k - 0.2
        right.barh(y, [results[size]["images_per_second"][way] for way in ways], 0.38, label=size)
    right.set(xlabel=f"images/s on {os.cpu_count()} cores", yticks=range(len(ways)), yticklabels=ways)
    right.axvline(TARGET, color="black", linestyle="--", label=f"target {TARGET}")
    right.legend(fontsize="small")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Prints two tables and writes JSON and the figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uda1", type=Path, required=True)
    parser.add_argument("--sizes", nargs="+", default=["600x450", "1024x768"], metavar="WIDTHxHEIGHT")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG file to write")
    arguments = parser.parse_args()
    threads = cv2.getNumThreads()
    results = {}
    for size in arguments.sizes:
        width, height = (int(side) for side in size.split("x"))
        contents = encoded(arguments.uda1, width, height, arguments.images)
        alone()
        results[size] = measure(contents, size)
        cv2.setNumThreads(threads)
    for table in tables(results):
        Console(width=120).print(table)
    if arguments.out:
        content = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, OpenCV {cv2.__version__}",
            "load_average": os.getloadavg(),
            "images": arguments.images,
            "jpeg_quality": QUALITY,
            "preprocessing": PREPROCESSING.model_dump(mode="json"),
            "target_images_per_second": TARGET,
            "results": results,
        }
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")
    if arguments.figure:
        draw(results, arguments.figure)


if __name__ == "__main__":
    main()
