"""The end of a run: calibration on validation only, scores by the outside judge, and the protocol."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, log_loss
from torch import nn

from transxv2s.checkpoint import CheckpointConfig
from transxv2s.datasets.provenance import SeenImages
from transxv2s.evaluation.scored import ScoredImages
from transxv2s.training import publish as publishing
from transxv2s.training.data import LesionData
from transxv2s.training.publish import Protocol, publish
from transxv2s.trust.calibration import fit_temperature
from transxv2s.trust.fitting import Fitted, fit
from transxv2s.trust.scaling import Temperature

from .tiny import recipe

PROTOCOL = Protocol(
    recipe={},
    split_digest="abc",
    images={"train": 32},
    class_sizes={"MEL": 4},
    leaky=False,
    epochs=3,
    training_minutes=1.5,
    machine="x",
)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[CheckpointConfig]:
    """Configs that reach the checkpoint writer, which has tests of its own."""
    configs: list[CheckpointConfig] = []

    def write(directory: Path, model: nn.Module, config: CheckpointConfig, **options: Any) -> None:
        assert options["half"]
        seen = SeenImages.from_bytes(options["seen_images"])
        assert len(seen.ids) == len(seen.lesions) == 40  # training and validation, not test
        configs.append(config)

    monkeypatch.setattr(publishing, "write_checkpoint", write)
    return configs


def test_what_is_published(data: Path, tmp_path: Path, written: list[CheckpointConfig]) -> None:
    module = LesionData(recipe(data))
    generator = torch.Generator().manual_seed(0)
    sizes = {"train": len(module.known), "validation": 8, "test": 8}
    said = {subset: torch.randn(size, 8 + 5, generator=generator) * 4 for subset, size in sizes.items()}
    logits = {subset: values[:, :8] for subset, values in said.items()}
    assert publish(nn.Linear(1, 1), module, said, PROTOCOL, tmp_path / "c") == tmp_path / "c"
    (config,) = written
    assert config.trust is not None
    expected = fit_temperature(logits["validation"].double().numpy(), module.labels("validation"))
    assert config.trust.scaling == Temperature(temperature=expected), "of 8 lesions nothing richer is fitted"
    assert config.trust.novelty is None, "8 images tell no threshold"
    assert config.trust.fitted_on.endswith("8 images")
    assert config.training == PROTOCOL.model_dump(mode="json", by_alias=True)
    for subset in ("validation", "test"):
        scores: Any = config.metrics[subset]
        truth = balanced_accuracy_score(module.labels(subset), logits[subset].argmax(1))
        assert scores["balanced_accuracy"]["value"] == pytest.approx(truth)
        assert (scores["images"], scores["lesions"]) == (8, 8)
        assert scores["split"] == f"{subset} part of split (digest {module.split.digest})"


def test_what_is_stored_of_validation_images_was_calibrated_on_other_lesions(
    data: Path, tmp_path: Path, written: list[CheckpointConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the table and in the scores of the checkpoint; the logits stand beside, as the network gave them."""
    module = LesionData(recipe(data))
    held_out = np.random.default_rng(1).dirichlet(np.ones(8), 8)

    def fitted(*arguments: Any) -> Fitted:
        return fit(*arguments)._replace(held_out=held_out)

    monkeypatch.setattr(publishing, "fit", fitted)
    sizes = {"train": len(module.known), "validation": 8, "test": 8}
    said = {subset: torch.randn(size, 8 + 5) * 4 for subset, size in sizes.items()}
    publish(nn.Linear(1, 1), module, said, PROTOCOL, tmp_path / "c")
    (config,) = written
    assert config.trust is not None
    tables = {s: ScoredImages.read(tmp_path / f"predictions-{s}.csv") for s in ("validation", "test")}
    for subset, table in tables.items():
        assert np.array_equal(table.logits, said[subset][:, :8].double().numpy())
        assert np.array_equal(table.predicted, config.trust.adjusted(table.probabilities).argmax(1))
    assert np.array_equal(tables["validation"].probabilities, held_out)
    expected = config.trust.scaling.probabilities(tables["test"].logits)
    assert np.allclose(tables["test"].probabilities, expected)
    scores: Any = config.metrics["validation"]
    assert scores["nll"] == pytest.approx(log_loss(tables["validation"].labels, held_out, labels=range(8)))


def test_seen_images_keep_the_publishers_lesions(data: Path) -> None:
    """A group that joins lesions by a copy has one name; images of the others must be known too."""
    module = LesionData(recipe(data))
    module.split = replace(module.split, lesion=dict.fromkeys(module.split.lesion, "one group"))
    records = [*module.records["train"], *module.records["validation"]]
    seen = publishing.seen_images(module)
    assert seen is not None
    assert dict(zip(seen.ids, seen.lesions, strict=True)) == {r.id: r.lesion for r in records}
