"""Very many images into a file of lines: every image once, whatever stops the run."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from transxv2s.bulk import Here, Image, examine_into, read_lines
from transxv2s.classifier import Classifier, Prepared
from transxv2s.errors import DataError, ImageError
from transxv2s.files import growing as growing_file
from transxv2s.finding import Finding


@pytest.fixture
def images(pictures: list[Path]) -> list[Image]:
    return [Image(path, f"id {n}") for n, path in enumerate(pictures)]


class Counting:
    """A classifier that counts what it examines, and is killed before a batch."""

    def __init__(self, classifier: Classifier, batches: int = 1000) -> None:
        self._classifier, self._left = classifier, batches
        self.ids: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)

    def findings(self, images: Sequence[Prepared]) -> list[Finding]:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        self.ids += [image.id for image in images]
        return self._classifier.findings(images)


def files_of(path: Path) -> list[str]:
    return [line["file"] for line in read_lines(path)]


def test_lines_are_the_findings_in_order(classifier: Classifier, images: list[Image], tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    done = examine_into(path, Here(classifier, 3), images)
    assert (done.examined, done.failed, done.kept) == (len(images), 0, 0)
    for image, line in zip(images, read_lines(path), strict=True):
        assert line.pop("file") == str(image.file)
        assert len(line.pop("state")) == 32
        assert line.pop("engine") == "eager"
        finding = Finding.model_validate(line)
        alone = classifier.classify(image.file)
        assert finding.id == image.id
        assert finding.probabilities == pytest.approx(alone.probabilities, abs=1e-6)
    assert not growing_file(path).exists()


def test_what_cannot_be_examined_is_a_line_with_its_reason(
    classifier: Classifier, images: list[Image], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    path = tmp_path / "found.jsonl"
    done = examine_into(path, Here(classifier, 2), [images[0], Image(bad, "bad"), images[1]])
    assert (done.examined, done.failed) == (2, 1)
    line = list(read_lines(path))[1]
    assert line["file"] == str(bad)
    with pytest.raises(ImageError) as error:
        classifier.prepare(bad)
    assert line["reason"] == error.value.reason
    again = examine_into(path, Here(classifier, 2), [images[0], Image(bad, "bad"), images[1]])
    assert again == (2, 1, 3)


def test_a_second_call_examines_nothing_and_a_changed_file_anew(
    classifier: Classifier, images: list[Image], tmp_path: Path
) -> None:
    copies = [Image(tmp_path / image.file.name, image.id) for image in images]
    for image, copy in zip(images, copies, strict=True):
        copy.file.write_bytes(image.file.read_bytes())
    path = tmp_path / "found.jsonl"
    examine_into(path, Here(classifier, 4), copies)
    first = path.read_bytes()
    counting = Counting(classifier)
    assert examine_into(path, Here(counting, 4), copies).kept == len(copies)  # type: ignore[arg-type]
    assert counting.ids == []
    assert path.read_bytes() == first
    copies[1].file.write_bytes(copies[0].file.read_bytes())
    examine_into(path, Here(counting, 4), copies)  # type: ignore[arg-type]
    assert counting.ids == [copies[1].id]
    assert sorted(files_of(path)) == sorted(str(copy.file) for copy in copies)


@pytest.mark.parametrize("torn", [b"", b'{"file": "cut o'])
def test_a_stopped_run_goes_on_and_a_torn_line_is_made_again(
    classifier: Classifier, images: list[Image], tmp_path: Path, torn: bytes
) -> None:
    path = tmp_path / "found.jsonl"
    with pytest.raises(KeyboardInterrupt):
        examine_into(path, Here(Counting(classifier, 1), 2), images)  # type: ignore[arg-type]
    growing = growing_file(path)
    assert files_of(growing) == [str(image.file) for image in images[:2]]
    with growing.open("ab") as stream:
        stream.write(torn)
    counting = Counting(classifier)
    done = examine_into(path, Here(counting, 2), images)  # type: ignore[arg-type]
    assert done.kept == 2
    assert counting.ids == [image.id for image in images[2:]]
    assert files_of(path) == [str(image.file) for image in images]


def test_a_file_of_another_checkpoint_or_of_something_else_is_left_alone(
    classifier: Classifier, images: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / "found.jsonl"
    examine_into(path, Here(classifier, 2), images[:1])
    line = next(read_lines(path))
    for key in ("checkpoint", "engine"):
        other = json.dumps(line | {key: "of others"}) + "\n"
        path.write_text(other)
        with pytest.raises(DataError, match="findings of another checkpoint or engine"):
            examine_into(path, Here(classifier, 2), images[:1])
        assert path.read_text() == other
    path.write_text("my diary\n")
    with pytest.raises(DataError, match=r"line 1 of .* is none of ours"):
        examine_into(path, Here(classifier, 2), images[:1])
    assert path.read_text() == "my diary\n"


def test_a_place_that_cannot_be_written_is_named(
    classifier: Classifier, images: list[Image], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        examine_into(tmp_path / "missing" / "found.jsonl", Here(classifier, 2), images)


def test_a_killed_command_goes_on_without_repeating_work(images: list[Image], tmp_path: Path) -> None:
    """kill -9 in the middle; what was on the disk stays as it was, byte for byte."""
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(40):
        (folder / f"{n:02}{images[0].file.suffix}").write_bytes(images[n % len(images)].file.read_bytes())
    path = tmp_path / "found.jsonl"
    growing = growing_file(path)
    command = [sys.executable, "-m", "transxv2s", "predict", str(folder), "--lines", str(path)]
    process = subprocess.Popen([*command, "--batch-size", "2"])  # noqa: S603
    while process.poll() is None and (not growing.exists() or growing.stat().st_size == 0):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = growing.read_bytes()
    whole = before[: before.rfind(b"\n") + 1]
    assert 0 < len(whole.splitlines()) < 40
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    assert path.read_bytes().startswith(whole)
    assert files_of(path) == sorted(str(file) for file in folder.iterdir())
