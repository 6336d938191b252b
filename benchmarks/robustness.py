"""Does referral rise where accuracy falls? A checkpoint under fifteen corruptions at five severities.

Images are drawn evenly over the classes, one a lesion, so balanced accuracy rests on as many images of rare
classes as there are; shares referred are of this mixture, not of a clinic's. AURC is that of the probability
of the class that is named; all corrupted images together tell which score of confidence is the better one
there, with intervals over lesions. The file named with --out grows cell by cell, and a stopped run goes on
from it; of each cell it also holds, image by image, what curves of risk and coverage need.

    python benchmarks/robustness.py --checkpoint DIR --dataset isic2019 --root .data/isic2019 \
        --ham10000 .data/ham10000 --split splits/isic2019-grouped-without-uda1-seed0.csv \
        --out experiments/robustness.json --figure experiments/robustness.png
    python benchmarks/robustness.py --sheet docs/images/corruptions.png --sheet-image samples/ISIC_0000332.jpg
"""

import argparse
import json
import platform
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from transxv2s.classifier import Classifier, Prepared
from transxv2s.cli.dataset import read_dataset
from transxv2s.datasets import splits
from transxv2s.datasets.portion import Portion
from transxv2s.datasets.records import Record
from transxv2s.errors import ConfigError
from transxv2s.evaluation.robustness_figure import Cell, robustness
from transxv2s.files import write_whole
from transxv2s.finding import Finding
from transxv2s.imaging.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from transxv2s.imaging.decode import decode
from transxv2s.progress import progress
from transxv2s.scoring import score
from transxv2s.scoring.arrays import share
from transxv2s.scoring.selective import (
    CONFIDENCES,
    RiskCoverage,
    selective,
    selective_difference,
    selective_intervals,
)
from transxv2s.taxonomy import Taxonomy
from transxv2s.trust.rules import needing_expert

CLEAN = "none 0"
OWN = "named class"
DRAWS = 200  # of the bootstrap: it weighs all corrupted images in each
SILENT = 0.05  # a fall of balanced accuracy that should not go without more referrals
THUMBNAIL = 160  # pixels, width in the contact sheet


def evenly(records: Sequence[Record], lesion: dict[str, str], count: int, seed: int) -> list[Record]:
    """Up to `count` records, one a lesion, the classes in turn until each has no more."""
    order = np.random.default_rng(seed).permutation(len(records))
    first = {lesion[records[i].id]: records[i] for i in reversed(order)}
    by_class: dict[int, list[Record]] = defaultdict(list)
    for record in first.values():
        by_class[record.label].append(record)
    turns = ((turn, label) for label, some in by_class.items() for turn in range(len(some)))
    return [by_class[label][turn] for turn, label in sorted(turns)[:count]]


@dataclass(frozen=True)
class Trial:
    """What is corrupted and classified.

    Attributes:
        classifier: The checkpoint.
        records: Images; labels are positions in the taxonomy of the classifier.
        seed: Of the corruptions; image i gets seed + i.
        batch: Images that go through the network together.
    """

    classifier: Classifier
    records: Sequence[Record]
    seed: int
    batch: int

    def findings(self, name: str, severity: int) -> list[Finding]:
        """Of every image, under one corruption; severity 0 leaves images as they are."""
        found: list[Finding] = []
        work = partial(self._prepared, name, severity)
        with ThreadPoolExecutor() as pool, progress(f"{name} {severity}", len(self.records)) as advance:
            for start in range(0, len(self.records), self.batch):
                places = range(start, min(start + self.batch, len(self.records)))
                images = list(pool.map(work, places))
                found += self.classifier.findings(images)
                advance(len(images))
        return found

    def _prepared(self, name: str, severity: int, place: int) -> Prepared:
        record = self.records[place]
        rgb = decode(record.path)
        image = corrupt(rgb, name, severity, self.seed + place) if severity else rgb
        prepared = self.classifier.prepare(image, record.id)
        return replace(prepared, original=prepared.seen)


