"""`transxv2s data get`: licence, consent, interruption."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from transxv2s.cli import data_get
from transxv2s.datasets.catalogue import COLLECTIONS
from transxv2s.errors import ConfigError

from .server import Site
from .toy import FILES, TOY

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in an application of its own, with the toy in place of ISIC 2019."""
    monkeypatch.setitem(COLLECTIONS, "isic2019", TOY)
    app = typer.Typer()
    app.command()(data_get.get)

    def invoke(*arguments: object, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, ["isic2019", *map(str, arguments)], input=answer)

    return invoke


def test_command_shows_the_licence_and_downloads(run: Run, site: Site, tmp_path: Path) -> None:
    result = run("--root", tmp_path, "--mirror", site.url, "--accept-licence", "--json")
    assert result.exit_code == 0, result.output
    for shown in ("CC BY-NC 4.0", "(c) Toy", "Toy et al.", "https://page", "no checksum"):
        assert shown in result.stderr
    assert json.loads(result.stdout)["received"].keys() == FILES.keys()


def test_command_downloads_nothing_without_consent(run: Run, site: Site, tmp_path: Path) -> None:
    result = run("--root", tmp_path, "--mirror", site.url)
    assert isinstance(result.exception, ConfigError)
    assert "--accept-licence" in str(result.exception)
    assert "CC BY-NC 4.0" in result.stderr
    assert not site.log


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_get, "_can_ask", lambda: True)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_command_asks_on_a_terminal(answer: str, code: int, run: Run, site: Site, tmp_path: Path) -> None:
    result = run("--root", tmp_path, "--mirror", site.url, answer=answer)
    assert result.exit_code == code
    assert (tmp_path / "Images").exists() == (code == 0)


def test_interruption_says_how_to_go_on(
    run: Run, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("transxv2s.datasets.download._unpack", interrupt)
        result = run("--root", tmp_path, "--mirror", site.url, "--accept-licence")
    assert result.exit_code == 1
    assert "run the same command again" in result.stderr
    site.log.clear()
    assert run("--root", tmp_path, "--mirror", site.url, "--accept-licence").exit_code == 0
    assert len(site.asked("Images.zip")) == 1  # the probe: all bytes were there already
