"""`transxv2s evaluate` on the CC0 samples, with the network that ships: files, warnings, exit codes."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from transxv2s.checkpoint import read_checkpoint
from transxv2s.classifier import default_checkpoint
from transxv2s.datasets.provenance import SeenImages
from transxv2s.datasets.splits import write
from transxv2s.files import alone

from .conftest import Run

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six samples, one of them broken."""
    folder = tmp_path_factory.mktemp("table")
    rows = list(csv.DictReader((SAMPLES / "labels.csv").open()))[:6]
    for row in rows:
        shutil.copy(SAMPLES / f"{row['image']}.jpg", folder)
    (folder / f"{rows[0]['image']}.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with (folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def split_file(table: Path, path: Path, lesions: list[str]) -> Path:
    images = [row["image"] for row in csv.DictReader((table / "labels.csv").open())]
    subsets = ["train", "validation", "test", "test", "test", "train"]
    places = zip(images, lesions, subsets, strict=True)
    write(({"image": i, "lesion": lesion, "fold": "0", "split": s} for i, lesion, s in places), path)
    return path


def test_everything_is_written_and_said(run: Run, table: Path, tmp_path: Path) -> None:
    result = run("evaluate", "--dataset", "table", "--root", table, "--out", tmp_path / "out", "--json")
    assert result.code == 1  # one image could not be read
    document = json.loads(result.out)
    assert document == json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(document["failures"]) == 1
    assert document["scores"]["images"] == 5
    rows = list(csv.DictReader((tmp_path / "out" / "predictions.csv").open()))
    submission = list(csv.DictReader((tmp_path / "out" / "submission.csv").open()))
    assert [row["image"] for row in rows] == [row["image"] for row in submission]
    assert list(submission[0]) == ["image", "MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"]
    assert all(row["UNK"] == "0.0" for row in submission)
    assert document["prediction_sets"]["promised"] == 0.9
    whole = document["prediction_sets"]["tables"]["all"][0]
    held = [row["label"] in row["prediction_set"].split("; ") for row in rows]
    assert len({row["lesion"] for row in rows}) == 5
    assert whole["coverage"]["value"] == pytest.approx(sum(held) / 5)
    page = (tmp_path / "out" / "report.html").read_text()
    assert '<h2 id="sets">Prediction sets</h2>' in page
    assert "<svg" in page
    assert "<script" not in page
    assert "Could not be read: 1 of the images." in page


def test_two_evaluations_do_not_write_into_one_folder(run: Run, table: Path, tmp_path: Path) -> None:
    with alone(tmp_path / "results.json"):
        result = run("evaluate", "--dataset", "table", "--root", table, "--out", tmp_path)
    assert result.code == 2
    assert "another run is writing" in result.err
    assert not list(tmp_path.glob("*.csv"))


def test_the_terminal_shows_scores_and_alarms(run: Run, table: Path, tmp_path: Path) -> None:
    result = run("evaluate", "--dataset", "table", "--root", table, "--out", tmp_path, "--floor", "1")
    assert "balanced accuracy" in result.out
    assert "Overlap with training" in result.out
    assert "Prediction sets are to hold the class of 90% of the lesions of each class" in result.out
    assert "This is not a diagnosis" in result.out


def test_the_samples_were_not_seen_in_training(run: Run, table: Path, tmp_path: Path) -> None:
    result = run("evaluate", "--dataset", "table", "--root", table, "--out", tmp_path, "--json")
    assert json.loads(result.out)["overlap"]["any"] == 0


def test_images_that_were_seen_are_named(run: Run, tmp_path: Path) -> None:
    """An image under the id of a training image: the list in the checkpoint tells."""
    directory = default_checkpoint()
    content = (directory / "seen_images.npz").read_bytes()
    trained = SeenImages.from_bytes(content).ids[0]
    assert read_checkpoint(directory).config.seen_images is not None
    for name in (trained, "new_one"):
        shutil.copy(SAMPLES / "ISIC_0000019.jpg", tmp_path / f"{name}.jpg")
    (tmp_path / "labels.csv").write_text(f"image,label\n{trained},NV\nnew_one,MEL\n")
    result = run("evaluate", "--dataset", "table", "--root", tmp_path, "--out", tmp_path / "out", "--json")
    found = json.loads(result.out)
    assert (found["overlap"]["by_id"], found["overlap"]["any"]) == (1, 1)
    assert found["scores_without_overlap"]["images"] == 1
    assert "Contaminated: 1 of 2 images were seen" in (tmp_path / "out" / "report.html").read_text()


def test_a_clean_split_is_evaluated(run: Run, table: Path, tmp_path: Path) -> None:
    for image in table.glob("*.jpg"):
        if image.stat().st_size > 100:
            shutil.copy(image, tmp_path)
    lines = (table / "labels.csv").read_text().splitlines()
    (tmp_path / "labels.csv").write_text("\n".join([lines[0], *lines[2:]]))
    images = [line.split(",")[0] for line in lines[2:]]
    path = tmp_path / "split"
    write(({"image": i, "lesion": i, "fold": "0", "split": "test"} for i in images), path)
    result = run(
        "evaluate",
        "--dataset",
        "table",
        "--root",
        tmp_path,
        "--split",
        path,
        "--out",
        tmp_path / "o",
        "--json",
    )
    assert result.code == 0, result.err
    assert json.loads(result.out)["protocol"].startswith("test part of split ")


def test_a_leaking_split_is_refused_unless_declared(run: Run, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    shutil.copytree(table, folder)
    first = next(path for path in folder.glob("*.jpg") if path.stat().st_size < 100)
    shutil.copy(SAMPLES / first.name, first)
    path = split_file(folder, tmp_path / "split.csv", ["a", "b", "a", "c", "d", "e"])
    arguments = ("evaluate", "--dataset", "table", "--root", folder, "--split", path, "--out", tmp_path / "o")
    refused = run(*arguments)
    assert refused.code == 2
    assert "leaks: 1 of 3 test images share a lesion or a picture with training" in refused.err
    declared = run(*arguments, "--leaky", "--json")
    assert declared.code == 0
    assert json.loads(declared.out)["protocol"].startswith("LEAKY protocol, for comparison only")
    assert "The protocol leaks" in (tmp_path / "o" / "report.html").read_text()


@pytest.mark.parametrize("option", [("--fold", "1"), ("--leaky",)])
def test_what_is_about_a_split_needs_one(
    run: Run, table: Path, tmp_path: Path, option: tuple[str, ...]
) -> None:
    result = run("evaluate", "--dataset", "table", "--root", table, "--out", tmp_path, *option)
    assert (result.code, "name it with --split" in result.err) == (2, True)


def test_an_unknown_data_set_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("evaluate", "--dataset", "imagenet", "--root", tmp_path, "--out", tmp_path)
    assert result.code == 2
    assert "the data set 'imagenet' is unknown: take one of isic2019" in result.err