def scores(findings: Sequence[Finding], labels: Sequence[int], taxonomy: Taxonomy) -> dict[str, Any]:
    """Scores of one cell, None where there is nothing to take a share of; and what curves are drawn from."""
    probabilities = np.array([list(finding.probabilities.values()) for finding in findings])
    predicted = np.array([taxonomy.index(finding.predicted) for finding in findings])
    found = score(probabilities, labels, taxonomy, adjusted=np.eye(len(taxonomy))[predicted])
    referred = np.array([finding.decision == "expert_review" for finding in findings])
    needs = needing_expert(taxonomy)
    safe = (referred | needs[predicted])[needs[np.asarray(labels)]]
    wrong = predicted != np.array(labels)
    confidence = np.array([finding.probabilities[finding.predicted] for finding in findings])
    confidences = {OWN: confidence} | {name: rate(probabilities) for name, rate in CONFIDENCES.items()}
    return {
        "balanced_accuracy": found["balanced_accuracy"],
        "accuracy": found["accuracy"],
        "ece": found["ece"],
        "referred": float(referred.mean()),
        "accuracy_of_answers": share(~wrong[~referred]),
        "safe": share(safe),  # malignant or precancerous: recognised as such, or referred
        "with_a_quality_note": float(np.mean([bool(finding.quality) for finding in findings])),
        "aurc": selective(confidence, wrong, labels)["aurc"],
        "images": {
            "confidence": {name: values.round(4).tolist() for name, values in confidences.items()},
            "wrong": wrong.astype(int).tolist(),
            "referred": referred.astype(int).tolist(),
        },
    }


def started(path: Path | None, setting: dict[str, Any]) -> dict[str, Any]:
    """Cells that are already in a file.

    Raises:
        ConfigError: They were made with another setting.
    """
    if path is None or not path.exists():
        return {}
    content = json.loads(path.read_text())
    if content["setting"] != setting:
        raise ConfigError(f"{path} holds another checkpoint, images or seed: remove it or name another --out")
    return dict(content["cells"])


