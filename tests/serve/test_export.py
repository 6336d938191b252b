"""What was reviewed becomes a data set that the readers of `train` and `evaluate` read."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from serve.making import NOW, finding, make, picture, say
from transxv2s.datasets import registry
from transxv2s.errors import DataError
from transxv2s.imaging.decode import decode
from transxv2s.serve import audit, deletion
from transxv2s.serve import export as export_module
from transxv2s.serve.cases import Details
from transxv2s.serve.db.models import Case
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import DamagedImageError, StorageUnavailableError
from transxv2s.serve.export import export
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings

MELANOMA, NEVUS = finding({"MEL": 0.8}), finding({}, referred=False)


def test_the_reader_of_tables_reads_what_was_reviewed(
    database: Database, store: ImageStore, settings: Settings, tmp_path: Path
) -> None:
    about = Details(age=61, sex="female", site="head/neck")
    two = make(database, store, settings, MELANOMA, MELANOMA, details=about)
    say(database, settings, two.id, diagnosis="NV")
    say(database, settings, two.id, diagnosis="BCC", confidence="low", comment="not for export")
    one = make(database, store, settings, MELANOMA, seed=5)
    say(database, settings, one.id)
    say(database, settings, make(database, store, settings, NEVUS).id)  # its image was not kept
    say(database, settings, make(database, store, settings, MELANOMA, seed=7).id, diagnosis="UNK")
    make(database, store, settings, MELANOMA, seed=9)  # still waiting
    result = export(database, store, tmp_path / "out", actor="ada", now=NOW)
    assert (result.cases, result.images, result.without_image, result.other) == (2, 3, 1, 1)
    reading = registry.read("table", tmp_path / "out")
    assert (reading.missing, reading.notes) == ((), ())
    found = {r.id: (reading.taxonomy.codes[r.label], r.lesion, r.age, r.sex, r.site) for r in reading.records}
    assert found == {
        f"images/{two.id}-0": ("BCC", two.id, 61, "female", "head/neck"),
        f"images/{two.id}-1": ("BCC", two.id, 61, "female", "head/neck"),
        f"images/{one.id}-0": ("MEL", one.id, None, None, None),
    }
    by_id = {record.id: record.path for record in reading.records}
    image = decode(picture(MELANOMA, 1).original)
    np.testing.assert_array_equal(decode(by_id[f"images/{two.id}-1"]), image)


def test_the_trail_tells_who_exported_which_table(
    database: Database, store: ImageStore, settings: Settings, tmp_path: Path
) -> None:
    say(database, settings, make(database, store, settings, MELANOMA).id)
    result = export(database, store, tmp_path / "out", actor="ada", now=NOW)
    with database.reading() as session:
        entry = audit.entries(session)[-1]
        assert audit.verify(session).fault is None
    assert (entry.action, entry.actor, entry.subject) == ("export.written", "ada", "1")
    table = (tmp_path / "out" / "reviewed.csv").read_bytes()
    assert entry.payload_digest == result.digest == hashlib.sha256(table).hexdigest()
    for secret in (b"rita", b"uta"):
        assert secret not in table


def test_nothing_to_export_is_told(
    sqlite: Database, store: ImageStore, settings: Settings, tmp_path: Path
) -> None:
    say(sqlite, settings, make(sqlite, store, settings, MELANOMA).id, diagnosis="UNK")
    with pytest.raises(DataError, match="no reviewed case with an image"):
        export(sqlite, store, tmp_path / "out", actor="ada", now=NOW)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(
    sqlite: Database, store: ImageStore, settings: Settings, tmp_path: Path
) -> None:
    say(sqlite, settings, make(sqlite, store, settings, MELANOMA).id)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        export(sqlite, store, tmp_path / "out", actor="ada", now=NOW)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_an_export_that_fails_leaves_nothing_and_is_not_in_the_trail(
    sqlite: Database, store: ImageStore, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(sqlite, store, settings, MELANOMA)
    say(sqlite, settings, made.id)
    with monkeypatch.context() as patch:
        patch.setattr(audit, "digest_of", lambda _: (_ for _ in ()).throw(OSError("disk gone")))
        with pytest.raises(StorageUnavailableError):
            export(sqlite, store, tmp_path / "out", actor="ada", now=NOW)
    store.delete(made.images[0].digest or "")
    with pytest.raises(DamagedImageError):
        export(sqlite, store, tmp_path / "out", actor="ada", now=NOW)
    assert sorted(path.name for path in tmp_path.glob("*out*")) == []
    with sqlite.reading() as session:
        assert len(audit.entries(session)) == 2


def test_what_cannot_be_read_is_left_out_and_counted(
    sqlite: Database, store: ImageStore, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three cases one has a damaged image, and one is erased while the export is written."""
    damaged, erased, good = (make(sqlite, store, settings, MELANOMA, seed=seed) for seed in (0, 5, 10))
    for made in (damaged, erased, good):
        say(sqlite, settings, made.id)
    (store.folder / f"{damaged.images[0].digest}.png").write_bytes(b"something else")
    reviewed = export_module._reviewed

    def meanwhile(database: Database) -> list[Case]:
        found = reviewed(database)
        deletion.erase(database, store, erased.id, actor="ada", now=NOW)
        return found

    monkeypatch.setattr(export_module, "_reviewed", meanwhile)
    result = export(sqlite, store, tmp_path / "out", actor="ada", now=NOW)
    assert (result.cases, result.images, result.unreadable) == (1, 1, 2)
    reading = registry.read("table", tmp_path / "out")
    assert (reading.missing, [r.lesion for r in reading.records]) == ((), [good.id])


def test_deleted_cases_are_not_exported(
    sqlite: Database, store: ImageStore, settings: Settings, tmp_path: Path
) -> None:
    first, second = (make(sqlite, store, settings, MELANOMA, seed=n) for n in (0, 5))
    for made in (first, second):
        say(sqlite, settings, made.id)
    deletion.erase(sqlite, store, first.id, actor="ada", now=NOW)
    assert export(sqlite, store, tmp_path / "out", actor="ada", now=NOW).cases == 1
    assert {r.lesion for r in registry.read("table", tmp_path / "out").records} == {second.id}
