"""`transxv2s info`."""

import json
from pathlib import Path

import pytest

from transxv2s import classifier
from transxv2s.checkpoint import read_checkpoint
from transxv2s.nets import VARIANTS
from transxv2s.taxonomy import ISIC2019

from .conftest import VARIANT, Run


def test_json_of_a_checkpoint(run: Run, checkpoint: Path) -> None:
    result = run("info", "--checkpoint", checkpoint, "--json")
    facts = json.loads(result.out)
    whole = read_checkpoint(checkpoint)
    assert result.code == 0
    assert facts["variant"] == VARIANT
    assert facts["parameters"]["total"] == sum(p.numel() for p in whole.model.parameters())
    assert sum(facts["parameters"].values()) == 2 * facts["parameters"]["total"]
    assert [c["code"] for c in facts["classes"]] == list(ISIC2019.codes)
    assert facts["preprocessing"] == whole.config.preprocessing.model_dump(mode="json")
    assert facts["checkpoint"]["digest"] == whole.digest
    assert facts["checkpoint"]["metrics"] == whole.config.metrics
    assert facts["checkpoint"]["training"] == {"epochs": 3}
    assert facts["checkpoint"]["trust"]["sets"]["coverage"] == 0.9


def test_text_of_a_checkpoint(run: Run, checkpoint: Path) -> None:
    result = run("info", "--checkpoint", checkpoint)
    assert result.code == 0
    for text in ("melanoma, malignant", "0.6123 (0.58 to 0.64)", "4,012", read_checkpoint(checkpoint).digest):
        assert text in result.out


def test_without_any_checkpoint_it_is_the_default_network_with_fresh_weights(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(classifier.CHECKPOINT_VARIABLE, raising=False)
    monkeypatch.setattr(classifier, "SHIPPED_CHECKPOINT", tmp_path / "none")
    facts = json.loads(run("info", "--json").out)
    assert facts["variant"] == "transxv2s_net"
    assert facts["checkpoint"] is None
    assert facts["weights"].startswith("fresh")
    assert facts["fusion_weights"] == pytest.approx(
        {"alpha": 0.5, "beta": 0.5, "gamma": 0.5, "delta": 0.5, "theta": 0.6, "eta": 0.4}
    )


def test_the_checkpoint_of_the_environment_is_taken_and_a_wrong_one_refused(
    run: Run, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(classifier.CHECKPOINT_VARIABLE, str(checkpoint))
    assert json.loads(run("info", "--json").out)["checkpoint"]["digest"] == read_checkpoint(checkpoint).digest
    monkeypatch.setenv(classifier.CHECKPOINT_VARIABLE, str(tmp_path / "none"))
    assert run("info", "--json").code == 2


def test_variant(run: Run) -> None:
    facts = json.loads(run("info", "--variant", VARIANT, "--json").out)
    assert (facts["variant"], facts["checkpoint"]) == (VARIANT, None)


def test_unknown_variant_is_refused_with_the_known_ones(run: Run) -> None:
    result = run("info", "--variant", "resnet")
    assert result.code == 2
    assert all(name in result.err for name in VARIANTS)


def test_checkpoint_and_variant_exclude_each_other(run: Run, checkpoint: Path) -> None:
    result = run("info", "--checkpoint", checkpoint, "--variant", VARIANT)
    assert (result.code, result.out) == (2, "")
    assert "not both" in result.err
