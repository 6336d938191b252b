"""Very many images into a file of lines: every image once, whatever stops the run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from transxv2s.bulk import Here, Image, Line, examine_into, read_lines
from transxv2s.classifier import Classifier, Prepared
from transxv2s.errors import DataError, ImageError
from transxv2s.files import growing as growing_file
from transxv2s.files import readable, state_key
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


class Pretending:
    """An examiner without a network, which is killed after some images."""

    def __init__(self, images: int = 1000) -> None:
        self.maker = {"checkpoint": "of a test", "engine": "eager"}
        self._left = images
        self.ids: list[str] = []

    def lines(self, images: Sequence[Image]) -> Iterator[list[Line]]:
        for image in images:
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
            self.ids.append(image.id)
            named = {"file": readable(image.file), "id": image.id, "place": image.place}
            yield [named | {"state": state_key(image.file).hex(), "decision": "answer"} | self.maker]


def files_in(folder: Path, names: Sequence[str]) -> list[Image]:
    """Files that no picture is in, for examiners that do not look."""
    folder.mkdir(exist_ok=True)
    images = [Image(folder / name, f"id of {readable(name)}") for name in names]
    for image in images:
        image.file.write_bytes(os.fsencode(image.file))
    return images


def test_an_image_that_is_told_to_be_of_another_group_is_examined_again(
    classifier: Classifier, images: list[Image], tmp_path: Path
) -> None:
    path = tmp_path / "found.jsonl"
    examine_into(path, Here(classifier, 3), images)
    regrouped = [images[0]._replace(group="here"), *images[1:]]
    counting = Counting(classifier)
    for examined in (["id 0"], []):
        counting.ids.clear()
        examine_into(path, Here(counting, 3), regrouped)  # type: ignore[arg-type]
        assert counting.ids == examined


def files_of(path: Path) -> list[str]:
    return [line["file"] for line in read_lines(path)]


def test_lines_are_the_findings_in_order(classifier: Classifier, images: list[Image], tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    done = examine_into(path, Here(classifier, 3), images)
    assert (done.examined, done.failed, done.kept) == (len(images), 0, 0)
    for image, line in zip(images, read_lines(path), strict=True):
        assert line.pop("file") == str(image.file)
        assert len(line.pop("state")) == len(line.pop("place")) == 32
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
    assert again == (2, 1, 2), "the file may be readable by now"
    assert [line["id"] for line in read_lines(path)] == ["id 0", "id 1", "bad"]


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


def test_a_stopped_run_that_extends_a_finished_file_keeps_what_it_made(tmp_path: Path) -> None:
    path, images = tmp_path / "found.jsonl", files_in(tmp_path / "many", "abcdef")
    examine_into(path, Pretending(), images[:2])
    with pytest.raises(KeyboardInterrupt):
        examine_into(path, Pretending(2), images)
    last = Pretending()
    assert examine_into(path, last, images).kept == 4
    assert last.ids == [image.id for image in images[4:]]
    assert files_of(path) == [str(image.file) for image in images]


def test_neither_a_stopped_run_nor_a_file_that_came_in_its_place_is_lost(tmp_path: Path) -> None:
    path, images = tmp_path / "found.jsonl", files_in(tmp_path / "many", "abcd")
    examine_into(path, Pretending(), images[:2])
    path.rename(growing_file(path))
    examine_into(tmp_path / "other.jsonl", Pretending(), images[1:3])
    (tmp_path / "other.jsonl").rename(path)
    last = Pretending()
    examine_into(path, last, images)
    assert last.ids == [images[3].id]
    assert files_of(path) == [str(image.file) for image in images]


def test_lines_of_images_that_are_not_asked_for_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    first, second = files_in(tmp_path / "a", "xyz"), files_in(tmp_path / "b", "xyz")
    examine_into(path, Pretending(), first)
    before = path.read_bytes()
    done = examine_into(path, Pretending(), second)
    assert (done.examined, done.kept) == (3, 0)
    assert path.read_bytes().startswith(before)
    assert files_of(path) == [str(image.file) for image in first + second]


def test_an_image_is_known_by_its_place_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, images = tmp_path / "found.jsonl", files_in(tmp_path / "many", "abc")
    monkeypatch.chdir(tmp_path)
    examine_into(path, Pretending(), [Image(Path("many") / i.file.name, i.id) for i in images])
    assert files_of(path) == ["many/a", "many/b", "many/c"]
    again = Pretending()
    assert examine_into(path, again, images).kept == 3
    assert again.ids == []
    assert files_of(path) == [str(image.file) for image in images]


def test_kept_lines_have_the_ids_of_the_run_that_asks(tmp_path: Path) -> None:
    """More images make other ids unique: an old line must not have one that is now another's."""
    path, (a, b) = tmp_path / "found.jsonl", files_in(tmp_path / "many", "ab")
    examine_into(path, Pretending(), [Image(b.file, "same")])
    examine_into(path, Pretending(), [Image(a.file, "same"), Image(b.file, "same_2")])
    assert {line["file"]: line["id"] for line in read_lines(path)} == {
        str(a.file): "same",
        str(b.file): "same_2",
    }


