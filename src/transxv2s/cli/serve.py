"""`transxv2s serve`: the page, the worklist and the HTTP interface."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transxv2s.cli.network import CheckpointDir

if TYPE_CHECKING:
    from transxv2s.serve.settings import Settings

SettingsFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="YAML file with settings; see docs/server.md.")
]
DataDir = Annotated[
    Path | None, typer.Option(metavar="DIR", file_okay=False, help="Folder of the database and the images.")
]


def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; any but a loopback address needs users.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="TCP port, by default 8000; 0 takes a free one.")] = None,
    data_dir: DataDir = None,
    checkpoint: CheckpointDir = None,
    config: SettingsFile = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What runs the network, by default eager: auto, or one of docs/engines.md."
        ),
    ] = None,
) -> None:
    """Serve the page and the HTTP interface: images in, findings out, a worklist for experts.

    Without users it serves the person at this machine only. It needs no network. Not a diagnosis.
    """
    settings = load_settings(
        config, host=host, port=port, data_dir=data_dir, checkpoint=checkpoint, device=device, engine=engine
    )

    from transxv2s.serve.app import create_app
    from transxv2s.serve.running import run

    run(create_app(settings), settings)


def load_settings(config: Path | None, **given: object) -> "Settings":
    """Settings of a file and of options, which win.

    Raises:
        ConfigError: A setting is wrong, or the extra `serve` is not installed.
    """
    from transxv2s.errors import ConfigError

    try:
        import fastapi  # noqa: F401
        import sqlalchemy  # noqa: F401
    except ImportError:
        raise ConfigError("the server is not installed: run pip install 'transxv2s[serve]'") from None
    from transxv2s.serve.settings import Settings

    return Settings.load(config, **given)
