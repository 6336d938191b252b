"""Predictions in a file that grows: the classifier's own, resumed after a kill, honest about failures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transxv2s.checkpoint import read_checkpoint
from transxv2s.classifier import Classifier, Prepared, default_checkpoint
from transxv2s.datasets.records import Record
from transxv2s.datasets.tables import read_table
from transxv2s.errors import DataError
from transxv2s.evaluation.predictions import Predictions
from transxv2s.evaluation.predictions import predict as predict_into
from transxv2s.finding import Finding
from transxv2s.taxonomy import ISIC2019
from transxv2s.trust import Evidence, Judge
from transxv2s.trust.adjustment import LogitAdjustment

CODES = ISIC2019.codes


@pytest.fixture
def records(pictures: list[Path]) -> list[Record]:
    return [Record(path.stem, path, 0, None, "MSK") for path in pictures]


def predict(
    classifier: Any, records: Sequence[Record], codes: Sequence[str], path: Path, batch_size: int = 32
) -> Predictions:
    """Each image is a lesion of its own."""
    return predict_into(
        classifier,
        records,
        codes,
        path,
        lesions_of=lambda some: [f"lesion of {r.id}" for r in some],
        batch_size=batch_size,
    )


class Dying:
    """A classifier that is killed before a batch."""

    def __init__(self, classifier: Classifier, batches: int) -> None:
        self._classifier, self._left = classifier, batches

    def __getattr__(self, name: str) -> object:
        return getattr(self._classifier, name)

    def findings(self, images: Sequence[Prepared]) -> list[Finding]:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return self._classifier.findings(images)


def test_predictions_are_the_classifiers_own(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    found = predict(classifier, records, CODES, tmp_path / "p.csv", batch_size=3)
    for record, row, referred in zip(found.records, found.probabilities, found.referred, strict=True):
        finding = classifier.classify(record.path)
        assert np.allclose(row, list(finding.probabilities.values()), atol=1e-6)
        assert referred == (finding.decision == "expert_review")
    assert not (tmp_path / "p.csv.partial").exists()


def test_the_class_that_is_named_is_that_of_the_checkpoints_adjustment(
    records: list[Record], tmp_path: Path
) -> None:
    checkpoint = read_checkpoint(default_checkpoint())
    assert checkpoint.config.trust
    shares = (1.0,) * 7 + (1e-9,)
    adjusted = checkpoint.config.trust.model_copy(
        update={"adjustment": LogitAdjustment(tau=1, shares=shares)}
    )
    config = checkpoint.config.model_copy(update={"trust": adjusted})
    found = predict(Classifier(replace(checkpoint, config=config)), records, CODES, tmp_path / "p.csv")
    assert (found.adjusted.argmax(1) == 7).all()
    assert not (found.probabilities.argmax(1) == 7).all()
    rows = read_table(tmp_path / "p.csv", ["predicted"])
    assert {row["predicted"] for row in rows} == {"SCC"}


def test_a_second_call_reads_the_file_alone(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    first = predict(classifier, records, CODES, tmp_path / "p.csv")
    again = predict(Dying(classifier, 0), records, CODES, tmp_path / "p.csv")
    assert np.array_equal(first.probabilities, again.probabilities)
    assert np.array_equal(first.skin_angle, again.skin_angle, equal_nan=True)
    assert [r.id for r in again.records] == [r.id for r in records]


def images_in(path: Path) -> list[str]:
    return [row["image"] for row in read_table(path, ["image"])]


def test_the_file_holds_what_was_asked_for_alone_in_its_order(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    predict(classifier, records[:3], CODES, path)
    predict(classifier, records[:1:-1], CODES, path)
    assert images_in(path) == [r.id for r in records[:1:-1]]
    predict(Dying(classifier, 0), records, CODES, path)
    assert images_in(path) == [r.id for r in records], "what others asked for is not lost"
    assert not (tmp_path / "p.csv.partial").exists()


def test_rows_of_a_finished_file_and_of_a_later_run_that_was_killed_count(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    predict(classifier, records[:2], CODES, path)
    with pytest.raises(KeyboardInterrupt):
        predict(Dying(classifier, 1), records, CODES, path, batch_size=2)
    assert images_in(path) == [r.id for r in records[:2]]
    found = predict(Dying(classifier, 1), records, CODES, path, batch_size=1)
    assert [r.id for r in found.records] == images_in(path) == [r.id for r in records]


def test_a_row_cut_off_inside_a_quoted_cell_is_made_anew(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    with pytest.raises(KeyboardInterrupt):
        predict(Dying(classifier, 1), records, CODES, path, batch_size=2)
    with (tmp_path / "p.csv.partial").open("a") as stream:
        stream.write('next,file,,MSK,,MEL,NV,NV,expert_review,"could be melanoma, nev')
    predict(Dying(classifier, 3), records, CODES, path, batch_size=1)
    assert images_in(path) == [r.id for r in records]


def test_the_file_tells_label_lesion_and_source_as_they_are_now(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    predict(classifier, records, CODES, path)
    changed = [replace(r, label=3, source="Graz") for r in records]
    found = predict_into(
        Dying(classifier, 0),  # type: ignore[arg-type]
        changed,
        CODES,
        path,
        lesions_of=lambda some: ["one"] * len(some),
    )
    assert found.lesions == ("one",) * len(records)
    said = {(row["label"], row["lesion"], row["source"]) for row in read_table(path, ["label"])}
    assert said == {(CODES[3], "one", "Graz")}


def test_the_sets_are_the_classifiers_own(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    found = predict(classifier, records, CODES, tmp_path / "p.csv")
    for record, row, held in zip(
        records, read_table(tmp_path / "p.csv", ["prediction_set"]), found.members, strict=True
    ):
        expected = classifier.classify(record.path).prediction_set
        assert row["prediction_set"].split("; ") == expected
        assert {code for code, there in zip(CODES, held, strict=True) if there} == set(expected)


@pytest.mark.parametrize("cut", [0, 1, 9, 40])
def test_a_killed_run_goes_on(
    classifier: Classifier, records: list[Record], tmp_path: Path, cut: int
) -> None:
    """Also where the last line was half written."""
    path = tmp_path / "p.csv"
    with pytest.raises(KeyboardInterrupt):
        predict(Dying(classifier, 1), records, CODES, path, batch_size=2)
    partial = tmp_path / "p.csv.partial"
    content = partial.read_bytes()
    assert len(content.splitlines()) == 3  # header and two rows
    partial.write_bytes(content[: len(content) - cut])
    found = predict(classifier, records, CODES, path, batch_size=2)
    whole = predict(classifier, records, CODES, tmp_path / "whole.csv", batch_size=2)
    assert np.allclose(found.probabilities, whole.probabilities, atol=1e-6)
    assert len(path.read_text().splitlines()) == 1 + len(records)


def test_images_that_cannot_be_read_are_failures(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff not a picture")
    found = predict(classifier, [Record("bad", broken, 0, None, "MSK"), *records], CODES, tmp_path / "p.csv")
    assert [r.id for r in found.records] == [r.id for r in records]
    assert list(found.failures) == ["bad"]
    with pytest.raises(DataError, match="none of the images can be read; the first: bad"):
        predict(classifier, [Record("bad", broken, 0, None, "MSK")], CODES, tmp_path / "q.csv")


def test_predictions_of_another_checkpoint_are_not_mixed(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    predict(classifier, records, CODES, tmp_path / "p.csv")
    text = (tmp_path / "p.csv").read_text().replace(classifier.digest, "0" * len(classifier.digest))
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(DataError, match="holds predictions of another checkpoint"):
        predict(classifier, records, CODES, tmp_path / "p.csv")


def test_predictions_of_another_image_of_the_same_name_are_made_anew(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    first = predict(classifier, records[:1], CODES, tmp_path / "p.csv")
    other = replace(records[0], path=records[1].path)
    again = predict(classifier, [other], CODES, tmp_path / "p.csv")
    fresh = predict(classifier, [other], CODES, tmp_path / "q.csv")
    assert not np.allclose(first.probabilities, fresh.probabilities)
    assert np.allclose(again.probabilities, fresh.probabilities, atol=1e-6)


def test_a_row_whose_numbers_are_none_is_made_anew(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    first = predict(classifier, records[:1], CODES, path)
    path.write_text(path.read_text().replace(repr(float(first.probabilities[0, 0])), "junk"))
    again = predict(classifier, records[:1], CODES, path)
    assert np.allclose(again.probabilities, first.probabilities, atol=1e-6)


def test_a_file_that_is_no_predictions_says_what_to_do(
    classifier: Classifier, records: list[Record], tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text("hello\n")
    with pytest.raises(DataError, match="remove it, or name another folder with --out"):
        predict(classifier, records, CODES, tmp_path / "p.csv")


def test_sets_by_group_take_the_group_of_each_image(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = read_checkpoint(default_checkpoint())
    assert loaded.config.trust is not None
    sets = loaded.config.trust.sets
    here = sets.model_copy(update={"grouping": "source", "groups": {"MSK": sets.limits}})
    trust = loaded.config.trust.model_copy(update={"sets": here})
    grouped = replace(loaded, config=loaded.config.model_copy(update={"trust": trust}))
    asked: list[str | None] = []
    judge = Judge.evidence

    def noting(self: Judge, logits: Any, features: Any, quality: Any, groups: Any = None) -> Evidence:
        asked.extend(groups)
        return judge(self, logits, features, quality, groups)

    monkeypatch.setattr(Judge, "evidence", noting)
    predict(Classifier(grouped, "cpu"), records, CODES, tmp_path / "p.csv")
    assert asked == [record.source for record in records]
    asked.clear()
    moved = [replace(records[0], source="Graz"), *records[1:]]
    predict(Classifier(grouped, "cpu"), moved, CODES, tmp_path / "p.csv")
    assert asked == ["Graz"], "the set of an image that changed its group is made anew"
