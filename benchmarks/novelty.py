"""Which score of novelty tells junk from dermoscopy? Four scores on the features of a trained network.

Scores are fitted to training images (as many of each class), the threshold to validation images, of which it
refers at most `--share`; scored are test images, lesion-disjoint, against the groups of `junk.py`. Then
held-out classes: where the checkpoint does not know them, its own logits are scored; where it does, a
logistic regression on its features, fitted to the other classes only, replaces its classifier. That is the
easier question, as the features were learned with the held-out classes. Of a checkpoint that does not know
them it is also told what its whole referral policy does with them.

Intervals resample lesions of known images and sources of junk (lesions of held-out classes); the threshold
and the fit stay. Features are computed in bfloat16, where the processor has it, and kept in --cache; a
stopped run goes on.

    python benchmarks/novelty.py --out experiments/novelty.json --figure experiments/novelty.png
    transxv2s train --config configs/held_out.yaml --out runs/held_out
    python benchmarks/novelty.py --checkpoint runs/held_out/checkpoint --source HAM10000 --out …
"""

import argparse
import hashlib
import io
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression

from junk import junk
from transxv2s.checkpoint import CheckpointConfig, read_checkpoint, read_config
from transxv2s.classifier import Classifier, default_checkpoint
from transxv2s.datasets import ham10000, isic2019, splits
from transxv2s.datasets.records import Record, with_larger_files
from transxv2s.errors import DataError
from transxv2s.evaluation.novelty_figure import distributions
from transxv2s.files import write_whole
from transxv2s.hardware import quick
from transxv2s.imaging.pipeline import to_tensor
from transxv2s.nets import TransXV2SNet
from transxv2s.progress import progress
from transxv2s.scoring.arrays import mean_defined, ratio
from transxv2s.scoring.bootstrap import bootstrap, lesion_numbers
from transxv2s.scoring.ranking import OneVersusRest
from transxv2s.scoring.shares import lesion_shares
from transxv2s.taxonomy import ISIC2019
from transxv2s.trust.novelty import SCORES, Kind, fit_threshold, to_bytes

Floats = NDArray[np.float64]
KNOWN, MEAN, BATCH, DRAWS = "known", "mean of groups", 32, 2000
REFERENCES: tuple[Kind, ...] = ("softmax", "energy")
CLASSIFIER_STRENGTH = 0.1  # C of the logistic regression, not tuned


