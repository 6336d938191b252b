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


Shares = dict[str, list[float | None]]  # by class, of each random split; None where no image is held out


def shares(reading: Reading, made: list[Split], pairs: list[Pair]) -> Shares:
    """Share of the held-out images that share a lesion or a picture with training."""
    found = [audit(reading, split, pairs)["affected"]["test"] for split in made]
    return {code: [_share(classes[code]) for classes in found] for code in found[0]}


def _share(held: Affected) -> float | None:
    return held["any"] / held["images"] if held["images"] else None


def measure(reading: Reading, grouped: Path, seeds: range) -> dict[str, Shares]:
    """The three ways of splitting."""
    records, (pairs, _) = list(reading.records), copies(reading.records)
    twice = doubled(records)
    return {
        "by image, 85/15": shares(reading, [by_image(records, seed) for seed in seeds], pairs),
        "doubled, then by image, 85/15": shares(
            Reading(tuple(twice), taxonomy=reading.taxonomy),
            [by_image(twice, seed) for seed in seeds],
            doubled_pairs(pairs, len(records)),
        ),
        "grouped (ours)": shares(reading, [splits.load(grouped)], pairs),
    }


def _mean(values: list[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))


def show(results: dict[str, Shares]) -> Table:
    """Mean over the seeds, and for all classes together the range."""
    table = Table(title="Held-out images that share a lesion or a picture with training")
    table.add_column("class")
    for way in results:
        table.add_column(way, justify="right")
    for code in next(iter(results.values())):
        table.add_row(code, *(_text(rows[code]) for rows in results.values()))
    return table


def _text(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    spread = f" ({min(known):.1%} to {max(known):.1%})" if len(known) > 1 else ""
    return f"{_mean(values):.1%}{spread}"


def draw(results: dict[str, Shares], path: Path) -> None:
    """Bars by class."""
    canvas = Figure((8, 4), layout="constrained")
    axes = canvas.add_subplot()
    codes = list(next(iter(results.values())))
    width = 0.8 / len(results)
    for place, ((way, rows), colour) in enumerate(zip(results.items(), COLOURS, strict=True)):
        heights = [_mean(rows[code]) for code in codes]
        bars = axes.bar(np.arange(len(codes)) + (place - 1) * width, heights, width, color=colour, label=way)
        axes.bar_label(bars, [f"{100 * height:.0f}" for height in heights], fontsize=7)
    axes.set_xticks(range(len(codes)), codes)
    axes.set_ylim(0, 1.06)
    axes.set_ylabel("share of held-out images seen in training\n(same lesion or same picture)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=3)
    canvas.savefig(path, dpi=140)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(".data/isic2019"))
    parser.add_argument("--split", type=Path, default=Path("splits/isic2019-grouped-seed0.csv"))
    parser.add_argument("--seeds", type=int, default=5, help="random splits by image")
    parser.add_argument("--out", type=Path, default=Path("experiments/leak.json"))
    parser.add_argument("--figure", type=Path, default=Path("experiments/leak.png"))
    options = parser.parse_args()
    reading = isic2019.read(options.root)
    results = measure(reading, options.split, range(options.seeds))
    Console().print(show(results))
    digest = splits.digest(options.split)
    content = {"images": len(reading.records), "seeds": options.seeds, "split": digest, "results": results}
    options.out.write_text(json.dumps(content, indent=2) + "\n")
    draw(results, options.figure)


if __name__ == "__main__":
    main()
