"""What holds for every command: quick help, the version, and errors as one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from transxv2s import __version__

from .conftest import Run

HELP_WITHOUT_TORCH = """
import sys
from transxv2s.cli import main
try:
    main({arguments})
except SystemExit as leaving:
    assert leaving.code == 0, leaving.code
heavy = {{"torch", "cv2", "lightning", "timm", "jinja2"}} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["predict", "--help"], ["info", "--help"], ["train", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = HELP_WITHOUT_TORCH.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_module_runs_as_the_script_does() -> None:
    command = [sys.executable, "-m", "transxv2s", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == f"transxv2s {__version__}\n"


def test_no_command_shows_help(run: Run) -> None:
    result = run()
    assert result.code == 2
    assert "predict" in result.out + result.err


def test_an_error_is_one_sentence_on_stderr(run: Run, tmp_path: Path) -> None:
    result = run("info", "--checkpoint", tmp_path / "nowhere")
    assert result.code == 2
    assert result.out == ""
    assert len(result.err.splitlines()) == 1
    assert "nowhere" in result.err
