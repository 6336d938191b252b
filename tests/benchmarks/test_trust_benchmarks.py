"""Benchmarks of prediction sets, of selective prediction and of robustness on tables as runs leave them."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from transxv2s.checkpoint import CONFIG_FILE, read_config
from transxv2s.classifier import default_checkpoint
from transxv2s.errors import ConfigError, DataError
from transxv2s.evaluation.scored import ScoredImages
from transxv2s.evaluation.table import encoded
from transxv2s.finding import Finding
from transxv2s.scoring.selective import selective
from transxv2s.taxonomy import ISIC2019
from transxv2s.trust.calibration import softmax
from transxv2s.trust.conformal import fit
from trusting import plain_trust

FOLDER = Path(__file__).parents[2] / "benchmarks"
CODES = ISIC2019.codes


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def run(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    script(name).main()


def stored(path: Path, images: int, seed: int) -> ScoredImages:
    """Predictions of a network that names the second most probable class of every third image."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (images, 8))
    p = softmax(logits)
    labels = (p.cumsum(1) < random.random((images, 1))).sum(1).clip(max=7)
    order = np.argsort(-p, axis=1)
    predicted = np.where(np.arange(images) % 3, order[:, 0], order[:, 1])
    lesions = tuple(f"{seed}-{n // 2}" for n in range(images))
    scored = ScoredImages(
        tuple(f"{seed}-{n}" for n in range(images)), lesions, labels, predicted, p, logits, CODES
    )
    scored.write(path)
    return scored


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, ScoredImages]:
    sizes = {"validation": 300, "test": 200}
    return {s: stored(tmp_path / f"{s}.csv", n, seed) for seed, (s, n) in enumerate(sizes.items())}


