"""Settings: a file of known keys, changed from outside, with one sentence for what is wrong."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from transxv2s.errors import ConfigError
from transxv2s.serve.settings import Settings


def test_defaults_serve_this_machine_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = Settings.load()
    assert settings.is_local
    assert settings.keep == "referred"
    assert settings.database == f"sqlite:///{tmp_path}/transxv2s/transxv2s.sqlite"
    assert settings.images == tmp_path / "transxv2s" / "images"


def test_a_file_is_read_and_the_command_line_wins(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("port: 9000\nretention_days: 5\ndata_dir: here\n")
    settings = Settings.load(file, port=9001, device=None)
    assert (settings.port, settings.retention_days, settings.device) == (9001, 5, "auto")
    assert settings.database == f"sqlite:///{Path('here').absolute()}/transxv2s.sqlite"


def test_an_empty_file_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "serve.yaml").write_text("# nothing yet\n")
    assert Settings.load(tmp_path / "serve.yaml") == Settings()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("prot: 1", "unknown key prot: known are host, port"),
        ("port: 70000", "port: input should be less than or equal to 65535"),
        ("keep: some", "keep: input should be 'referred', 'all' or 'nothing'"),
        ("retention_days: 0", "retention_days: input should be greater than or equal to 1"),
        ("- 1", "must hold a line"),
        ("a: [", "is not a readable YAML file"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=complaint):
        Settings.load(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no settings file"):
        Settings.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "192.168.0.1", "example.org", "")],  # noqa: S104
)
def test_only_loopback_is_local(host: str, local: bool) -> None:
    assert Settings(host=host).is_local is local


def test_settings_do_not_change_and_do_not_show_a_password() -> None:
    settings = Settings(database_url="postgresql://u:secret@host/name")
    assert "secret" not in repr(settings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1
