"""`transxv2s calibrate` on a few images: which files are written, which stay, what is refused, exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import JsonValue

from transxv2s.checkpoint import read_checkpoint, with_trust
from transxv2s.classifier import Classifier
from transxv2s.datasets.copies import fingerprints_of
from transxv2s.datasets.provenance import SeenImages, overlap
from transxv2s.datasets.records import Record
from transxv2s.datasets.splits import load, write
from transxv2s.evaluation.scored import ScoredImages
from transxv2s.reports.prediction import performance
from trusting import plain_trust

from .conftest import Run

FITTED = "to which it was fitted (its probabilities too)"
LABELS = ("MEL", "NV", "NV", "BCC", "BKL", "NV", "DF", "MEL", "NV")


def draw(path: Path, seed: int) -> Path:
    """Writes coarse noise, 180×120, of which no two pictures pass for copies."""
    noise = np.random.default_rng(seed).integers(60, 200, (20, 30, 3), dtype=np.uint8)
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), noise.repeat(6, axis=0).repeat(6, axis=1))
    return path


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """A table of nine images."""
    folder = tmp_path / "hospital"
    rows = ["image,label,age"]
    for seed, label in enumerate(LABELS):
        draw(folder / f"here_{seed}.png", seed)
        rows.append(f"here_{seed},{label},{30 + 5 * seed}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


def records_of(hospital: Path) -> list[Record]:
    return [Record(path.stem, path, 0, None, "here") for path in sorted(hospital.glob("*.png"))]


def seen(records: list[Record]) -> bytes:
    return named(records, [f"trained_{n}" for n in range(len(records))])


def named(records: list[Record], names: list[str]) -> bytes:
    return SeenImages(tuple(names), ("",) * len(names), fingerprints_of(records).compact()).to_bytes()


@pytest.fixture
def telling(checkpoint: Path, tmp_path: Path) -> Path:
    """The checkpoint with a list of what it has seen, and a file of somebody else's."""
    loaded, elsewhere = read_checkpoint(checkpoint), draw(tmp_path / "elsewhere.png", 99)
    content = seen([Record("trained", elsewhere, 0, None, "there")])
    with_trust(loaded, plain_trust(), None, tmp_path / "telling", metrics={}, seen_images=content)
    (tmp_path / "telling" / "README.md").write_text("A card.")
    return tmp_path / "telling"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_into_itself_and_again(run: Run, telling: Path, hospital: Path) -> None:
    """Other files stay, a report within too; the images count as seen, and may be calibrated on once more."""
    before = read_checkpoint(telling)
    command = ("calibrate", telling, "--dataset", "table", "--root", hospital, "--report", telling / "report")
    (telling / "report").mkdir()
    left = telling / "report" / "predictions-test.csv"
    left.write_text("of a run of training, until there is a calibration.json")
    for goal in ("0.95", "0.5"):
        result = run(*command, "--sensitivity", goal, "--json")
        assert result.code == 0, result.err
        told = json.loads(result.out)
        again = read_checkpoint(telling)
        assert again.config.trust is not None
        assert again.digest == told["checkpoint"] != before.digest
        assert again.config.trust.policy.goals.sensitivity == float(goal)
        assert again.config.weights == before.config.weights
        assert (telling / "README.md").read_text() == "A card."
        assert {path.name for path in (telling / "report").iterdir()} == {
            "calibration.json",
            "operating_curve.png",
            "predictions-calibration.csv",
            "reliability.png",
        } | ({left.name} if goal == "0.95" else set())
        records, known = records_of(hospital), Classifier(again, "cpu").seen_images()
        assert known is not None
        assert (known.by_training().ids, known.calibrated) == (("trained_0",), len(LABELS))
        found, _ = overlap(known, records, fingerprints_of(records))
        assert (found["by_id"], found["any"]) == (len(LABELS), len(LABELS))
        assert not any("check" in note for note in told["notes"])
        assert again.config.metrics == told["metrics"]
        assert list(told["metrics"]) == ["calibration"], "the scores of the former calibration do not hold"
        said = f"on {len(LABELS)} images: images of table, {FITTED}."
        assert said in performance(again.config)


def test_elsewhere_with_an_image_that_cannot_be_read(
    run: Run, checkpoint: Path, hospital: Path, tmp_path: Path
) -> None:
    (hospital / "here_2.png").write_bytes(b"\x89PNG and no more")
    before, new = contents(checkpoint), tmp_path / "new"
    command = ("calibrate", checkpoint, "--dataset", "table", "--root", hospital, "--out", new)
    result = run(*command, "--report", new / "report", "--json")
    assert result.code == 1, result.err
    told = json.loads(result.out)
    assert list(told["failures"]) == ["here_2"]
    assert told["fitted_on"].endswith("8 images")
    assert json.loads((new / "report" / "calibration.json").read_text()) == told
    assert "nobody could check that it was trained on none of these" in told["notes"][0]
    assert told["notes"][1].startswith("3 malignant or precancerous lesions to tune on: to promise 95% takes")
    assert any(note.startswith("no lesion of AK, VASC, SCC is there to tune on") for note in told["notes"])
    assert read_checkpoint(new).digest == told["checkpoint"]
    assert contents(checkpoint) == before