def test_a_file_is_the_same_by_whatever_way_it_is_reached(tmp_path: Path) -> None:
    path, (image,) = tmp_path / "found.jsonl", files_in(tmp_path / "many", "a")
    (tmp_path / "elsewhere").mkdir()
    around = tmp_path / "elsewhere" / ".." / "many" / image.file.name
    examine_into(path, Pretending(), [image])
    assert examine_into(path, Pretending(), [Image(around, "a")]).kept == 1
    assert len(list(read_lines(path))) == 1


def test_names_that_differ_in_bytes_that_are_no_text_are_two_files(tmp_path: Path) -> None:
    names = [os.fsdecode(name) for name in (b"x\xfe.jpg", b"x\xff.jpg")]
    path, images = tmp_path / "found.jsonl", files_in(tmp_path / "many", names)
    assert readable(images[0].file) == readable(images[1].file)
    assert examine_into(path, Pretending(), images).examined == 2
    assert examine_into(path, Pretending(), images[1:]).kept == 1
    assert examine_into(path, Pretending(), images).kept == 2
    assert {line["place"] for line in read_lines(path)} == {image.place for image in images}


def test_two_runs_at_once_do_not_meet(tmp_path: Path) -> None:
    path, images = tmp_path / "found.jsonl", files_in(tmp_path / "many", "abc")

    class Crossing(Pretending):
        def lines(self, images: Sequence[Image]) -> Iterator[list[Line]]:
            for lines in super().lines(images):
                yield lines
                with pytest.raises(DataError, match=r"another run is writing .*found\.jsonl: wait for it"):
                    examine_into(path, Pretending(), images)

    assert examine_into(path, Crossing(), images).examined == 3
    assert files_of(path) == [str(image.file) for image in images]
    assert examine_into(path, Pretending(), images).kept == 3


def test_a_file_of_another_checkpoint_or_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path, images = tmp_path / "found.jsonl", files_in(tmp_path / "many", "a")
    examine_into(path, Pretending(), images)
    line = next(read_lines(path))
    for other, sentence in (
        ({"checkpoint": "of others"}, "findings of another checkpoint: name another file"),
        (
            {"engine": "openvino-int8"},
            "of the engine openvino-int8, which is not eager: take --engine openvino-",
        ),
    ):
        content = json.dumps(line | other) + "\n"
        path.write_text(content)
        with pytest.raises(DataError, match=sentence):
            examine_into(path, Pretending(), images)
        assert path.read_text() == content
    for diary in ("my diary\n", "[1]\n", json.dumps(line | {"place": []}) + "\n"):
        path.write_text(diary)
        with pytest.raises(DataError, match=r"line 1 of .* is none of ours"):
            examine_into(path, Pretending(), images)
        assert path.read_text() == diary


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        examine_into(tmp_path / "file" / "found.jsonl", Pretending(), [])


def test_a_place_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "found.jsonl").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        examine_into(tmp_path / "found.jsonl", Pretending(), [])


def test_what_fails_in_the_examiner_is_not_laid_to_the_file(tmp_path: Path) -> None:
    class Failing(Pretending):
        def lines(self, images: Sequence[Image]) -> Iterator[list[Line]]:
            yield from super().lines(images)
            raise OSError("the network cable")

    with pytest.raises(OSError, match="the network cable"):
        examine_into(tmp_path / "found.jsonl", Failing(), [])


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