def test_tables_are_read_as_they_were_written(tmp_path: Path, tables: dict[str, ScoredImages]) -> None:
    found, wanted = ScoredImages.read(tmp_path / "test.csv"), tables["test"]
    assert (found.images, found.lesions, found.codes) == (wanted.images, wanted.lesions, wanted.codes)
    for name in ("labels", "predicted", "probabilities", "logits"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    turned = ScoredImages.read(tmp_path / "test.csv", CODES[::-1])
    assert np.array_equal(turned.logits, wanted.logits[:, ::-1])
    assert np.array_equal(turned.predicted, 7 - wanted.predicted)


def test_tables_of_an_earlier_version_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("image,lesion,label,p_MEL,p_NV\na,a,NV,0.2,0.8\n")
    with pytest.raises(DataError, match=r"has no column predicted, .*: resume the run"):
        ScoredImages.read(tmp_path / "old.csv")


def checkpoint(folder: Path, validation: ScoredImages, **sets: Any) -> Path:
    """A config whose sets were fitted on these images."""
    config, _ = read_config(default_checkpoint())
    fitted = fit(validation.probabilities, validation.labels, 0.9, lesions=validation.lesions, **sets)
    trust = plain_trust().model_copy(update={"sets": fitted})
    folder.mkdir()
    (folder / CONFIG_FILE).write_text(config.model_copy(update={"trust": trust}).model_dump_json())
    return folder


def test_the_sets_that_ship_are_judged_beside_refits(
    tmp_path: Path, tables: dict[str, ScoredImages], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [x for s in tables for x in (f"--{s}", tmp_path / f"{s}.csv")]
    ships, out = checkpoint(tmp_path / "checkpoint", tables["validation"]), tmp_path / "sets.json"
    figure = tmp_path / "sets.png"
    run("prediction_sets", monkeypatch, *files, "--checkpoint", ships, "--out", out, "--figure", figure)
    found = json.loads(out.read_text())["by_class"]
    assert found["as it ships"] == found["lac, a limit a class"], "the same limits, and no adjustment"
    assert 0.8 < found["as it ships"]["all"]["coverage"] < 1
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_sets_that_promise_nothing_to_a_class_are_refused(
    tmp_path: Path, tables: dict[str, ScoredImages], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [x for s in tables for x in (f"--{s}", tmp_path / f"{s}.csv")]
    ships = checkpoint(tmp_path / "checkpoint", tables["validation"], conditional_on="none")
    with pytest.raises(ConfigError, match="has no sets with a limit for each class"):
        run("prediction_sets", monkeypatch, *files, "--checkpoint", ships)


def test_the_systems_own_errors_and_confidence_are_compared(
    tmp_path: Path, tables: dict[str, ScoredImages], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [x for s in tables for x in (f"--{s}", tmp_path / f"{s}.csv")]
    out = tmp_path / "selective.json"
    run("selective", monkeypatch, *files, "--draws", 5, "--out", out)
    found, test = json.loads(out.read_text())["test"], tables["test"]
    wrong = test.predicted != test.labels
    assert found["error_rate"] == pytest.approx(wrong.mean())
    assert set(found["areas"]) == {"softmax", "margin", "entropy", "named class", "energy"}
    own = test.probabilities[np.arange(200), test.predicted]
    for name, confidence in (("named class", own), ("softmax", test.probabilities.max(1))):
        expected = selective(confidence, wrong, test.labels)
        for area, value in expected.items():
            assert found["areas"][name][area]["value"] == pytest.approx(value), (name, area)


def test_the_table_of_an_evaluation_gives_the_same_curves(
    tmp_path: Path, tables: dict[str, ScoredImages], monkeypatch: pytest.MonkeyPatch
) -> None:
    test = tables["test"]
    empty = dict.fromkeys(
        ("file", "source", "group", "prediction_set", "reasons", "skin_angle", "engine"), ""
    )
    rows = [
        {**empty, "image": image, "lesion": lesion, "label": CODES[y], "predicted": CODES[named]}
        | {"decision": "answer", "checkpoint": "abc"}
        | {code.lower(): repr(float(one)) for code, one in zip(CODES, p, strict=True)}
        for image, lesion, y, named, p in zip(
            test.images, test.lesions, test.labels, test.predicted, test.probabilities, strict=True
        )
    ]
    (tmp_path / "predictions.csv").write_text(encoded(rows, CODES))
    results = []
    for name in ("test.csv", "predictions.csv"):
        files = ("--validation", tmp_path / "validation.csv", "--test", tmp_path / name)
        run("selective", monkeypatch, *files, "--draws", 5, "--out", tmp_path / "out.json")
        results.append(json.loads((tmp_path / "out.json").read_text())["test"]["areas"])
    assert "energy" not in results[1], "an evaluation keeps no logits"
    for name, areas in results[1].items():
        for area, interval in areas.items():
            assert interval == pytest.approx(results[0][name][area]), (name, area)


def test_a_cell_of_robustness_holds_what_its_curve_is_drawn_from() -> None:
    module = script("robustness")
    findings = [
        _finding(0.9, "MEL", "answer"),
        _finding(0.6, "MEL", "answer"),
        _finding(0.7, "NV", "expert_review"),
    ]
    cell = module.scores(findings, [0, 1, 1], ISIC2019)
    held = cell["images"]
    assert (held["wrong"], held["referred"]) == ([0, 1, 0], [0, 0, 1])
    assert held["confidence"]["named class"] == [0.9, 0.6, 0.3]
    assert held["confidence"]["softmax"] == [0.9, 0.6, 0.7]
    pooled = module.confidences({"none 0": cell, "blur 1": cell, "blur 2": cell}, [0, 1, 1])
    twice = selective([0.9, 0.6, 0.3] * 2, [0, 1, 0] * 2, [0, 1, 1] * 2)
    assert pooled["named class"]["areas"]["aurc"]["value"] == pytest.approx(twice["aurc"])
    assert pooled["named class"]["less_that_of_the_named_class"]["aurc"]["value"] == 0
    assert pooled["softmax"]["less_that_of_the_named_class"]["aurc"]["value"] != 0
    assert cell["aurc"] == pytest.approx(selective([0.9, 0.6, 0.3], [0, 1, 0], [0, 1, 1])["aurc"])
    cells = {"none 0": cell, "blur 1": {k: v for k, v in cell.items() if k != "aurc"}}
    assert len(module.table(cells).rows) == 2, "cells of an earlier version have no area"


def _finding(melanoma: float, predicted: str, decision: str) -> Finding:
    probabilities = dict.fromkeys(CODES, 0.0) | {"MEL": melanoma, "NV": 1 - melanoma}
    return Finding.model_validate(
        {
            "id": "x",
            "probabilities": probabilities,
            "predicted": predicted,
            "predicted_name": "",
            "prediction_set": [predicted],
            "may_be": "",
            "decision": decision,
            "reasons": [] if decision == "answer" else ["unsure"],
            "advice": "",
            "quality": [],
            "model": "",
            "checkpoint": "",
        }
    )
