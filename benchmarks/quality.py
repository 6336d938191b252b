"""Do notes on image quality spare real images, and find what is wrong with others?

Real images are outside the test part of the split. Those of two seeded samples of HAM10000 and of ISIC 2019
(84×84, where hair cannot be seen) served to choose the thresholds, others are judged here; of UDA-1 500
served for that and all 557 are judged. So for junk (junk.py): what resembles a source in LOOKED_AT served for
tuning, the others are judged. Faults are made in judged HAM10000 images at 600×450, by gains, cuts and
painted hair. The notes on cut-off lesions are compared with lesion masks.

    python benchmarks/quality.py --out experiments/quality.json --figure experiments/quality.png
"""

import argparse
import json
import platform
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hair_images import read
from junk import junk
from quality_faults import FAULTS
from quality_figure import Example, draw
from transxv2s.datasets import splits
from transxv2s.imaging import quality
from transxv2s.imaging.decode import decode
from transxv2s.imaging.quality import quality_notes

Rgb = NDArray[np.uint8]

SEEN = {0: 4000, 5: 3000}  # images that were looked at while thresholds were chosen, by seed of their order
JUDGED = 1500
FAULTY = 40  # images that every fault is made in
TIMED = 40
SIZE = (600, 450)  # of the images that are timed and that faults are made in
CUT = 0.2  # share of the frame that a lesion mask takes, from which a lesion counts as cut off
SHOWN = 16
VIEWS = 2  # of every source of junk
FREE = {"UDA-1", "screens and text", "noise", "blank", "gradients"}  # CC0, or drawn here
# fmt: off
LOOKED_AT = {
    "brick", "cell", "china.jpg", "coffee", "grace_hopper", "gravel", "hubble_deep_field", "logo",
    "microaneurysms", "stereo_motorcycle", "page", "retina", "text", "a page", "stripes",
    "blocks", "white", "black",
}
# fmt: on


def kind_of(note: str) -> str:
    """The note without its figures and particulars."""
    return re.sub(r"\d+(%|×\d+)?", "…", note.split(":", maxsplit=1)[0])


def unseen(folder: Path, subset: dict[str, str], count: int) -> list[Path]:
    """Images outside the test part that no threshold was chosen on."""
    paths = sorted(path for path in folder.glob("*.jpg") if subset.get(path.stem) != "test")
    orders = {seed: paths.copy() for seed in SEEN}
    for seed, order in orders.items():
        random.Random(seed).shuffle(order)  # noqa: S311
    seen = {path for seed, number in SEEN.items() for path in orders[seed][:number]}
    return [path for path in orders[0] if path not in seen][:count]


def shares(notes: Sequence[Sequence[str]]) -> dict[str, float]:
    """Share of the images with each kind of note, with any and with none."""
    counts = Counter(kind for one in notes for kind in {kind_of(note) for note in one})
    counts["any note"] = sum(bool(one) for one in notes)
    return {kind: round(count / len(notes), 5) for kind, count in sorted(counts.items())}


def cut_off(paths: Iterable[Path], notes: Iterable[Sequence[str]], masks: Path) -> dict[str, float | None]:
    """Precision of the notes on cut-off lesions, and how many of the cut-off lesions get one."""
    pairs = []
    for path, one in zip(paths, notes, strict=True):
        mask = read(masks / f"{path.stem}_segmentation.png")[..., 0] > 0
        frame = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean()
        pairs.append((frame, any("the lesion" in note and "no lesion" not in note for note in one)))
    share, noted = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    sets = {
        "noted": noted,
        "cut_off": share > CUT,
        "noted_that_are_cut_off": share[noted] > CUT,
        "noted_that_touch_the_frame": share[noted] > 0,
        "cut_off_that_are_noted": noted[share > CUT],
    }
    return {name: round(float(some.mean()), 4) if some.size else None for name, some in sets.items()}


def faults(paths: Sequence[Path], masks: Path) -> dict[str, dict[str, float]]:
    """Shares of notes for every fault."""
    found: dict[str, dict[str, float]] = {}
    for name, fault in track(FAULTS.items(), "faults"):
        notes = []
        for number, path in enumerate(paths):
            rgb = cv2.resize(read(path), SIZE, interpolation=cv2.INTER_CUBIC)
            mask = read(masks / f"{path.stem}_segmentation.png")[..., 0]
            lesion = cv2.resize(mask, SIZE, interpolation=cv2.INTER_NEAREST) > 0
            notes.append(
                quality_notes(fault(np.asarray(rgb, np.uint8), lesion, np.random.default_rng(number)))
            )
        found[name] = shares(notes)
    return found


def judged_junk() -> dict[str, list[Example]]:
    """Source, image and notes of every view, of what was looked at for tuning and of the rest."""
    found: dict[str, list[Example]] = {"tuning": [], "judged": []}
    for one in junk(VIEWS):
        image = decode(one.content)
        half = "tuning" if one.source.split("/", 1)[1] in LOOKED_AT else "judged"
        found[half].append((one.source, image, quality_notes(image)))
    return found