@dataclass(frozen=True)
class Images:
    """N images.

    Attributes:
        group: Subset, or what kind of junk.
        unit: What intervals resample: the lesion, or the source of junk.
        code: Class; "" for junk.
        features: (N, 512).
        logits: (N, K).
    """

    group: NDArray[np.str_]
    unit: NDArray[np.str_]
    code: NDArray[np.str_]
    features: Floats
    logits: Floats

    def take(self, chosen: NDArray[np.bool_]) -> "Images":
        """Some of them."""
        return Images(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


class Item(NamedTuple):
    """An image before the network: group, unit of resampling, class code, content of its file."""

    group: str
    unit: str
    code: str
    content: bytes


class Sample(NamedTuple):
    """What is scored: the kinds' scores (N,) of known and unknown images with their groups and units."""

    group: NDArray[np.str_]
    unit: NDArray[np.str_]
    scores: dict[Kind, Floats]
    thresholds: dict[Kind, float]


def spread(records: Sequence[Record], count: int, seed: int = 0) -> list[Record]:
    """At most so many, at random."""
    order = np.random.default_rng(seed).permutation(len(records))[:count]
    return [records[i] for i in order]


def choose(options: argparse.Namespace) -> list[Item]:
    """Images of each subset, all other test images of held-out classes, and the junk."""
    split = splits.load(options.split)
    every = with_larger_files(isic2019.read(options.root).records, ham10000.files(options.ham10000))
    records = [r for r in every if options.source in (None, r.source)]
    train, validation, test = (split.select(records, subset) for subset in splits.SUBSETS)
    held = [r for r in test if ISIC2019.codes[r.label] in options.held_out]
    by_class = [[r for r in train if r.label == k] for k in range(len(ISIC2019))]
    chosen = {
        "train": [r for some in by_class for r in spread(some, options.train)],
        "validation": spread(validation, options.known),
        KNOWN: spread(test, options.known),
    }
    chosen["held out"] = [r for r in held if r not in chosen[KNOWN]]
    items = [
        Item(group, split.lesion[r.id], ISIC2019.codes[r.label], r.path.read_bytes())
        for group, some in chosen.items()
        for r in some
    ]
    return items + [Item(j.group, j.source, "", j.content) for j in junk(options.views)]


def measured(items: Sequence[Item], checkpoint: Path, cache: Path) -> tuple[Images, tuple[str, ...]]:
    """The items through the network, and the classes of its logits; what the cache has is not done again."""
    read = read_checkpoint(checkpoint)
    classifier, network = Classifier(read, "cpu"), read.model
    assert isinstance(network, TransXV2SNet)
    path = cache / f"{_digest(read.config)}.npz"
    cache.mkdir(parents=True, exist_ok=True)
    rows = _cached(path)
    keys = [hashlib.sha256(item.content).hexdigest() for item in items]
    todo = {key: item.content for key, item in zip(keys, items, strict=True) if key not in rows}
    with progress("Features", len(todo)) as advance:
        for start in range(0, len(todo), BATCH):
            batch = list(todo)[start : start + BATCH]
            rows |= dict(zip(batch, _rows([todo[key] for key in batch], classifier, network), strict=True))
            buffer = io.BytesIO()
            np.savez(buffer, keys=np.array(list(rows)), rows=np.stack(list(rows.values())))
            write_whole(path, buffer.getvalue())
            advance(len(batch))
    found = np.stack([rows[key] for key in keys]).astype(np.float64)
    group, unit, code = (np.array([getattr(item, name) for item in items]) for name in Item._fields[:3])
    width = network.num_features
    return Images(group, unit, code, found[:, :width], found[:, width:]), classifier.taxonomy.codes


def _digest(config: CheckpointConfig) -> str:
    """Of what features come from: weights and preprocessing."""
    content = json.dumps([config.weights, config.preprocessing.digest()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _cached(path: Path) -> dict[str, NDArray[np.float32]]:
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return dict(zip(arrays["keys"].tolist(), arrays["rows"], strict=True))


@torch.inference_mode()
def _rows(contents: Sequence[bytes], classifier: Classifier, network: TransXV2SNet) -> NDArray[np.float32]:
    """Features and logits, (B, 512 + K)."""
    x = torch.stack([to_tensor(classifier.prepare(content).seen) for content in contents])
    with quick(torch.device("cpu")):
        features = network.forward_features(x.contiguous(memory_format=torch.channels_last)).float()
    return torch.cat([features, network.classifier(features)], dim=1).numpy()


def fitted(
    train: Images, validation: Images, codes: Sequence[str], share: float
) -> tuple[dict[Kind, Any], dict[Kind, float]]:
    """Scores fitted to training images of these classes, and their thresholds."""
    labels = np.array([codes.index(code) for code in train.code])
    scores = {kind: score.fit(train.logits, train.features, labels) for kind, score in SCORES.items()}
    return scores, {
        kind: fit_threshold(score.scores(validation.logits, validation.features), share)
        for kind, score in scores.items()
    }


def compared(sample: Sample) -> dict[str, dict[str, Any]]:
    """By kind and group AUROC and share missed with intervals; paired differences from the references."""
    unit = lesion_numbers(sample.unit.tolist(), len(sample.unit))
    groups = [g for g in dict.fromkeys(sample.group.tolist()) if g != KNOWN]
    orders = {(kind, g): _order(sample, kind, g) for kind in sample.scores for g in groups}

    def statistic(weights: Floats) -> Floats:
        w = weights[:, unit]
        auroc = {key: order.auc(w[:, rows]) for key, (rows, order) in orders.items()}
        missed = {(kind, g): _missed(sample, kind, g, w) for kind, g in orders}
        columns = []
        for kind in sample.scores:
            columns += [auroc[kind, g] for g in groups] + [missed[kind, g] for g in groups]
            columns += [_mean(auroc, kind, groups), _mean(missed, kind, groups), _referred(sample, kind, w)]
            for reference in REFERENCES:
                columns += [_mean(v, kind, groups) - _mean(v, reference, groups) for v in (auroc, missed)]
        return np.stack(columns, axis=-1)

    names = [(m, g) for m in ("auroc", "missed") for g in groups] + [("auroc", MEAN), ("missed", MEAN)]
    names += [("referred", KNOWN)]
    names += [(f"{m} less that of {r}", MEAN) for r in REFERENCES for m in ("auroc", "missed")]
    found = iter(bootstrap(statistic, int(unit.max()) + 1, draws=DRAWS, seed=0, level=0.95))
    result: dict[str, dict[str, Any]] = {}
    for kind in sample.scores:
        for measure, group in names:
            result.setdefault(kind, {}).setdefault(group, {})[measure] = next(found)
    return result


def _order(sample: Sample, kind: Kind, group: str) -> tuple[NDArray[np.intp], OneVersusRest]:
    rows = np.flatnonzero(np.isin(sample.group, [KNOWN, group]))
    return rows, OneVersusRest.of(sample.scores[kind][rows], sample.group[rows] == group)


def _missed(sample: Sample, kind: Kind, group: str, weights: Floats) -> Floats:
    w = weights[:, sample.group == group]
    below = sample.scores[kind][sample.group == group] <= sample.thresholds[kind]
    return ratio(w @ below, w.sum(-1))


def _referred(sample: Sample, kind: Kind, weights: Floats) -> Floats:
    return 1 - _missed(sample, kind, KNOWN, weights)


def _mean(values: dict[tuple[Kind, str], Floats], kind: Kind, groups: Sequence[str]) -> Floats:
    return mean_defined(np.stack([values[kind, g] for g in groups], axis=-1))


def experiment(
    train: Images, validation: Images, scored: Images, codes: Sequence[str], share: float
) -> tuple[dict[str, Any], Sample]:
    """One comparison: fitted, thresholded, scored."""
    scores, thresholds = fitted(train, validation, codes, share)
    values = {kind: score.scores(scored.logits, scored.features) for kind, score in scores.items()}
    sample = Sample(scored.group, scored.unit, values, thresholds)
    of_group = {g: scored.group == g for g in dict.fromkeys(scored.group.tolist())}
    content = {
        "trained_on": len(train.code),
        "validated_on": len(validation.code),
        "images": {g: int(rows.sum()) for g, rows in of_group.items()},
        "units": {g: len(set(scored.unit[rows])) for g, rows in of_group.items()},
        "thresholds": thresholds,
        "bytes": {kind: len(to_bytes(score)) for kind, score in scores.items()},
        "scores": compared(sample),
    }
    return content, sample


def junk_experiment(images: Images, codes: Sequence[str], share: float) -> tuple[dict[str, Any], Sample]:
    """Known images of the network's classes against the junk."""
    mine = np.isin(images.code, codes)
    scored = images.take((images.code == "") | (mine & (images.group == KNOWN)))
    train, validation = (images.take(mine & (images.group == g)) for g in ("train", "validation"))
    return experiment(train, validation, scored, codes, share)


def held_out_experiment(
    images: Images, codes: Sequence[str], held_out: Sequence[str], share: float
) -> dict[str, Any]:
    """Known classes against those held out, each a group."""
    taught = not set(held_out).isdisjoint(codes)
    if taught:
        codes = [code for code in codes if code not in held_out]
        images = _with_own_classifier(images, codes)
    held = np.isin(images.code, held_out)
    tested = np.isin(images.group, [KNOWN, "held out"])
    group = np.where(held & tested, images.code, images.group)
    images = Images(group, images.unit, images.code, images.features, images.logits)
    mine = np.isin(images.code, codes)
    train, validation = (images.take(mine & (images.group == g)) for g in ("train", "validation"))
    scored = images.take((held & tested) | (mine & (images.group == KNOWN)))
    found, _ = experiment(train, validation, scored, codes, share)
    return {"features_learned_with_the_held_out_classes": taught, **found}


def policy_experiment(
    items: Sequence[Item], checkpoint: Path, held_out: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By group (known, or the held-out class) the share of lesions that the checkpoint's policy refers."""
    classifier = Classifier(read_checkpoint(checkpoint), "cpu")
    tested = [item for item in items if item.group in (KNOWN, "held out")]
    groups = {KNOWN: classifier.taxonomy.codes} | {code: (code,) for code in held_out}
    result: dict[str, dict[str, Any]] = {}
    for name, codes in groups.items():
        chosen = [item for item in tested if item.code in codes]
        findings = classifier.classify([item.content for item in chosen])
        sent = np.array([finding.decision == "expert_review" for finding in findings])
        units = lesion_numbers([item.unit for item in chosen], len(chosen))
        (shares,) = lesion_shares([(sent, np.ones(len(sent)))], units)
        result[name] = {"images": len(chosen), "lesions": len(set(units)), "referred": shares}
    return result


def _with_own_classifier(images: Images, codes: Sequence[str]) -> Images:
    """Logits of a logistic regression on the features of training images of these classes."""
    train = images.take((images.group == "train") & np.isin(images.code, codes))
    labels = [codes.index(code) for code in train.code]
    head = LogisticRegression(C=CLASSIFIER_STRENGTH, max_iter=1000).fit(train.features, labels)
    logits = head.decision_function(images.features)
    return Images(images.group, images.unit, images.code, images.features, logits)


def table(found: dict[str, Any], title: str) -> Table:
    """A row a group, two columns a score: AUROC, and at the threshold the share missed."""
    kinds = list(found["scores"])
    result = Table(title=title)
    result.add_column("group (images, units)")
    for kind in kinds:
        result.add_column(kind.replace("_", "\n") + "\nAUROC", justify="right")
        result.add_column("missed", justify="right")
    groups = [g for g in found["images"] if g != KNOWN]
    for group in [*groups, MEAN]:
        size = "" if group == MEAN else f" ({found['images'][group]}, {found['units'][group]})"
        cells = [_cell(found["scores"][k][group][m]) for k in kinds for m in ("auroc", "missed")]
        result.add_row(group + size, *cells, end_section=group == groups[-1])
    for reference in REFERENCES:
        names = [f"{m} less that of {reference}" for m in ("auroc", "missed")]
        differences = [_cell(found["scores"][k][MEAN][n]) for k in kinds for n in names]
        result.add_row(f"less {reference}", *differences)
    referred = [c for k in kinds for c in ("", _cell(found["scores"][k][KNOWN]["referred"]))]
    size = f"{found['images'][KNOWN]}, {found['units'][KNOWN]}"
    result.add_row(f"known ({size}) referred", *referred)
    return result


def policy_table(found: dict[str, dict[str, Any]]) -> Table:
    """A row a group: how many lesions, and what share of them an expert is to see."""
    result = Table("group", "images", "lesions", "referred", title="The whole policy")
    for group, row in found.items():
        result.add_row(group, str(row["images"]), str(row["lesions"]), _cell(row["referred"]))
    return result


def _cell(interval: dict[str, float | None]) -> str:
    value, low, high = (
        "–" if interval[k] is None else f"{interval[k]:.2f}" for k in ("value", "low", "high")
    )
    return f"{value}\n{low}…{high}"


def draw(sample: Sample, kind: Kind, path: Path) -> None:
    """Histograms of one score by group."""
    groups = {g: sample.scores[kind][sample.group == g] for g in dict.fromkeys(sample.group.tolist())}
    known = groups.pop(KNOWN)
    distributions(known, groups, sample.thresholds[kind], kind.replace("_", " ")).savefig(path, dpi=150)


def best(found: dict[str, Any]) -> Kind:
    """The score with the greatest mean AUROC over the groups."""
    kinds: list[Kind] = list(found["scores"])
    return max(kinds, key=lambda kind: found["scores"][kind][MEAN]["auroc"]["value"])


def main() -> None:
    """Prints two tables and writes JSON and the figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=default_checkpoint())
    parser.add_argument("--root", type=Path, default=Path(".data/isic2019"))
    parser.add_argument("--ham10000", type=Path, default=Path(".data/ham10000"))
    parser.add_argument("--split", type=Path, default=Path("splits/isic2019-grouped-without-uda1-seed0.csv"))
    parser.add_argument("--cache", type=Path, default=Path(".data/novelty"))
    parser.add_argument("--train", type=int, default=60, help="images of each class to fit scores to")
    parser.add_argument("--known", type=int, default=250, help="validation images, and as many test images")
    parser.add_argument("--views", type=int, default=4, help="of each source of junk")
    parser.add_argument("--share", type=float, default=0.05, help="of known images that may be referred")
    parser.add_argument("--held-out", nargs="+", default=["VASC", "DF"], choices=ISIC2019.codes)
    parser.add_argument("--source", help="only images of this collection, such as HAM10000")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG or SVG file to write")
    options = parser.parse_args()
    if read_config(options.checkpoint)[0].training.get("split_digest") != splits.digest(options.split):
        raise DataError(
            f"{options.checkpoint} was trained on another split than {options.split}: name that one"
        )
    items = choose(options)
    images, codes = measured(items, options.checkpoint, options.cache)
    junk_found, sample = junk_experiment(images, codes, options.share)
    held_found = held_out_experiment(images, codes, options.held_out, options.share)
    console = Console(width=170)
    console.print(table(junk_found, "junk against dermoscopy"))
    console.print(table(held_found, f"held out: {', '.join(options.held_out)}"))
    if not held_found["features_learned_with_the_held_out_classes"]:
        held_found["policy"] = policy_experiment(items, options.checkpoint, options.held_out)
        console.print(policy_table(held_found["policy"]))
    winner = best(junk_found)
    console.print(f"greatest mean AUROC against junk: {winner}")
    if options.out:
        content = {
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
            "split": splits.digest(options.split),
            "settings": {k: str(v) for k, v in vars(options).items() if k not in ("out", "figure", "cache")},
            "best": winner,
            "junk": junk_found,
            "held_out": held_found,
        }
        options.out.write_text(json.dumps(content, indent=1) + "\n")
    if options.figure:
        draw(sample, winner, options.figure)


if __name__ == "__main__":
    main()
