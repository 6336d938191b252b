"""No database deletes the images of another one."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from serve.making import NOW, finding, make
from transxv2s.serve import audit, deletion
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import ForeignImagesError, StorageUnavailableError
from transxv2s.serve.images import OWNER, ImageStore
from transxv2s.serve.settings import Settings

MELANOMA, NEVUS = finding({"MEL": 0.8}), finding({}, referred=False)


@pytest.fixture
def other(tmp_path: Path, first_file: Path) -> Database:
    """Another database, in which nothing has happened."""
    return Database(f"sqlite:///{shutil.copy(first_file, tmp_path / 'other.sqlite')}")


def forget_owner(store: ImageStore) -> None:
    """As an earlier version left the folder."""
    (store.folder / OWNER).unlink(missing_ok=True)


def used(database: Database, store: ImageStore, settings: Settings) -> None:
    """Had cases, without an image."""
    make(database, store, settings, NEVUS)


def unused(database: Database, store: ImageStore, settings: Settings) -> None:
    """Nothing has happened."""


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("history", [used, unused])
def test_another_database_neither_deletes_nor_adds_images(
    *,
    database: Database,
    other: Database,
    store: ImageStore,
    settings: Settings,
    history: Callable[[Database, ImageStore, Settings], None],
    is_named: bool,
) -> None:
    make(database, store, settings, MELANOMA)
    deletion.expire(database, store, NOW)  # names the owner
    if not is_named:
        forget_owner(store)
    there = set(store.digests())
    history(other, store, settings)
    with pytest.raises(ForeignImagesError, match="belong to another database"):
        deletion.expire(other, store, NOW)
    with pytest.raises(ForeignImagesError):
        make(other, store, settings, MELANOMA, seed=5)
    assert set(store.digests()) == there
    make(database, store, settings, MELANOMA, seed=7)
    assert deletion.expire(database, store, NOW + settings.retention) == 2
    assert set(store.digests()) == set()


def test_rows_are_deleted_in_time_also_where_the_images_are_foreign(
    sqlite: Database, other: Database, store: ImageStore, settings: Settings
) -> None:
    make(sqlite, store, settings, MELANOMA)
    case, late = (make(other, store, settings, NEVUS) for _ in range(2))
    with pytest.raises(ForeignImagesError):
        deletion.erase(other, store, case.id, actor="ada", now=NOW)
    with pytest.raises(ForeignImagesError):
        deletion.expire(other, store, NOW + settings.retention)
    with other.reading() as session:
        assert audit.entries(session, case.id)[-1].action == "case.erased"
        assert audit.entries(session, late.id)[-1].action == "case.expired"
    assert len(set(store.digests())) == 2


def test_a_folder_of_an_earlier_version_is_that_of_the_database_that_refers_to_its_images(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    make(database, store, settings, MELANOMA)
    forget_owner(store)
    assert (
        deletion.expire(database, store, NOW + settings.retention) == 1
    )  # nothing refers to them afterwards
    assert set(store.digests()) == set()


def test_a_folder_without_images_is_anybodys(
    sqlite: Database, other: Database, store: ImageStore, settings: Settings
) -> None:
    make(sqlite, store, settings, MELANOMA)
    deletion.expire(sqlite, store, NOW + settings.retention)
    assert store.owner()
    make(other, store, settings, MELANOMA)
    deletion.expire(other, store, NOW)
    with pytest.raises(ForeignImagesError):
        make(sqlite, store, settings, MELANOMA)


def test_a_first_case_that_cannot_be_stored_does_not_lock_the_folder(
    database: Database, store: ImageStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(database, store, settings)
    whole, left = ImageStore.write, [1]

    def failing(self: ImageStore, content: bytes) -> str:
        if not left:
            raise StorageUnavailableError
        left.pop()
        return whole(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(ImageStore, "write", failing)
        with pytest.raises(StorageUnavailableError):
            make(database, store, settings, MELANOMA)
    assert len(set(store.digests())) == 1
    make(database, store, settings, MELANOMA, seed=5)
    deletion.expire(database, store, NOW)
    assert len(set(store.digests())) == 2, "what no case refers to is gone"


def test_an_older_state_of_the_database_is_the_same_one(
    sqlite: Database, store: ImageStore, settings: Settings, tmp_path: Path
) -> None:
    make(sqlite, store, settings, MELANOMA)
    sqlite.scrub()
    copy = Database(f"sqlite:///{shutil.copy(str(sqlite.file), tmp_path / 'backup.sqlite')}")
    make(sqlite, store, settings, MELANOMA, seed=5, now=NOW + timedelta(days=1))
    deletion.expire(sqlite, store, NOW)
    deletion.expire(copy, store, NOW)  # as after a restore: what came later is gone
    assert len(set(store.digests())) == 2
