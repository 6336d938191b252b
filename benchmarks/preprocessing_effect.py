"""Does preprocessing help? A small network trained under each pipeline, in its hospital and in another.

The same images, seeds and steps for every pipeline; only the pixels differ. Trained on HAM10000 and MSK
(folds that are neither for test nor validation), scored on their validation fold (in source) and on images of
BCN_20000 (another hospital), never on test folds: the default pipeline is chosen by this.
`tf_efficientnet_lite0` starts from its ImageNet weights. Runs are kept in a folder as they finish; what is
there is not trained again.

    python benchmarks/preprocessing_effect.py --out experiments/preprocessing_effect.json
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import timm
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from transxv2s.datasets import ham10000, isic2019, splits, store
from transxv2s.datasets.records import Record, with_larger_files
from transxv2s.imaging.colour import GWSD, ShadesOfGray
from transxv2s.imaging.hair import HairRemoval
from transxv2s.imaging.pipeline import MEAN, STD, Preprocessing
from transxv2s.nets.weights import load_trunk
from transxv2s.scoring import lesion_bootstrap, paired_difference
from transxv2s.taxonomy import ISIC2019
from transxv2s.training.augment import build
from transxv2s.training.optim import one_cycle
from transxv2s.training.recipe import Augmentation
from transxv2s.training.sampling import EpochSampler, image_weights

SIZE, BATCH, PEAK_RATE, WARMUP = 96, 64, 1e-3, 0.2
FEATURES = 1280  # of tf_efficientnet_lite0
TRAINED_ON = ("HAM10000", "MSK")
OTHER_FOLDS = (splits.VALIDATION_FOLD, 3, 4)  # of BCN_20000, which is not trained on
REFERENCE = "none"
PARTS = ("in source", "other hospital")
SCORES: tuple[Literal["balanced_accuracy", "macro_auc"], ...] = ("balanced_accuracy", "macro_auc")


@dataclass(frozen=True)
class Pipeline:
    """Preprocessing of all images; `sometimes` replaces it for half of the training images, drawn anew."""

    steps: Preprocessing
    sometimes: Preprocessing | None = None


def pipelines() -> dict[str, Pipeline]:
    """The pipelines compared; the dark surround is cut off in all."""
    none = Preprocessing(hair_removal=None, colour=None, size=SIZE)
    hair = none.model_copy(update={"hair_removal": HairRemoval()})
    gwsd = none.model_copy(update={"colour": GWSD()})
    return {
        REFERENCE: Pipeline(none),
        "hair": Pipeline(hair),
        "GWSD": Pipeline(gwsd),
        "hair and GWSD": Pipeline(hair.model_copy(update={"colour": GWSD()})),
        "Shades of Gray": Pipeline(none.model_copy(update={"colour": ShadesOfGray()})),
        "GWSD as augmentation": Pipeline(none, gwsd),
        "robust GWSD": Pipeline(none.model_copy(update={"colour": GWSD(robust=True)})),
    }


@dataclass(frozen=True)
class Images:
    """Which images train, and which are scored."""

    train: list[Record]
    scored: dict[str, list[Record]]
    lesion: dict[str, str]


def choose(root: Path, ham: Path, split_file: Path, count: int) -> Images:
    """At most `count` training images, evenly spaced; all images to score."""
    split = splits.load(split_file)
    records = with_larger_files(isic2019.read(root).records, ham10000.files(ham))
    own = [r for r in records if r.source in TRAINED_ON]
    train = split.select(own, "train")
    return Images(
        [train[i * len(train) // min(count, len(train))] for i in range(min(count, len(train)))],
        {
            PARTS[0]: split.select(own, "validation"),
            PARTS[1]: [r for r in records if r.source not in TRAINED_ON and split.fold[r.id] in OTHER_FOLDS],
        },
        split.lesion,
    )


def scaled(images: Tensor) -> Tensor:
    """uint8 (B, 3, S, S) to float, channels last."""
    return ((images.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def squares(records: list[Record], steps: Preprocessing, folder: Path) -> Tensor:
    """uint8 (N, 3, S, S)."""
    return torch.from_numpy(np.stack(list(store.prepare(records, steps, folder)))).permute(0, 3, 1, 2)


def batches(
    images: list[Tensor], labels: Tensor, seed: int, epoch: int, augmentation: nn.Module
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch, classes drawn by the square root of their size."""
    sampler = EpochSampler(image_weights(labels.tolist(), "square_root"), seed)
    sampler.set_epoch(epoch)
    order = list(sampler)
    for start in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[start : start + BATCH]
        picked = [images[int(torch.randint(len(images), ()))][i] for i in chosen]
        yield scaled(torch.stack([augmentation(image) for image in picked])), labels[chosen]