def test_a_folder_of_other_things_is_left_alone(run: Run, telling: Path, hospital: Path) -> None:
    before = contents(hospital)
    command = ("calibrate", telling, "--dataset", "table", "--root", hospital, "--out", hospital)
    result = run(*command, "--report", hospital / "report")
    assert result.code == 2
    assert "holds other files and no checkpoint; name a new or empty directory" in result.err
    assert contents(hospital) == before


def test_images_of_training_are_refused(run: Run, checkpoint: Path, hospital: Path, tmp_path: Path) -> None:
    loaded, folder = read_checkpoint(checkpoint), tmp_path / "trained"
    with_trust(loaded, plain_trust(), None, folder, metrics={}, seen_images=seen(records_of(hospital)[:1]))
    before = contents(folder)
    command = ("calibrate", folder, "--dataset", "table", "--root", hospital, "--report", tmp_path / "report")
    result = run(*command)
    assert result.code == 2
    assert (
        "1 of the 9 images share a lesion or a picture with those that the network was trained" in result.err
    )
    assert contents(folder) == before


def test_a_fold_of_cross_validation_is_calibrated_on_its_own_validation_part(
    run: Run, checkpoint: Path, hospital: Path, tmp_path: Path
) -> None:
    rows = [
        {"image": r.id, "lesion": r.id, "fold": str(n % 3), "split": "train"}
        for n, r in enumerate(records_of(hospital))
    ]
    write(rows, tmp_path / "split.csv")
    digest = load(tmp_path / "split.csv").for_fold(1).digest
    loaded, folder = read_checkpoint(checkpoint), tmp_path / "of_a_fold"
    config = loaded.config.model_copy(update={"training": {"split_digest": digest}})
    validated_on = [r for n, r in enumerate(records_of(hospital)) if n % 3 == 2]
    with_trust(
        replace(loaded, config=config),
        plain_trust(),
        None,
        folder,
        metrics={},
        seen_images=seen(validated_on),
    )
    command = ("calibrate", folder, "--dataset", "table", "--root", hospital, "--report", tmp_path / "report")
    result = run(*command, "--split", tmp_path / "split.csv", "--fold", "1", "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["fitted_on"] == f"validation part of split {digest} of table, 3 images"
    metrics = read_checkpoint(folder).config.metrics
    assert metrics == told["metrics"]
    assert {subset: scores["split"] for subset, scores in told["metrics"].items()} == {
        "validation": f"validation part of split {digest} of table, {FITTED}",
        "test": f"test part of split {digest} of table",
    }
    tested = {r.path: LABELS[n] for n, r in enumerate(records_of(hospital)) if n % 3 == 1}
    classifier = Classifier(read_checkpoint(folder), "cpu")
    said = classifier.findings([classifier.prepare(path) for path in tested])
    right = [finding.predicted == label for finding, label in zip(said, tested.values(), strict=True)]
    assert told["metrics"]["test"]["accuracy"]["value"] == np.mean(right)
    table = ScoredImages.read(tmp_path / "report" / "predictions-test.csv")
    assert [table.codes[k] for k in table.predicted] == [finding.predicted for finding in said]
    assert table.images == tuple(path.stem for path in tested)
    calibrated = [list(finding.probabilities.values()) for finding in said]
    np.testing.assert_allclose(table.probabilities, calibrated, atol=1e-5)
    own = ScoredImages.read(tmp_path / "report" / "predictions-validation.csv")
    assert set(own.images) == {r.id for r in validated_on}


def test_what_a_parent_has_seen_counts_neither_for_validation_nor_for_test(
    run: Run, checkpoint: Path, hospital: Path, tmp_path: Path
) -> None:
    """The parent has seen the first image of the validation part and the last of the test part."""
    records = records_of(hospital)
    subsets = ["train", "validation", "validation", "validation", "test", "test", "test", "train", "train"]
    write(
        (
            {"image": r.id, "lesion": r.id, "fold": "0", "split": subset}
            for r, subset in zip(records, subsets, strict=True)
        ),
        tmp_path / "split.csv",
    )
    training: dict[str, JsonValue] = {
        "split_digest": load(tmp_path / "split.csv").digest,
        "images": {"train": 3, "validation": 2, "test": 2},
        "from": {"checkpoint": "0123456789ab"},
    }
    seen_by_all = [records[i] for i in (0, 7, 8, 2, 3)] + [records[1], records[6]]  # its own come first
    loaded, folder = read_checkpoint(checkpoint), tmp_path / "child"
    child = replace(loaded, config=loaded.config.model_copy(update={"training": training}))
    content = named(seen_by_all, [r.id for r in seen_by_all])
    with_trust(child, plain_trust(), None, folder, metrics={}, seen_images=content)
    command = ("calibrate", folder, "--dataset", "table", "--root", hospital, "--report", tmp_path / "report")
    result = run(*command, "--split", tmp_path / "split.csv", "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)["metrics"]
    assert {subset: scores["images"] for subset, scores in told.items()} == {"validation": 2, "test": 2}
    assert told["test"]["split"].endswith("of table without 1 that it has seen")


@pytest.mark.parametrize("option", [("--fold", "1"), ("--leaky",)])
def test_what_is_about_a_split_needs_one(
    run: Run, checkpoint: Path, hospital: Path, option: tuple[str, ...]
) -> None:
    result = run("calibrate", checkpoint, "--dataset", "table", "--root", hospital, *option)
    assert (result.code, "name it with --split" in result.err) == (2, True)
