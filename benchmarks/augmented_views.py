"""Is an image worth asking about more than once? Means over its mirror images and quarter turns.

Probabilities are calibrated first and averaged after; what names the class follows from the mean. Choose on
validation images: the test part is for reporting. Intervals resample lesions; differences are paired.

    python benchmarks/augmented_views.py --dataset isic2019 --root .data/isic2019 \
        --ham10000 .data/ham10000 --split splits/isic2019-grouped-without-uda1-seed0.csv \
        --out experiments/augmented_views.json
"""

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from transxv2s import engines
from transxv2s.bench.images import squares_of
from transxv2s.checkpoint import Checkpoint, read_checkpoint
from transxv2s.classifier import default_checkpoint
from transxv2s.cli.dataset import read_dataset
from transxv2s.datasets import splits
from transxv2s.datasets.portion import Portion
from transxv2s.engines.engine import Squares
from transxv2s.files import write_whole
from transxv2s.progress import progress
from transxv2s.scoring import score
from transxv2s.scoring.bootstrap import Interval, paired_difference
from transxv2s.trust.judgement import adjusted, scores_of

Floats = NDArray[np.float64]
Rows = dict[int, dict[str, Any]]
VIEWS = {1: "as it is", 2: "and its mirror image", 4: "and quarter turns", 8: "and their mirror images"}
ORDER = ((0, False), (0, True), (1, False), (3, False), (2, False), (1, True), (2, True), (3, True))
SHOWN = ("balanced_accuracy", "accuracy", "macro_auc", "nll", "ece")
BATCH = 64


def view(squares: Squares, turns: int, mirrored: bool) -> Squares:
    """Squares (B, S, S, 3), turned by quarters and then mirrored."""
    turned = np.rot90(squares, turns, axes=(1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if mirrored else turned)


def probabilities(checkpoint: Checkpoint, engine: str, squares: Squares) -> Floats:
    """Calibrated probabilities of every view, (V, N, K)."""
    run = engines.load(engine, checkpoint, torch.device("cpu")).run
    found = []
    with progress("Asking", len(ORDER) * len(squares)) as advance:
        for turns, mirrored in ORDER:
            logits = []
            for start in range(0, len(squares), BATCH):
                part = squares[start : start + BATCH]
                logits.append(run(view(part, turns, mirrored))[0])
                advance(len(part))
            found.append(scores_of(checkpoint.config.trust, np.concatenate(logits))[0])
    return np.stack(found)


def measure(checkpoint: Checkpoint, found: Floats, labels: Sequence[int], lesions: Sequence[str]) -> Rows:
    """Scores by number of views, and what each differs by from the image alone."""
    taxonomy = checkpoint.config.to_taxonomy()
    means = {count: found[:count].mean(0) for count in VIEWS}
    named = {count: adjusted(checkpoint.config.trust, mean) for count, mean in means.items()}
    rows: Rows = {}
    for count, mean in means.items():
        scored: dict[str, Any] = dict(score(mean, labels, taxonomy, named[count]))
        rows[count] = {key: scored[key] for key in SHOWN}
        if count > 1:
            by_name = paired_difference(named[count], named[1], labels, lesions)
            by_probability = paired_difference(mean, means[1], labels, lesions)
            rows[count]["difference"] = {
                "balanced_accuracy": by_name["balanced_accuracy"],
                "macro_auc": by_probability["macro_auc"],
                "nll": by_probability["nll"],
            }
    return rows


def show(rows: Rows, images: int) -> Table:
    """A row a number of views; below each, what it differs by from the image alone."""
    table = Table(title=f"{images:,} images")
    table.add_column("views")
    for key in SHOWN:
        table.add_column(key.replace("_", " "), justify="right")
    for count, row in rows.items():
        table.add_row(f"{count}: {VIEWS[count]}", *(f"{row[key]:.4f}" for key in SHOWN))
        if "difference" in row:
            cells = (_text(row["difference"][key]) if key in row["difference"] else "" for key in SHOWN)
            table.add_row("  − 1 view", *cells, style="dim")
    return table


def _text(interval: Interval) -> str:
    return "{value:+.4f} ({low:+.4f} to {high:+.4f})".format(**interval)


def main() -> None:
    """Prints the table, and writes JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--dataset", default="isic2019")
    parser.add_argument("--root", type=Path, default=Path(".data/isic2019"))
    parser.add_argument("--ham10000", type=Path, help="isic2019: take HAM10000's larger files from here")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--subset", default="validation")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    checkpoint = read_checkpoint(chosen.checkpoint or default_checkpoint())
    split = splits.load(chosen.split)
    reading = read_dataset(chosen.dataset, chosen.root, ham10000=chosen.ham10000)
    records = Portion(chosen.dataset, reading, split).part(chosen.subset)
    found = probabilities(checkpoint, chosen.engine, squares_of([r.path for r in records], checkpoint))
    lesions = [split.lesion[record.id] for record in records]
    rows = measure(checkpoint, found, [record.label for record in records], lesions)
    Console(width=200).print(show(rows, len(records)))
    if chosen.out:
        content = {
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
            "checkpoint": checkpoint.digest,
            "split": split.digest,
            "subset": chosen.subset,
            "engine": chosen.engine,
            "views": rows,
        }
        write_whole(chosen.out, json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