def by_group(rubbish: Iterable[Example]) -> dict[str, float]:
    """Share of each group of junk that gets a note."""
    noted: dict[str, list[bool]] = defaultdict(list)
    for source, _, notes in rubbish:
        noted[source.split("/", 1)[0]].append(bool(notes))
    return {group: round(float(np.mean(some)), 3) for group, some in noted.items()}


def milliseconds(paths: Sequence[Path]) -> dict[str, float]:
    """Processor time for an image of SIZE, of all notes but hair, and of hair."""
    images = [np.asarray(cv2.resize(read(path), SIZE, interpolation=cv2.INTER_CUBIC)) for path in paths]

    def median(work: Any) -> float:
        spent = []
        for image in images:
            start = time.process_time()
            work(image)
            spent.append(1000 * (time.process_time() - start))
        return round(float(np.median(spent)), 2)

    hair = median(quality.hair_share)
    return {"all": median(quality_notes), "hair": hair}


def table(title: str, columns: dict[str, dict[str, float]]) -> Table:
    """One row a note, one column a set of images, in per cent."""
    result = Table(title=title)
    result.add_column("note")
    for name in columns:
        result.add_column(name, justify="right")
    kinds = sorted(
        {kind for column in columns.values() for kind in column}, key=lambda k: (k == "any note", k)
    )
    for kind in kinds:
        result.add_row(kind, *(f"{100 * column.get(kind, 0):.2f}" for column in columns.values()))
    return result


def main() -> None:
    """Prints tables, writes JSON and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(".data"), help="with ham10000, isic2019 and uda1")
    parser.add_argument("--split", type=Path, default=Path("splits/isic2019-grouped-seed0.csv"))
    parser.add_argument("--images", type=int, default=JUDGED, help="judged, of each large set")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path, help="examples that are free to publish")
    parser.add_argument("--look", type=Path, help="all examples; most may not be passed on")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    subset = splits.load(arguments.split).subset
    ham, masks = (
        arguments.data / "ham10000" / f"HAM10000_{name}"
        for name in ("images", "segmentations_lesion_tschandl")
    )
    isic = arguments.data / "isic2019" / "ISIC_2019_Training_Input"
    paths = {
        "HAM10000": unseen(ham, subset, arguments.images),
        "ISIC 2019": unseen(isic, subset, arguments.images),
        "UDA-1": sorted((arguments.data / "uda1" / "images").glob("*.jpg"))[: arguments.images],
    }
    notes = {name: [quality_notes(read(path)) for path in track(some, name)] for name, some in paths.items()}
    rubbish = judged_junk()
    results: dict[str, Any] = {
        "images": {name: len(some) for name, some in paths.items()},
        "real": {name: shares(some) for name, some in notes.items()},
        "junk": {half: shares([one for *_, one in some]) for half, some in rubbish.items()},
        "junk_by_group": by_group(rubbish["judged"]),
        "junk_without_a_note": {
            half: [name for name, _, one in some if not one] for half, some in rubbish.items()
        },
        "cut_off": cut_off(paths["HAM10000"], notes["HAM10000"], masks),
        "faults": faults(paths["HAM10000"][:FAULTY], masks),
        "milliseconds": milliseconds(paths["HAM10000"][:TIMED]),
    }
    console = Console()
    console.print(table("Real images that get a note, %", results["real"]))
    console.print(table("Junk that gets a note, %", results["junk"]))
    console.print("Judged junk that gets a note, by group:", results["junk_by_group"])
    for half, missed in results["junk_without_a_note"].items():
        console.print(
            f"{half}: {len(missed)} of {len(rubbish[half])} without a note: {', '.join(missed) or 'none'}"
        )
    for fault, of in results["faults"].items():
        some = ", ".join(f"{100 * share:.0f} % {kind}" for kind, share in of.items() if share)
        console.print(f"{fault}: {some or 'no note'}")
    console.print("Cut-off lesions, against masks:", results["cut_off"])
    console.print(f"Milliseconds at {SIZE[0]}×{SIZE[1]}, one thread:", results["milliseconds"])
    if arguments.out:
        content = {"machine": f"{platform.machine()}, OpenCV {cv2.__version__}, 1 thread", **results}
        arguments.out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    for path, free in ((arguments.figure, True), (arguments.look, False)):
        if path:
            draw(examples(paths, notes, rubbish["judged"], free), path)


def examples(
    paths: dict[str, list[Path]], notes: dict[str, list[list[str]]], rubbish: Sequence[Example], free: bool
) -> dict[str, Sequence[Example]]:
    """Real images with notes, and one view of every judged source of junk; all, or those free to publish."""
    real = {
        f"{name}, with a note": [
            (path.stem, read(path), one) for path, one in zip(paths[name], some, strict=True) if one
        ][:SHOWN]
        for name, some in notes.items()
        if name in FREE or not free
    }
    made = [one for one in rubbish[1::VIEWS] if one[0].split("/", 1)[0] in FREE or not free]
    return {title: some for title, some in (real | {"junk, judged": made}).items() if some}


if __name__ == "__main__":
    main()