def summary(cells: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Spearman's rank correlation between fall of balanced accuracy and rise of referral, over all cells.

    Without a p-value: all cells are of the same images, so they are not independent.
    """
    clean = cells[CLEAN]
    rest = {name: cell for name, cell in cells.items() if name != CLEAN}
    fall = {name: clean["balanced_accuracy"] - cell["balanced_accuracy"] for name, cell in rest.items()}
    rise = {name: cell["referred"] - clean["referred"] for name, cell in rest.items()}
    ranked = min(len(set(fall.values())), len(set(rise.values()))) > 1
    rank = spearmanr(list(fall.values()), list(rise.values())) if ranked else None
    return {
        "cells": len(rest),
        "rank_correlation": rank and round(float(rank.statistic), 3),
        "silent": [name for name in rest if fall[name] > SILENT and rise[name] <= 0],
    }


def confidences(cells: dict[str, dict[str, Any]], labels: Sequence[int]) -> dict[str, Any]:
    """Areas of each score over all corrupted images, and less that of the class that is named."""
    images = [cell["images"] for name, cell in cells.items() if name != CLEAN]
    wrong, truth = np.concatenate([one["wrong"] for one in images]), np.tile(labels, len(images))
    lesions = list(range(len(labels))) * len(images)
    curves = {
        name: RiskCoverage(np.concatenate([one["confidence"][name] for one in images]), wrong, truth)
        for name in (OWN, *CONFIDENCES)
    }
    return {
        name: {
            "areas": selective_intervals(curve, lesions, draws=DRAWS),
            "less_that_of_the_named_class": selective_difference(curve, curves[OWN], lesions, draws=DRAWS),
        }
        for name, curve in curves.items()
    }


def confidence_table(found: dict[str, Any]) -> Table:
    """AURC and AUGRC of each score, times 1,000."""
    result = Table(title="All corrupted images together: areas × 1,000, lower is better; 95 % over lesions")
    for heading in ("score", "AURC", "− named class", "AUGRC", "− named class"):
        result.add_column(heading, justify="right" if heading != "score" else "left")
    for name, one in found.items():
        columns = [one[kind][area] for area in ("aurc", "augrc") for kind in one]
        cells = (
            f"{1000 * c['value']:.1f} ({1000 * c['low']:.1f} to {1000 * c['high']:.1f})" for c in columns
        )
        result.add_row(name, *cells)
    return result


def table(cells: dict[str, dict[str, Any]]) -> Table:
    """One row a cell, in per cent."""
    result = Table(title="Under corruption, %")
    result.add_column("corruption")
    keys = [key for key in cells[CLEAN] if key != "images"]
    for key in keys:
        result.add_column(key.replace("_", " "), justify="right")
    for name, cell in cells.items():
        values = ("–" if cell.get(key) is None else f"{100 * cell[key]:.1f}" for key in keys)
        result.add_row(name.replace("_", " "), *values, end_section=name.endswith(("0", "5")))
    return result


def figure(cells: dict[str, dict[str, Any]], path: Path) -> None:
    """Accuracy, referral and calibration."""
    drawn = []
    for key, cell in cells.items():
        name, severity = key.rsplit(" ", 1)
        drawn.append(Cell(name, int(severity), *(cell[key] for key in Cell._fields[2:])))
    robustness(drawn[0], drawn[1:]).savefig(path, dpi=130)


def write_sheet(image: Path, path: Path) -> None:
    """One row a corruption: its name and the five severities; the original on top."""
    rgb = decode(image)
    size = THUMBNAIL, round(THUMBNAIL * rgb.shape[0] / rgb.shape[1])
    rows = []
    for name in ("original", *CORRUPTIONS):
        severities = (corrupt(rgb, name, s) for s in SEVERITIES) if name in CORRUPTIONS else [rgb]
        images = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in severities]
        label = np.full_like(images[0], 255)
        cv2.putText(label, name, (4, size[1] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        blank = [np.full_like(images[0], 255)] * (len(SEVERITIES) - len(images))
        rows.append(np.hstack([label, *images, *blank]))
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--dataset", default="isic2019")
    parser.add_argument("--root", type=Path, default=Path(".data/isic2019"))
    parser.add_argument("--ham10000", type=Path, help="isic2019: take HAM10000's larger files from here")
    parser.add_argument("--split", type=Path)
    parser.add_argument("--subset", default="test")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--corruptions", nargs="+", choices=CORRUPTIONS, default=list(CORRUPTIONS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--engine", default="auto", help="what runs the network, as for predict")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--sheet", type=Path, help="only draw a contact sheet of the corruptions")
    parser.add_argument("--sheet-image", type=Path, default=Path("samples/ISIC_0000332.jpg"))
    chosen = parser.parse_args()
    if not chosen.sheet and not (chosen.checkpoint and chosen.split):
        parser.error("name --checkpoint and --split, or --sheet")
    return chosen


def trial(chosen: argparse.Namespace) -> tuple[Trial, dict[str, Any]]:
    """What is to be done, and the setting that a result depends on."""
    classifier = Classifier.load(chosen.checkpoint, engine=chosen.engine)
    reading = read_dataset(chosen.dataset, chosen.root, ham10000=chosen.ham10000)
    if reading.taxonomy.codes != classifier.taxonomy.codes:
        raise ConfigError(
            "the data set has other classes than the checkpoint: take one with the same classes"
        )
    split = splits.load(chosen.split)
    records = Portion(chosen.dataset, reading, split).part(chosen.subset)
    drawn = evenly(records, split.lesion, chosen.images, chosen.seed)
    setting = {
        "checkpoint": classifier.digest,
        "dataset": chosen.dataset,
        "larger_files": bool(reading.larger_files),
        "split": split.digest,
        "subset": chosen.subset,
        "images": [record.id for record in drawn],
        "seed": chosen.seed,
        "engine": classifier.engine,
    }
    return Trial(classifier, drawn, chosen.seed, chosen.batch), setting


def main() -> None:
    """Prints a table and the answer, and writes JSON as it goes and the figure."""
    chosen = arguments()
    if chosen.sheet:
        write_sheet(chosen.sheet_image, chosen.sheet)
        return
    run, setting = trial(chosen)
    cells = started(chosen.out, setting)
    labels = [record.label for record in run.records]
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"

    def content(cells: dict[str, Any]) -> dict[str, Any]:
        return {"machine": machine, "setting": setting, "answer": summary(cells), "cells": cells}

    wanted = [("none", 0), *((name, s) for name in chosen.corruptions for s in SEVERITIES)]
    for name, severity in wanted:
        if f"{name} {severity}" not in cells:
            found = run.findings(name, severity)
            cells[f"{name} {severity}"] = scores(found, labels, run.classifier.taxonomy)
            if cells[CLEAN]["referred"] == 1:
                raise ConfigError("every image is referred as it is: take a checkpoint that is calibrated")
            if chosen.out:
                write_whole(chosen.out, json.dumps(content(cells)) + "\n")
    console, answer = Console(width=150), summary(cells)
    compared = confidences(cells, labels)
    if chosen.out:
        write_whole(chosen.out, json.dumps(content(cells) | {"confidences": compared}) + "\n")
    console.print(table(cells))
    console.print(confidence_table(compared))
    console.print(
        f"Does referral rise where accuracy falls? Spearman's rank correlation over {answer['cells']} cells: "
        f"{answer['rank_correlation']}. Balanced accuracy falls by over {100 * SILENT:.0f} points and "
        f"referral does not rise: {', '.join(answer['silent']) or 'nowhere'}."
    )
    if chosen.figure:
        figure(cells, chosen.figure)


if __name__ == "__main__":
    main()
