"""Which copies are found, and how many pairs of 25,000 images are called copies that are none?

Copies of ISIC 2019 images are planted: each is written to a file, read back and looked up among all images.
Only images at odd positions are used, since the thresholds were chosen on the others. Where they are there,
the same photographs as other publishers resized them (HAM10000, UDA-1) are looked up too. Pairs found across
lesions were looked at by eye; a CSV file says which of them show different lesions.

    python benchmarks/near_duplicates.py --root .data/isic2019 --ham .data/ham10000 --uda1 .data/uda1 \
        --judged experiments/near_duplicates_judged.csv --out experiments/near_duplicates.json \
        --figure experiments/near_duplicates.png
"""

import argparse
import csv
import json
import os
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from transxv2s.datasets import ham10000, isic2019
from transxv2s.datasets.duplicates import (
    Fingerprints,
    Pair,
    find_pairs,
    find_pairs_between,
    fingerprints,
    frame,
    search,
)
from transxv2s.datasets.records import Record
from transxv2s.imaging.decode import SUFFIXES, decode

Rgb = NDArray[np.uint8]
Change = Callable[[Rgb, np.random.Generator], Rgb]
GOAL, ALLOWED = 0.95, 50
RANDOM_PAIRS = 200_000
BINS = np.linspace(-0.4, 1, 141)


def scaled(image: Rgb, factor: float) -> Rgb:
    """By area where it shrinks, by cubic interpolation where it grows."""
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=how), np.uint8)


def squashed(image: Rgb, generator: np.random.Generator) -> Rgb:
    """To another aspect ratio, between 0.6 and 1.6."""
    width = round(image.shape[1] * generator.uniform(0.6, 1.6))
    return np.asarray(cv2.resize(image, (width, image.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)


def turned(image: Rgb, generator: np.random.Generator) -> Rgb:
    """By any angle within the same frame, black where nothing is known."""
    height, width = image.shape[:2]
    middle = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, generator.uniform(5, 85) + 90 * generator.integers(4), 1)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height)), np.uint8)


def cropped(image: Rgb, share: float) -> Rgb:
    """Without a border, so that `share` of each side is lost."""
    y, x = (max(1, round(side * share / 2)) for side in image.shape[:2])
    return image[y:-y, x:-x]


def brighter(image: Rgb, generator: np.random.Generator) -> Rgb:
    """Contrast times 0.85 to 1.15, brightness plus −15 to 15."""
    changed = image * generator.uniform(0.85, 1.15) + generator.uniform(-15, 15)
    return np.asarray(np.clip(changed, 0, 255), np.uint8)


def flipped_or_turned(image: Rgb, generator: np.random.Generator) -> Rgb:
    """One of the eight flips and quarter turns."""
    return np.rot90(image[:, :: int(generator.choice((-1, 1)))], int(generator.integers(4)))


def combined(image: Rgb, generator: np.random.Generator) -> Rgb:
    """Flipped or turned, then 0.4 to 2 times the size."""
    return scaled(np.ascontiguousarray(flipped_or_turned(image, generator)), generator.uniform(0.4, 2))


def everything(image: Rgb, generator: np.random.Generator) -> Rgb:
    """`combined`, cropped by 2 % and brighter."""
    return brighter(combined(cropped(image, 0.02), generator), generator)


# What is done, and between which qualities the JPEG file is written.
KINDS: dict[str, tuple[Change, tuple[int, int]]] = {
    "recompressed, quality 95": (lambda i, g: i, (95, 95)),
    "recompressed, quality 60": (lambda i, g: i, (60, 60)),
    "recompressed, quality 30": (lambda i, g: i, (30, 30)),
    "resized × 0.4": (lambda i, g: scaled(i, 0.4), (90, 90)),
    "resized × 0.7": (lambda i, g: scaled(i, 0.7), (90, 90)),
    "resized × 2": (lambda i, g: scaled(i, 2), (90, 90)),
    "squashed": (squashed, (90, 90)),
    "flipped left to right": (lambda i, g: i[:, ::-1], (90, 90)),
    "flipped upside down": (lambda i, g: i[::-1], (90, 90)),
    "turned by 90°": (lambda i, g: np.rot90(i), (90, 90)),
    "turned by 180°": (lambda i, g: np.rot90(i, 2), (90, 90)),
    "turned by 270°": (lambda i, g: np.rot90(i, 3), (90, 90)),
    "turned by any angle": (turned, (90, 90)),
    "turned by any angle, × 0.5, quality 30–95": (lambda i, g: scaled(turned(i, g), 0.5), (30, 95)),
    "combined: flip or turn, × 0.4–2, quality 30–95": (combined, (30, 95)),
    "brightness and contrast": (brighter, (90, 90)),
    "cropped by 2 %": (lambda i, g: cropped(i, 0.02), (90, 90)),
    "cropped by 5 %": (lambda i, g: cropped(i, 0.05), (90, 90)),
    "combined, brightness, cropped by 2 %": (everything, (30, 95)),
}
HISTOGRAM = "combined: flip or turn, × 0.4–2, quality 30–95"


