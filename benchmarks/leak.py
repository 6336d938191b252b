"""How many held-out images of ISIC 2019 share a lesion or a picture with training, by the way of splitting?

By image at 85/15, as many papers split; the article's protocol, which doubles the set first; and the
grouped split of this project. Prints a table by class, writes JSON and a figure.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from transxv2s.datasets import isic2019, splits
from transxv2s.datasets.article import doubled, doubled_pairs
from transxv2s.datasets.audit import Affected, audit
from transxv2s.datasets.copies import copies
from transxv2s.datasets.duplicates import Pair
from transxv2s.datasets.records import Reading, Record
from transxv2s.datasets.splits import Split

HELD_OUT = 0.15
COLOURS = ("#d55e00", "#e69f00", "#0072b2")


def by_image(records: list[Record], seed: int) -> Split:
    """A random 85/15 split that knows nothing of lesions."""
    order = np.random.default_rng(seed).permutation(len(records))
    held = set(order[: round(HELD_OUT * len(records))].tolist())
    subset = {r.id: "test" if place in held else "train" for place, r in enumerate(records)}
    return Split({r.id: r.lesion or r.id for r in records}, dict.fromkeys(subset, 0), subset, f"seed {seed}")


def affected(reading: Reading, split: Split, pairs: list[Pair]) -> dict[str, Affected]:
    """Held-out images by class, and how many are affected."""
    return audit(reading, split, pairs)["affected"]["test"]


def measure(reading: Reading, grouped: Path, seed: int) -> dict[str, dict[str, Affected]]:
    """The three ways of splitting."""
    records, pairs = list(reading.records), copies(reading.records)
    twice = doubled(records)
    return {
        "by image, 85/15": affected(reading, by_image(records, seed), pairs),
        "doubled, then by image, 85/15": affected(
            Reading(tuple(twice), taxonomy=reading.taxonomy),
            by_image(twice, seed),
            doubled_pairs(pairs, len(records)),
        ),
        f"grouped ({grouped.name})": affected(reading, splits.load(grouped), pairs),
    }


def show(results: dict[str, dict[str, Affected]]) -> Table:
    """Share of the held-out images that share a lesion, and that share a lesion or a picture."""
    table = Table(title="Held-out images that share a lesion (a lesion or a picture) with training")
    table.add_column("class")
    for way in results:
        table.add_column(way, justify="right")
    for code in next(iter(results.values())):
        cells = []
        for rows in results.values():
            n = rows[code]
            cells.append(
                f"{n['lesion'] / n['images']:.1%} ({n['any'] / n['images']:.1%}) of {n['images']:,}"
                if n["images"]
                else "–"
            )
        table.add_row(code, *cells)
    return table


def draw(results: dict[str, dict[str, Affected]], path: Path) -> None:
    """Bars by class."""
    canvas = Figure((8, 4), layout="constrained")
    axes = canvas.add_subplot()
    codes = list(next(iter(results.values())))
    width = 0.8 / len(results)
    for place, ((way, rows), colour) in enumerate(zip(results.items(), COLOURS, strict=True)):
        heights = [rows[code]["any"] / max(1, rows[code]["images"]) for code in codes]
        axes.bar(np.arange(len(codes)) + (place - 1) * width, heights, width, color=colour, label=way)
    axes.set_xticks(range(len(codes)), [f"{code}" for code in codes])
    axes.set_ylim(0, 1)
    axes.set_ylabel("share of held-out images seen in training\n(same lesion or same picture)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=3)
    canvas.savefig(path, dpi=140)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(".data/isic2019"))
    parser.add_argument("--split", type=Path, default=Path("splits/isic2019-grouped-seed0.csv"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("experiments/leak.json"))
    parser.add_argument("--figure", type=Path, default=Path("experiments/leak.png"))
    options = parser.parse_args()
    reading = isic2019.read(options.root)
    results = measure(reading, options.split, options.seed)
    Console().print(show(results))
    digest = splits.digest(options.split)
    content = {"images": len(reading.records), "seed": options.seed, "split": digest, "results": results}
    options.out.write_text(json.dumps(content, indent=2) + "\n")
    draw(results, options.figure)


if __name__ == "__main__":
    main()