def train(
    images: list[Tensor], labels: Tensor, weights: Path, *, seed: int, epochs: int, name: str
) -> nn.Module:
    """Fits the small network, AdamW with one cycle."""
    torch.manual_seed(seed)
    trunk = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    load_trunk(trunk, weights)
    network = nn.Sequential(trunk, nn.Linear(FEATURES, len(ISIC2019)))
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), PEAK_RATE, weight_decay=0.02, fused=True)
    augmentation = build(
        Augmentation(dihedral=True, min_area=0.6, colour_jitter=0.1, resolution_jitter=0.5), SIZE
    )
    steps = epochs * (len(labels) // BATCH)
    order = (b for epoch in range(epochs) for b in batches(images, labels, seed, epoch, augmentation))
    for step, (x, y) in enumerate(track(order, f"{name}, seed {seed}", steps)):
        for group in optimiser.param_groups:
            group["lr"] = PEAK_RATE * one_cycle(step / steps, WARMUP)
        loss = F.cross_entropy(network(x), y, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval()


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor) -> NDArray[np.float64]:
    """Probabilities (N, K)."""
    found = [network(scaled(images[i : i + 256])).softmax(1) for i in range(0, len(images), 256)]
    return torch.cat(found).double().numpy()


def run_one(name: str, pipeline: Pipeline, seed: int, images: Images, options: argparse.Namespace) -> None:
    """Trains and keeps the predictions, unless they are there."""
    path = options.work / f"{name.replace(' ', '_')}-{options.epochs}-{len(images.train)}-{seed}.npz"
    if path.exists():
        return
    start = time.monotonic()
    kinds = [pipeline.steps] if pipeline.sometimes is None else [pipeline.steps, pipeline.sometimes]
    inputs = [squares(images.train, steps, options.store) for steps in kinds]
    labels = torch.tensor([r.label for r in images.train])
    network = train(inputs, labels, options.weights, seed=seed, epochs=options.epochs, name=name)
    made: dict[str, Any] = {
        part: predict(network, squares(records, pipeline.steps, options.store))
        for part, records in images.scored.items()
    }
    beside = path.with_suffix(".part.npz")
    np.savez(beside, minutes=(time.monotonic() - start) / 60, **made)
    beside.replace(path)


def summary(names: list[str], images: Images, options: argparse.Namespace) -> dict[str, Any]:
    """Scores of each pipeline and their paired differences from none, with intervals over lesions.

    Scores are means over the seeds' runs, which stand beside.
    """
    found: dict[str, Any] = {}
    for part, records in images.scored.items():
        labels, lesions = [r.label for r in records], [images.lesion[r.id] for r in records]
        kept = {name: runs for name in names if (runs := _kept(name, images, options))}
        stacked = {name: np.stack([run[part] for run in runs]) for name, runs in kept.items()}
        found[part] = {}
        for name, p in stacked.items():
            scores = lesion_bootstrap(p, labels, lesions)
            difference = paired_difference(p, stacked[REFERENCE], labels, lesions)
            headline: dict[str, Any] = {key: scores[key] for key in SCORES}
            found[part][name] = headline | {
                "seeds": [_balanced(run, labels, lesions) for run in p],
                "difference": {key: difference[key] for key in SCORES},
                "minutes": sum(float(run["minutes"]) for run in kept[name]),
            }
    return found


def _kept(name: str, images: Images, options: argparse.Namespace) -> list[dict[str, NDArray[np.float64]]]:
    """Finished runs of a pipeline, by seed."""
    stem = f"{name.replace(' ', '_')}-{options.epochs}-{len(images.train)}"
    paths = [options.work / f"{stem}-{seed}.npz" for seed in range(options.seeds)]
    return [dict(np.load(path, allow_pickle=False)) for path in paths if path.exists()]


def _balanced(p: NDArray[np.float64], labels: list[int], lesions: list[str]) -> float | None:
    return lesion_bootstrap(p, labels, lesions, draws=1)["balanced_accuracy"]["value"]


def show(results: dict[str, Any]) -> Table:
    """Balanced accuracy, of the seeds one by one, and the difference from no preprocessing."""
    table = Table(title="Balanced accuracy (95 % intervals over lesions)")
    for heading in ("", "pipeline", "mean of seeds", "seeds", "difference from none", "AUC", "difference"):
        table.add_column(heading)
    for part, rows in results.items():
        for name, row in rows.items():
            table.add_row(
                part,
                name,
                _shown(row["balanced_accuracy"]),
                " ".join(f"{seed:.3f}" for seed in row["seeds"]),
                _shown(row["difference"]["balanced_accuracy"], "+"),
                _shown(row["macro_auc"]),
                _shown(row["difference"]["macro_auc"], "+"),
            )
    return table


def _shown(interval: dict[str, float], sign: str = "") -> str:
    value, low, high = (f"{interval[end]:{sign}.3f}" for end in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def draw(results: dict[str, Any], path: Path) -> None:
    """Differences from no preprocessing, with intervals, in the hospital and in another."""
    canvas = Figure((9, 3.4), layout="constrained")
    for place, (part, rows) in enumerate(results.items()):
        axes = canvas.add_subplot(1, len(results), place + 1)
        names = [name for name in rows if name != REFERENCE]
        for row, name in enumerate(reversed(names)):
            difference = rows[name]["difference"]["balanced_accuracy"]
            axes.plot([difference["low"], difference["high"]], [row, row], color="#0072b2", linewidth=2)
            axes.plot(difference["value"], row, "o", color="#0072b2")
        axes.locator_params(axis="x", nbins=5)
        axes.axvline(0, color="#55636e", linewidth=1, linestyle=":")
        axes.set_yticks(range(len(names)), list(reversed(names)) if place == 0 else [])
        axes.set_title(f"{part}: none has {rows[REFERENCE]['balanced_accuracy']['value']:.3f}", fontsize=10)
        axes.set_xlabel("balanced accuracy, difference from none")
        axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, dpi=140)


def main() -> None:
    """Runs what is not there yet, then sums up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(".data/isic2019"))
    parser.add_argument("--ham10000", type=Path, default=Path(".data/ham10000"))
    parser.add_argument("--split", type=Path, default=Path("splits/isic2019-grouped-seed0.csv"))
    parser.add_argument(
        "--weights",
        type=Path,
        default=Path("../shared/weights/tf_efficientnet_lite0.imagenet.fp16.safetensors"),
    )
    parser.add_argument("--store", type=Path, default=Path(".data/store"))
    parser.add_argument("--work", type=Path, default=Path("runs/preprocessing_effect"))
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("experiments/preprocessing_effect.json"))
    parser.add_argument("--figure", type=Path, default=Path("experiments/preprocessing_effect.png"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    images = choose(options.root, options.ham10000, options.split, options.images)
    for seed in range(options.seeds):
        for name, pipeline in pipelines().items():
            run_one(name, pipeline, seed, images, options)
    results = summary(list(pipelines()), images, options)
    Console(width=170).print(show(results))
    content = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "split": splits.digest(options.split),
        "train_images": len(images.train),
        "scored_images": {part: len(records) for part, records in images.scored.items()},
        "epochs": options.epochs,
        "seeds": options.seeds,
        "size": SIZE,
        "results": results,
    }
    options.out.write_text(json.dumps(content, indent=2) + "\n")
    draw(results, options.figure)


if __name__ == "__main__":
    main()