def wilson(found: int, planted: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, JASA 22, 1927)."""
    z, p = 1.959964, found / planted
    middle = (p + z * z / (2 * planted)) / (1 + z * z / planted)
    half = z * np.sqrt(p * (1 - p) / planted + z * z / (4 * planted**2)) / (1 + z * z / planted)
    return middle - half, min(middle + half, 1.0)


def plant(originals: Sequence[Path], kind: str, seed: int, folder: Path) -> list[Path]:
    """Writes a copy of each original."""
    change, (worst, best) = KINDS[kind]
    folder.mkdir()

    def one(position: int) -> Path:
        generator = np.random.default_rng((seed, position))
        image = np.ascontiguousarray(change(decode(originals[position]), generator))
        path = folder / f"{position}.jpg"
        Image.fromarray(image).save(path, quality=int(generator.integers(worst, best + 1)))
        return path

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, range(len(originals))))


def recall(known: Fingerprints, copies: Fingerprints, places: Sequence[int]) -> dict[str, Any]:
    """How many copies are found, with all and with the compact fingerprints of the originals."""
    wanted = {(place, position) for position, place in enumerate(places)}
    row: dict[str, Any] = {"planted": len(copies)}
    for name, side in (("", known), ("compact_", known.compact())):
        found = len({(p.first, p.second) for p in find_pairs_between(side, copies)} & wanted)
        row |= {f"{name}found": found, f"{name}recall": found / len(copies)}
        row |= {f"{name}interval": wilson(found, len(copies))}
    return row


def publishers_copies(
    known: Fingerprints, places: Mapping[str, int], files: Mapping[str, Path]
) -> dict[str, Any]:
    """Recall of photographs that another publisher resized, by the id they share."""
    stems = {name.removesuffix("_downsampled"): place for name, place in places.items()}
    shared = {stems[name]: path for name, path in files.items() if name in stems}
    return recall(known, fingerprints(list(shared.values())), list(shared))


def similarities(
    known: Fingerprints, copies: Fingerprints, places: Sequence[int], seed: int
) -> dict[str, Any]:
    """Histograms of the largest of the eight correlations, of planted copies and of random pairs."""
    generator = np.random.default_rng(seed)
    first, second = generator.integers(len(known), size=(2, RANDOM_PAIRS))
    chance = (first != second).nonzero()[0]
    random = [
        _correlations(known.frames[first[some]], known.frames[second[some]])
        for some in np.array_split(chance, 50)
    ]
    planted = _correlations(known.frames[list(places)], copies.frames)
    return {
        "edges": BINS.round(3).tolist(),
        "planted": np.histogram(planted, BINS)[0].tolist(),
        "random": np.histogram(np.concatenate(random), BINS)[0].tolist(),
    }


def _correlations(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    products = frame.dihedral(frame.vectors(first)) * frame.vectors(second)
    return np.asarray(products.sum(axis=2).max(axis=0), np.float32)


def described(
    pairs: Sequence[Pair], records: Sequence[Record], judged: Mapping[tuple[str, str], str]
) -> dict[str, Any]:
    """Counts by kind and lesion, and the near pairs across lesions with what the eye said."""
    counts: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    across = []
    for pair in pairs:
        a, b = records[pair.first], records[pair.second]
        same = a.lesion is not None and a.lesion == b.lesion
        counts[f"{pair.kind}, {'same' if same else 'other or unknown'} lesion"] += 1
        if not same and pair.kind == "near":
            eye = judged.get((a.id, b.id), "not judged")
            verdicts[eye] += 1
            row = {"first": a.id, "second": b.id, "similarity": round(pair.similarity, 3), "eye": eye}
            across.append(row)
    return {"pairs": len(pairs), "counts": counts, "across_by_eye": verdicts, "across": across}


def judgements(path: Path | None) -> dict[tuple[str, str], str]:
    """What was seen by eye, by both ids."""
    if path is None:
        return {}
    with path.open(newline="") as stream:
        return {(row["first"], row["second"]): row["eye"] for row in csv.DictReader(stream)}


def table(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """Recall by kind."""
    shown = Table(title=f"recall of planted copies, goal {GOAL}")
    shown.add_column("kind of copy")
    for name in ("planted", "recall", "95 % interval", "compact"):
        shown.add_column(name, justify="right", no_wrap=True)
    for kind, row in rows.items():
        low, high = row["interval"]
        interval = f"{low:.3f}–{high:.3f}"
        shown.add_row(
            kind, str(row["planted"]), f"{row['recall']:.3f}", interval, f"{row['compact_recall']:.3f}"
        )
    return shown


def draw(rows: Mapping[str, Mapping[str, Any]], histograms: Mapping[str, Any], path: Path) -> None:
    """Recall by kind, and how far apart copies and chance are."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(15, 6), width_ratios=(1, 1.1), layout="constrained")
    kinds, y = list(rows), np.arange(len(rows))
    value = np.array([rows[kind]["recall"] for kind in kinds])
    bounds = np.abs(np.array([rows[kind]["interval"] for kind in kinds]).T - value)
    left.errorbar(value, y, xerr=bounds, fmt="o", color="tab:blue", label="with discs (242 bytes an image)")
    compact = [rows[kind]["compact_recall"] for kind in kinds]
    left.plot(compact, y, "|", color="tab:orange", markersize=12, label="compact (124 bytes an image)")
    left.axvline(GOAL, color="grey", linestyle=":", label=f"goal {GOAL}")
    left.set(yticks=y, yticklabels=kinds, xlabel="recall", xlim=(-0.02, 1.02))
    left.invert_yaxis()
    left.legend(loc="lower left")
    left.grid(axis="x", alpha=0.3)
    edges = np.array(histograms["edges"])
    for name, colour in (("random", "grey"), ("planted", "tab:blue")):
        share = np.array(histograms[name]) / sum(histograms[name])
        right.stairs(share, edges, fill=True, alpha=0.6, color=colour, label=f"{name} pairs")
    right.axvline(
        np.tanh(search.FRAME_EVIDENCE),
        color="black",
        linestyle=":",
        label="threshold, pictures seen as a whole",
    )
    right.set(yscale="log", xlabel="largest of the eight correlations of the frames", ylabel="share of pairs")
    right.set_title(f"planted: {HISTOGRAM}", fontsize="medium")
    right.legend(loc="upper left")
    figure.savefig(path, dpi=150)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All results, JSON-ready."""
    records = sorted(isic2019.read(arguments.root).records, key=lambda record: record.id)
    paths = [record.path for record in records]
    start = time.perf_counter()
    known = fingerprints(paths)
    made = time.perf_counter()
    pairs = find_pairs(known)
    searched = time.perf_counter()
    odd = np.arange(1, len(records), 2)
    chosen = np.random.default_rng(arguments.seed).choice(odd, arguments.copies, replace=False).tolist()
    rows, histograms = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for number, kind in enumerate(track(KINDS, "planted copies", transient=True)):
            files = plant([paths[n] for n in chosen], kind, arguments.seed, Path(folder, str(number)))
            copies = fingerprints(files)
            rows[kind] = recall(known, copies, chosen)
            if kind == HISTOGRAM:
                histograms = similarities(known, copies, chosen, arguments.seed)
    places = {record.id: n for n, record in enumerate(records)}
    if arguments.ham:
        name = "HAM10000 at 200×150 among ISIC 2019 at 84×84"
        rows[name] = publishers_copies(known, places, ham10000.files(arguments.ham))
    if arguments.uda1:
        uda1 = {p.stem: p for p in sorted((arguments.uda1 / "images").iterdir()) if p.suffix in SUFFIXES}
        rows["UDA-1 at 256 pixels among ISIC 2019 at 84×84"] = publishers_copies(known, places, uda1)
    return {
        "images": len(records),
        "seconds": {"fingerprints": made - start, "search": searched - made},
        "images_per_second": len(records) / (made - start),
        "bytes_an_image": {"full": row_bytes(known), "compact": row_bytes(known.compact())},
        "recall": rows,
        "found": described(pairs, records, judgements(arguments.judged)),
        "similarities": histograms,
    }


def row_bytes(prints: Fingerprints) -> int:
    """Bytes an image."""
    return sum(int(array.shape[1]) for array in (prints.digests, prints.frames, prints.discs))


def main() -> None:
    """Prints tables and writes JSON and the figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="ISIC 2019 training set")
    parser.add_argument("--ham", type=Path, help="HAM10000, whose images ISIC 2019 holds in another size")
    parser.add_argument("--uda1", type=Path, help="UDA-1, likewise")
    parser.add_argument("--copies", type=int, default=500, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judged", type=Path, help="CSV: first, second, eye (same or different)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG or SVG file to write")
    arguments = parser.parse_args()
    result = measure(arguments)
    console = Console()
    console.print(table(result["recall"]))
    seconds, found = result["seconds"], result["found"]
    console.print(f"{result['images']:,} images: fingerprints {seconds['fingerprints']:.1f} s", end="")
    console.print(f" ({result['images_per_second']:.0f} images/s), search {seconds['search']:.1f} s")
    console.print(f"{found['pairs']} pairs:", dict(found["counts"]))
    console.print(
        f"near pairs across lesions, by eye (allowed: {ALLOWED} different):", dict(found["across_by_eye"])
    )
    if arguments.out:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}"
        settings = {"machine": machine, "seed": arguments.seed, "copies": arguments.copies}
        arguments.out.write_text(json.dumps(settings | result, indent=1) + "\n")
    if arguments.figure:
        draw(result["recall"], result["similarities"], arguments.figure)


if __name__ == "__main__":
    main()
