"""The commands of docs/deployment.md that back up and restore, run as they stand there on a busy database."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url, select

from conftest import REPOSITORY
from serve.conftest import KINDS, _empty
from serve.making import NOW, finding, make
from serve.postgresql import ROOT
from transxv2s.serve import deletion
from transxv2s.serve.db.models import Case
from transxv2s.serve.db.session import Database
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings

PAGE = REPOSITORY / "docs" / "deployment.md"
URL = "postgresql://transxv2s@/transxv2s"  # on the page
MELANOMA = finding({"MEL": 0.8})
OLD, STAY = 40, 4  # cases before the backup; those of them that nobody erases meanwhile
FIRST = 3  # cases that are made before the backup begins, beside those that are made meanwhile


@dataclass(frozen=True)
class Installation:
    """A server's data, and what the page's commands become for it.

    Attributes:
        kind: Of its database.
        folder: Of its data.
        url: Of its database.
        restored: Of the database that a backup is restored into.
        words: Texts of the page with what stands for them here.
    """

    kind: str
    folder: Path
    url: str
    restored: str
    words: dict[str, str]

    def follow(self, section: str) -> str:
        """Runs the commands of a section for this kind of database; returns what they print."""
        [text] = re.findall(rf"^## {section}\n(.*?)^## ", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        block = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[KINDS.index(self.kind)]
        for ours, here in self.words.items():
            block = block.replace(ours, here)
        script = "set -e\n" + re.sub(r"^systemctl .*\n", "", block, flags=re.MULTILINE)
        shell = ["/bin/sh", "-c", script]
        done = subprocess.run(shell, capture_output=True, check=False, text=True)  # noqa: S603
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(params=KINDS)
def installation(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    if shutil.which("rsync") is None:
        pytest.skip("needs rsync (Debian: apt install rsync)")
    folder, config = tmp_path / "data", tmp_path / "settings.yaml"
    folder.mkdir()
    words = {
        "sudo -u transxv2s ": "",
        "sudo -u postgres ": "",
        "--owner=transxv2s ": "",
        "chown --recursive transxv2s:": f"chown --recursive {os.getuid()}",
        "/opt/transxv2s/bin/transxv2s": str(Path(sys.executable).with_name("transxv2s")),
        "/opt/transxv2s/backup.sh": str(REPOSITORY / "deploy" / "backup.sh"),
        "/etc/transxv2s/settings.yaml": str(config),
        "/var/lib/transxv2s": str(folder),
        "/var/backups/transxv2s/2026-03-01": str(tmp_path / "copy"),
    }
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("first_file"), folder / "transxv2s.sqlite")
        config.write_text(f"data_dir: {folder}\n")
        url = f"sqlite:///{folder / 'transxv2s.sqlite'}"
        return Installation("sqlite", folder, url, url, words)
    url = request.getfixturevalue("postgresql")
    _empty(url)
    restored = url.replace("/postgres?", "/transxv2s_restored?")
    config.write_text(f"data_dir: {folder}\ndatabase_url: {restored}\n")
    _use_postgresql(url, monkeypatch)
    return Installation("postgresql", folder, url, restored, words | {f"{URL}_restored": restored, URL: url})


def _use_postgresql(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has its programs take the server of the tests, with its own version of them."""
    [programs] = sorted(Path(ROOT).glob("*/bin"), key=lambda path: int(path.parent.name))[-1:]
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.setenv("PGHOST", str(make_url(url).query["host"]))
    monkeypatch.setenv("PGUSER", str(make_url(url).username))


@contextmanager
def busy(database: Database, store: ImageStore, settings: Settings, old: list[str]) -> Iterator[list[str]]:
    """Makes cases, and erases old ones, until the block ends; their ids, once they are safe."""
    made: list[str] = []
    begun, ending = threading.Event(), threading.Event()

    def work() -> None:
        while not ending.is_set():
            made.append(make(database, store, settings, MELANOMA, seed=OLD + len(made)).id)
            if len(made) == FIRST:
                begun.set()
            if old:
                deletion.erase(database, store, old.pop(), actor="uta", now=NOW)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert begun.wait(60)
        yield made
    finally:
        ending.set()
        worker.join()


def test_a_backup_of_a_busy_server_is_whole_when_it_is_restored(installation: Installation) -> None:
    settings = Settings(data_dir=installation.folder)
    store, database = ImageStore(settings.images), Database(installation.url)
    old = [make(database, store, settings, MELANOMA, seed=seed).id for seed in range(OLD)]
    with busy(database, store, settings, old[STAY:]) as made:
        safe = [*old[:STAY], *made]
        installation.follow("Backup")
        assert len(made) > len(safe) - STAY  # it was busy all the time
    database.close()
    lost = installation.folder / "images" / "lost"
    lost.touch()
    assert "All is as it was left" in installation.follow("Restore")
    assert not lost.exists()
    assert store.owner()  # it came along
    restored = Database(installation.restored)
    with restored.reading() as session:
        kept = session.scalars(select(Case).where(Case.id.in_(safe))).all()
        assert {case.id for case in kept} == set(safe)
        for image in (image for case in kept for image in case.images):
            assert image.digest
            assert store.read(image.digest)
    restored.close()
