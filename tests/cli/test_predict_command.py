"""`transxv2s predict`, with a real network of random weights."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from transxv2s import NOTICE
from transxv2s.checkpoint import read_checkpoint, with_trust
from transxv2s.classifier import Classifier, Prepared
from transxv2s.finding import Finding
from transxv2s.reports.page import percent
from transxv2s.taxonomy import ISIC2019
from transxv2s.views import DISAGREE
from trusting import plain_trust

from .conftest import Run, draw_lesion


def test_json_of_a_folder_answers_what_it_can(run: Run, checkpoint: Path, study: Path) -> None:
    result = run("predict", study, "--checkpoint", checkpoint, "--json")
    document = json.loads(result.out)
    assert (result.code, result.err) == (1, "")
    assert document["notice"] == NOTICE
    files = [row.pop("file") for row in document["findings"]]
    assert files == [str(study / name) for name in ("a.png", "ann/lesion.png", "bob/lesion.PNG")]
    findings = [Finding.model_validate(row) for row in document["findings"]]
    assert len({finding.id for finding in findings}) == 3
    assert {finding.checkpoint for finding in findings} == {read_checkpoint(checkpoint).digest}
    (failure,) = document["failures"]
    assert failure["file"] == str(study / "damaged.jpg")
    assert failure["reason"]


def test_findings_are_those_of_the_classifier_whatever_the_batch(
    run: Run, checkpoint: Path, study: Path
) -> None:
    expected = Classifier.load(checkpoint, "cpu").classify(study / "ann" / "lesion.png")
    for size in (1, 2, 16):
        result = run("predict", study, "--checkpoint", checkpoint, "--json", "--batch-size", size)
        rows = {row["file"]: row for row in json.loads(result.out)["findings"]}
        row = rows[str(study / "ann" / "lesion.png")]
        assert row["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
        assert row["quality"] == expected.quality


def test_all_fine_is_exit_code_0(run: Run, checkpoint: Path, study: Path) -> None:
    result = run("predict", study / "a.png", study / "ann", "--checkpoint", checkpoint)
    assert result.code == 0
    assert NOTICE in result.out


def test_table_says_it_in_words_and_why_something_failed(run: Run, checkpoint: Path, study: Path) -> None:
    result = run("predict", study, "--checkpoint", checkpoint)
    assert result.code == 1
    assert "damaged.jpg" in result.out
    assert "not examined" in result.out
    assert any(name in result.out for name in (c.name for c in ISIC2019.classes))
    for finding in json.loads(run("predict", study, "--checkpoint", checkpoint, "--json").out)["findings"]:
        first = finding["prediction_set"][0]
        share = percent(finding["probabilities"][first]).replace("\N{NO-BREAK SPACE}", "")
        assert f"{first} {share}" in result.out
    assert "\x1b" not in result.out + result.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows refuses such names")
def test_a_file_name_cannot_command_the_terminal(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    image = draw_lesion(tmp_path / "[red]a\x1b[2Jb.png")
    result = run("predict", image, "--checkpoint", checkpoint)
    assert "[red]a�[2Jb " in result.out
    assert "\x1b" not in result.out


def test_csv_has_a_row_an_image_and_a_column_a_class(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path
) -> None:
    table = tmp_path / "new" / "findings.csv"
    document = json.loads(run("predict", study, "--checkpoint", checkpoint, "--json", "--csv", table).out)
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 3
    for row, finding in zip(rows, document["findings"], strict=True):
        assert {code: float(row[code]) for code in ISIC2019.codes} == finding["probabilities"]
        assert row["file"] == finding["file"]
        assert row["reasons"] == "; ".join(finding["reasons"])


def test_out_holds_report_json_and_csv_and_nothing_else(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    printed = json.loads(run("predict", study, "--checkpoint", checkpoint, "--json", "--out", out).out)
    assert {path.name for path in out.iterdir()} == {"report.html", "findings.json", "findings.csv"}
    assert json.loads((out / "findings.json").read_text()) == printed
    report = (out / "report.html").read_text(encoding="utf-8")
    assert report.count("<article") == 3
    assert report.count('src="data:image/jpeg;base64,') == 6
    assert "damaged.jpg" in report
    assert printed["failures"][0]["reason"] in report.replace("&#39;", "'")


def test_ctrl_c_keeps_what_was_done(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Classifier.findings

    def interrupted(self: Classifier, images: Sequence[Prepared]) -> list[Finding]:
        if images[0].id == "a":
            return real(self, images)
        raise KeyboardInterrupt

    monkeypatch.setattr(Classifier, "findings", interrupted)
    (study / "damaged.jpg").unlink()
    result = run("predict", study, "--checkpoint", checkpoint, "--batch-size", 1, "--out", tmp_path / "out")
    document = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert result.code == 1
    assert [row["id"] for row in document["findings"]] == ["a"]
    assert [Path(failure["file"]).parent.name for failure in document["failures"]] == ["ann", "bob"]
    assert all("stopped" in failure["reason"] for failure in document["failures"])


@pytest.mark.parametrize(
    ("images", "options"),
    [
        (["nothing.png"], []),
        (["*.tiff"], []),
        (["empty"], []),
        (["study"], ["--checkpoint", "empty"]),
        (["study"], ["--device", "warp"]),
        (["study"], ["--out", "study/notes.txt"]),
        (["study"], ["--out", "study/notes.txt/below"]),
        (["study"], ["--csv", "empty"]),
        (["study"], ["--batch-size", "0"]),
        ([], []),
    ],
)
@pytest.mark.usefixtures("study")
def test_bad_usage_is_exit_code_2_and_no_output(
    *,
    run: Run,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    images: list[str],
    options: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    result = run("predict", *images, "--json", "--checkpoint", checkpoint, *options)
    assert (result.code, result.out) == (2, "")
    assert result.err
    assert "Traceback" not in result.err


def test_views_of_a_lesion_that_disagree_are_referred(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def each_another(_: Classifier, images: Sequence[Prepared]) -> tuple[np.ndarray, np.ndarray]:
        return 9 * np.eye(8, dtype=np.float32)[: len(images)], np.zeros((len(images), 1), np.float32)

    monkeypatch.setattr(Classifier, "outputs", each_another)
    command = ("predict", study / "a.png", study / "ann", "--checkpoint", checkpoint, "--json", "--lesions")
    table = tmp_path / "lesions.csv"
    for second, torn in (("one", True), ("two", False)):
        table.write_text(f"image,lesion\na.png,one\nlesion,{second}\n")
        found = json.loads(run(*command, table).out)["findings"]
        assert [DISAGREE in finding["reasons"] for finding in found] == [torn, torn]
    table.write_text("image,lesion\nother,one\n")
    result = run(*command, table)
    assert result.code == 2
    assert "names none of the images" in result.err


def test_what_is_unknown_of_two_images_does_not_make_them_one_lesion(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path
) -> None:
    table = tmp_path / "lesions.csv"
    table.write_text("image,lesion\na.png,unknown\nann/lesion,unknown\nbob/lesion,one\n")
    command = ("predict", study / "a.png", study / "ann", study / "bob", "--checkpoint", checkpoint, "--json")
    found = json.loads(run(*command, "--lesions", table).out)["findings"]
    assert len(found) == 3
    assert not any(DISAGREE in finding["reasons"] for finding in found)


def test_a_name_that_two_images_have_is_refused(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path
) -> None:
    table = tmp_path / "lesions.csv"
    table.write_text("image,lesion\nlesion,one\n")
    result = run("predict", study / "ann", study / "bob", "--checkpoint", checkpoint, "--lesions", table)
    assert result.code == 2
    assert "names 2 images by lesion: say which, with the folder before the name" in result.err


@pytest.fixture(scope="module")
def grouped(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibrated by source: of "strict" the class named alone is in the set, of "lax" every class."""
    sets = plain_trust().sets
    limits = {value: sets.limits.model_copy(update={"values": (value,) * 8}) for value in (0.0, 1.0)}
    by_source = sets.model_copy(
        update={
            "limits": limits[1.0],
            "grouping": "source",
            "groups": {"strict": limits[1.0], "lax": limits[0.0]},
        }
    )
    folder = tmp_path_factory.mktemp("grouped") / "checkpoint"
    trust = plain_trust().model_copy(update={"sets": by_source})
    with_trust(read_checkpoint(checkpoint), trust, None, folder, metrics={})
    return folder


def test_an_image_gets_the_set_of_its_group_and_without_one_the_most_cautious(
    run: Run, grouped: Path, study: Path, tmp_path: Path
) -> None:
    table, lines = tmp_path / "groups.csv", tmp_path / "found.jsonl"
    images = (study / "a.png", study / "ann", study / "bob")
    table.write_text("image,group\na.png,strict\nann/lesion.png,lax\n")
    command = ("predict", *images, "--checkpoint", grouped, "--groups", table)
    found = json.loads(run(*command, "--json").out)["findings"]
    assert [len(finding["prediction_set"]) for finding in found] == [1, 8, 8]
    assert run(*command, "--lines", lines).code == 0
    assert [len(json.loads(line)["prediction_set"]) for line in lines.open()] == [1, 8, 8]


def test_groups_must_be_those_of_the_checkpoint(
    run: Run, grouped: Path, checkpoint: Path, study: Path, tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("image,group\na,lacks\n")
    for folder, said in (
        (grouped, "names no group (source) of this checkpoint: take strict, lax"),
        (checkpoint, "this checkpoint is not calibrated by group: leave out --groups"),
    ):
        result = run("predict", study / "a.png", "--checkpoint", folder, "--groups", table)
        assert (result.code, said in result.err) == (2, True)
