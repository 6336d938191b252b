"""`transxv2s serve`, `users` and `records`: what they say, what they refuse, and that they start."""

import io
import json
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from serve.making import PASSWORD, finding, make, say
from transxv2s.serve.auth import users
from transxv2s.serve.db.session import Database
from transxv2s.serve.db.upgrade import upgrade
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings

from .conftest import Run, draw_lesion


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input holds a password, as in `echo … | transxv2s users add`."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))


@pytest.fixture
def kept(tmp_path: Path, run: Run) -> tuple[Database, ImageStore, Settings]:
    """A data folder with a database."""
    run("users", "add", "nobody", "--data-dir", tmp_path)  # refused, but the database is made
    settings = Settings(data_dir=tmp_path)
    return Database(settings.database), ImageStore(settings.images), settings


Kept = tuple[Database, ImageStore, Settings]


@pytest.mark.usefixtures("typed")
def test_the_first_user_must_be_an_admin(run: Run, tmp_path: Path) -> None:
    refused = run("users", "add", "uta", "--data-dir", tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert "--role admin" in refused.err
    added = run("users", "add", "Ada", "--role", "admin", "--data-dir", tmp_path)
    assert (added.code, added.out) == (0, "ada may sign in as admin.\n")
    assert PASSWORD.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.usefixtures("typed")
def test_users_are_changed_and_listed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("users", "add", "ada", "--role", "admin", "--data-dir", tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    run("users", "add", "rita", "--role", "uploader", "--data-dir", tmp_path)
    assert run("users", "role", "rita", "reviewer", "--data-dir", tmp_path).code == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO("another long password\n"))
    assert run("users", "password", "rita", "--data-dir", tmp_path).code == 0
    assert run("users", "disable", "rita", "--data-dir", tmp_path).code == 0
    listed = run("users", "list", "--data-dir", tmp_path).out
    assert re.search(r"rita\W+reviewer\W+\S+\W+\d{4}-", listed)
    assert run("users", "disable", "rita", "--undo", "--data-dir", tmp_path).code == 0
    with Database(Settings(data_dir=tmp_path).database).reading() as session:
        assert users.get(session, "rita").disabled_at is None
    last_admin = run("users", "disable", "ada", "--data-dir", tmp_path)
    assert last_admin.code == 2
    assert "only admin" in last_admin.err


@pytest.mark.parametrize("name", ["nobody at all", "ghost"])
def test_there_is_no_such_user(run: Run, kept: Kept, tmp_path: Path, name: str) -> None:
    result = run("users", "disable", name, "--data-dir", tmp_path)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_records_need_a_database(run: Run, tmp_path: Path) -> None:
    result = run("records", "verify", "--data-dir", tmp_path / "nowhere")
    assert result.code == 2
    assert "--data-dir" in result.err
    assert not (tmp_path / "nowhere").exists()


def test_the_trail_is_verified_and_a_change_is_found(run: Run, kept: Kept, tmp_path: Path) -> None:
    database, store, settings = kept
    case = make(database, store, settings, finding({"MEL": 0.8}))
    good = run("records", "verify", "--data-dir", tmp_path)
    assert good.code == 0
    head = good.out.split()[-1]
    assert run("records", "verify", "--noted", head, "--data-dir", tmp_path).code == 0
    other = run("records", "verify", "--noted", "0" * 63 + "1", "--data-dir", tmp_path)
    assert (other.code, "cut off" in other.err) == (1, True)
    next(store.folder.glob("*.png")).write_bytes(b"x")
    bad = run("records", "verify", "--data-dir", tmp_path)
    assert (bad.code, bad.out) == (1, "")
    assert case.id in bad.err


def test_a_database_of_another_version_is_not_verified_and_not_changed(
    run: Run, kept: Kept, tmp_path: Path
) -> None:
    database = kept[0]
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    database.scrub()
    assert database.file
    before = database.file.read_bytes()
    result = run("records", "verify", "--data-dir", tmp_path)
    assert (result.code, result.out) == (2, "")
    assert "another version" in result.err
    assert len(result.err.splitlines()) == 1
    assert database.file.read_bytes() == before


def test_images_of_another_database_are_not_deleted(run: Run, kept: Kept, tmp_path: Path) -> None:
    """As where settings that name a database are forgotten."""
    _, store, settings = kept
    elsewhere = Database(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    upgrade(elsewhere)
    make(elsewhere, store, settings, finding({"MEL": 0.8}))
    result = run("records", "expire", "--data-dir", tmp_path)
    assert (result.code, result.out) == (2, "")
    assert "belong to another database" in result.err
    assert len(set(store.digests())) == 2


def test_export_erase_and_expire(run: Run, kept: Kept, tmp_path: Path) -> None:
    database, store, settings = kept
    case = make(database, store, settings, finding({"MEL": 0.8}), now=datetime.now(UTC))
    old = make(database, store, settings, finding({"MEL": 0.7}), seed=5)  # of a time long gone
    say(database, settings, case.id, now=datetime.now(UTC))
    exported = run("records", "export", tmp_path / "out", "--data-dir", tmp_path)
    assert exported.code == 0
    assert "1 images of 1 cases" in exported.out
    assert (tmp_path / "out" / "reviewed.csv").exists()
    assert run("records", "expire", "--data-dir", tmp_path).out == "1 cases have been deleted.\n"
    assert run("records", "erase", case.id, "--data-dir", tmp_path).code == 0
    again = run("records", "erase", old.id, "--data-dir", tmp_path)
    assert (again.code, "deleted" in again.err) == (2, True)
    assert not list(store.folder.glob("*.png"))
    assert run("records", "verify", "--data-dir", tmp_path).code == 0


def test_serving_others_needs_users(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    result = run("serve", "--host", "0.0.0.0", "--checkpoint", checkpoint, "--data-dir", tmp_path)  # noqa: S104
    assert result.code == 2
    assert "transxv2s users add" in result.err
    assert len(result.err.splitlines()) == 1


def test_the_engine_is_an_option(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    result = run("serve", "--engine", "warp", "--checkpoint", checkpoint, "--data-dir", tmp_path)
    assert result.code == 2
    assert result.err.startswith("transxv2s: There is no engine 'warp'")


def test_a_wrong_setting_or_checkpoint_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("colour: red\n")
    setting = run("serve", "--config", tmp_path / "server.yaml")
    missing = run("serve", "--checkpoint", tmp_path / "nowhere", "--data-dir", tmp_path / "data")
    for result in (setting, missing):
        assert result.code == 2
        assert len(result.err.splitlines()) == 1


def test_from_one_command_to_a_finding_and_a_heat_map(checkpoint: Path, tmp_path: Path) -> None:
    """The real program with a real network of random weights, told to end while it works."""
    command = [sys.executable, "-m", "transxv2s", "serve", "--port", "0", "--device", "cpu"]
    command += ["--checkpoint", str(checkpoint), "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stderr
        place = next(m[0] for line in server.stderr if (m := re.search(r"http://[\d.:]+", line)))
        with httpx.Client(base_url=place, timeout=120) as client:
            _until_ready(client)
            content = draw_lesion(tmp_path / "lesion.png").read_bytes()
            case = client.post("/v1/findings", files={"images": content}).json()
            assert sum(case["findings"][0]["probabilities"].values()) == pytest.approx(1)
            base = f"/v1/findings/{case['id']}/images/0"
            heat_map = client.get(f"{base}/heat-maps/hirescam.png?class=MEL")
            assert heat_map.headers["Content-Type"] == "image/png"
            assert client.get("/").headers["Content-Type"].startswith("text/html")
            assert "transxv2s_findings_total" in client.get("/metrics").text
        server.send_signal(signal.SIGTERM)
        log = server.stderr.read()
    assert server.returncode in (0, -signal.SIGTERM)
    assert case["id"] not in log
    assert json.dumps(case["findings"][0]["probabilities"]) not in log


def _until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 300
    while client.get("/ready").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
