"""The whole server as a process of its own, with the tiny network. Argument: its data folder."""

import sys
from pathlib import Path

from serve.api.tiny import Inline, examiner, write_config
from transxv2s.serve.app import create_app
from transxv2s.serve.running import run
from transxv2s.serve.settings import Settings


def main(folder: Path) -> None:
    settings = Settings(data_dir=folder, checkpoint=write_config(folder / "checkpoint"), port=0)
    run(create_app(settings, Inline(examiner())), settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
