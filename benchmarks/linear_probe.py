"""What do frozen ImageNet features already know? A logistic regression on Xception's pooled features.

The same images, preprocessing and split as a training recipe; the regularisation is chosen on validation, the
test part is scored once. A trained network has to beat this.

    python benchmarks/linear_probe.py --config configs/first.yaml --out experiments/linear_probe.json
"""

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader

from transxv2s.hardware import quick
from transxv2s.imaging.pipeline import MEAN, STD
from transxv2s.nets import load_trunk
from transxv2s.nets.xceptmod import XceptMod
from transxv2s.scoring import report
from transxv2s.taxonomy import ISIC2019
from transxv2s.training.data import LesionData, PreparedImages
from transxv2s.training.recipe import load_recipe

STRENGTHS = (0.0003, 0.001, 0.003)  # C of the logistic regression


@torch.inference_mode()
def features(network: nn.Module, images: PreparedImages, name: str) -> NDArray[np.float32]:
    """Pooled features (N, 2048), in bfloat16 autocast where the processor has it."""
    images.transform = None
    found = []
    for batch, _ in track(DataLoader(images, 64), f"features, {name}"):
        scaled = ((batch.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        with quick(torch.device("cpu")):
            found.append(network(scaled)[0]["xception"].float())
    return torch.cat(found).numpy()


def probe(data: LesionData, network: nn.Module, score_test: bool) -> dict[str, Any]:
    """Scores of the probe with the best validation balanced accuracy."""
    subsets = ("train", "validation", "test") if score_test else ("train", "validation")
    x = {s: features(network, data.dataset(s), s) for s in subsets}
    y = {s: np.array(data.labels(s)) for s in subsets}
    best: dict[str, Any] = {}
    for strength in track(STRENGTHS, "logistic regressions"):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=200)
        ).fit(x["train"], y["train"])
        scores = {s: _report(data, s, model.predict_proba(x[s]), y[s]) for s in subsets[1:]}
        value = scores["validation"]["balanced_accuracy"]["value"]
        if not best or value > best["validation"]["balanced_accuracy"]["value"]:
            best = {"C": strength, **scores}
    return best


def _report(
    data: LesionData, subset: str, probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> dict[str, Any]:
    lesions = [data.split.lesion[record.id] for record in data.records[subset]]
    return dict(report(probabilities, labels, lesions, ISIC2019))


def main() -> None:
    """Prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--timm-pooling", action="store_true", help="symmetric max-pooling instead of Keras' same"
    )
    parser.add_argument(
        "--validation-only", action="store_true", help="for choices: leave the test part alone"
    )
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.config, arguments.set)
    data = LesionData(recipe)
    network = XceptMod(dcgan=False).eval().to(memory_format=torch.channels_last)
    if arguments.timm_pooling:
        for block in (1, 2, 3, 12):
            network.trunk.get_submodule(f"block{block}.rep")[-1] = nn.MaxPool2d(3, 2, 1)
    assert recipe.network.xception_weights, "the recipe must name network.xception_weights"
    load_trunk(network.trunk, recipe.network.xception_weights)
    result = probe(data, network, not arguments.validation_only)
    for subset in ("validation", "test"):
        if subset in result:
            shown = {k: result[subset][k] for k in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc")}
            Console().print(f"linear probe, C = {result['C']}, {subset} of split {data.split.digest}:", shown)
    if arguments.out:
        machine = f"{platform.machine()}, torch {torch.__version__}"
        content = {"split": data.split.digest, "machine": machine, "recipe": recipe.model_dump(mode="json")}
        arguments.out.write_text(json.dumps(content | result, indent=1) + "\n")


if __name__ == "__main__":
    main()
