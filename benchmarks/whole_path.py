"""From image files to findings on the disk: how near does it come to what reading and the network allow?

UDA-1 images are brought to 600 × 450 and written as JPEG files, each as often as needed. Rounds take turns:
reading and preparing alone (a images/s), the network and its judgement alone (b), and all of it as
`predict --lines` does (c). On shared cores that each part keeps busy alone, c can be 1 / (1/a + 1/b) at best
(more where a part leaves a core idle when it is alone), with a GPU min(a, b). With --growth, `predict
--lines` runs as a command of its own on more and more images: its time an image and its peak memory ought to
stay flat.

    python benchmarks/whole_path.py --uda1 .data/uda1 --engine auto --growth --out experiments/whole_path.json
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from transxv2s.ahead import batches_ahead
from transxv2s.bulk import Here, Image, examine_into
from transxv2s.classifier import Classifier, default_checkpoint
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import resize

WIDTH, HEIGHT, QUALITY = 600, 450, 90
BATCH = 16  # as `predict` by default
GROWTH = (100, 1_000, 10_000)
PREDICT = """
import sys
from transxv2s.cli.app import main
from transxv2s.memory import peak_mebibytes

try:
    main(["predict", *sys.argv[1:]])
finally:
    print(peak_mebibytes())
"""


def write_images(uda1: Path, folder: Path, number: int) -> list[Image]:
    """So many JPEG files; the UDA-1 images one after the other, and again from the start."""
    sources = sorted((uda1 / "images").iterdir())[:number]
    contents = []
    for source in track(sources, "Resizing", transient=True):
        picture = cv2.cvtColor(resize(decode(source), HEIGHT, WIDTH), cv2.COLOR_RGB2BGR)
        contents.append(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
    images = [Image(folder / f"{n:05}.jpg", f"{n:05}") for n in range(number)]
    for n, image in enumerate(images):
        image.file.write_bytes(contents[n % len(contents)])
    return images


def parts(classifier: Classifier, images: Sequence[Image], folder: Path) -> dict[str, Callable[[], None]]:
    """What is timed: reading alone, the network alone, the whole."""
    ready = [classifier.prepare(image.file) for image in images[:BATCH]]

    def reading() -> None:
        for _ in batches_ahead(lambda image: classifier.prepare(image.file), images, BATCH):
            pass

    def network() -> None:
        for _ in range(0, len(images), BATCH):
            classifier.findings(ready)

    def whole() -> None:
        path = folder / "findings.jsonl"
        examine_into(path, Here(classifier, BATCH), images)
        path.unlink()

    return {"reading": reading, "network": network, "whole": whole}


def measure(
    classifier: Classifier, images: Sequence[Image], rounds: int, folder: Path
) -> dict[str, list[float]]:
    """Images/s of each part in each round, the parts taking turns."""
    rates: dict[str, list[float]] = {}
    size = -(-len(images) // rounds // BATCH) * BATCH
    chunks = [images[start : start + size] for start in range(0, len(images), size)]
    for chunk in (chunks[0], *track(chunks, "Rounds", transient=True)):  # the first one warms up
        for name, run in parts(classifier, chunk, folder).items():
            begin = time.perf_counter()
            run()
            rates.setdefault(name, []).append(len(chunk) / (time.perf_counter() - begin))
    return {name: values[1:] for name, values in rates.items()}


def shares(rates: dict[str, list[float]], shared: bool) -> list[float]:
    """Of each round, the whole's rate as a share of what its parts allow."""
    return [
        c / (1 / (1 / a + 1 / b) if shared else min(a, b))
        for a, b, c in zip(rates["reading"], rates["network"], rates["whole"], strict=True)
    ]


def growth(folder: Path, engine: str) -> list[dict[str, float]]:
    """Time, peak memory and bytes a line of `predict --lines` on the first 100, 1,000, 10,000 images."""
    rows = []
    for number in GROWTH:
        some, lines = folder / f"some-{number}", folder / f"{number}.jsonl"
        some.mkdir()
        for n in range(number):
            (some / f"{n:05}.jpg").hardlink_to(folder / f"{n:05}.jpg")
        seconds, peak = run_alone([str(some), "--lines", str(lines), "--engine", engine])
        content = lines.read_bytes()
        assert content.count(b"\n") == number
        row = {"images": number, "seconds": seconds, "peak_mib": peak, "bytes_a_line": len(content) / number}
        rows.append(row)
    return rows


def run_alone(arguments: Sequence[str]) -> tuple[float, float]:
    """`predict` in a process of its own: seconds, start-up included, and peak memory in MiB.

    The process says its peak itself: what the system says of a child counts this process too, whose images
    and network would hide all growth.
    """
    begin = time.perf_counter()
    command = [sys.executable, "-c", PREDICT, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return time.perf_counter() - begin, float(done.stdout.splitlines()[-1])


def show(results: dict[str, Any]) -> Table:
    """What each part does, and how near the whole comes."""
    table = Table(
        "", "images/s", title=f"{results['images']:,} images of {WIDTH} × {HEIGHT}, {results['engine']}"
    )
    for name, values in results["images_per_second"].items():
        table.add_row(name, f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})")
    table.add_row("of what the parts allow", f"{results['share']:.0%}")
    table.add_row("bytes an image", f"{results['bytes_an_image']:,.0f}")
    for row in results.get("growth", []):
        rate = row["images"] / row["seconds"]
        table.add_row(
            f"{row['images']:,} images, start-up included",
            f"{rate:.1f}, {row['peak_mib']:,.0f} MiB, {row['bytes_a_line']:,.0f} bytes a line",
        )
    return table


def main() -> None:
    """Prints the table and writes JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uda1", type=Path, required=True)
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--growth", action="store_true", help=f"also {', '.join(map(str, GROWTH))} images")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    classifier = Classifier.load(default_checkpoint(), engine=arguments.engine)
    shared = not torch.cuda.is_available()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = max(GROWTH) if arguments.growth else arguments.images
        images = write_images(arguments.uda1, folder, written)
        rates = measure(classifier, images[: arguments.images], arguments.rounds, folder)
        results: dict[str, Any] = {
            "machine": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "engine": classifier.engine,
            "images": arguments.images,
            "bytes_an_image": statistics.mean(image.file.stat().st_size for image in images),
            "shared_cores": shared,
            "images_per_second": rates,
            "share": statistics.median(shares(rates, shared)),
        }
        if arguments.growth:
            results["growth"] = growth(folder, arguments.engine)
    Console().print(show(results))
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
