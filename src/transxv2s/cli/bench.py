"""`transxv2s bench`: how fast the engines are on this machine, and what each costs in accuracy."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from transxv2s.cli import dataset as options
from transxv2s.cli.network import CheckpointDir, Device

if TYPE_CHECKING:
    from transxv2s.bench.accuracy import Labelled
    from transxv2s.bench.run import Outcome, Plan
    from transxv2s.checkpoint import Checkpoint

RUN = 64  # images that are run again and again
LABELLED = 2000  # images that the price in accuracy is taken on, by default

bench = typer.Typer(no_args_is_help=True, help="Measure engines, latency, and where the time goes.")

Engines: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,…",
        help="Engines beside the reference; without it all that can be used here but compiled.",
    ),
]
Json: TypeAlias = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", dir_okay=False, help="Write the rows as a JSON list.")
]
Images: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IMAGES", help="Files, folders or patterns to run; without it, the checkout's samples."
    ),
]
Seconds: TypeAlias = Annotated[float, typer.Option(min=0, help="How long each repeats in one round.")]
Rounds: TypeAlias = Annotated[int, typer.Option(min=1, help="How often everything takes its turn.")]


@bench.command()
def throughput(
    *,
    as_json: Json = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw speed against accuracy; needs labels.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Labelled images: {options.DATASETS}.")
    ] = None,
    root: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the data set.")] = None,
    split: options.SplitFile = None,
    subset: options.Subset = "validation",
    limit: Annotated[int, typer.Option(min=1, help="Labelled images to take, by a fixed seed.")] = LABELLED,
    engines: Engines = None,
    baselines: Annotated[bool, typer.Option(help="Run networks of timm beside ours.")] = True,
    images: Images = None,
    checkpoint: CheckpointDir = None,
    seconds: Seconds = 1.0,
    rounds: Rounds = 5,
    device: Device = "auto",
) -> None:
    """Images a second at batches of 1, 16 and 64, beside networks of timm and the machine's own limit.

    With labelled images it also says what each engine costs in balanced accuracy, and `--engine auto` goes by
    that from then on. Take images that nothing was calibrated on.
    """
    from transxv2s.bench.figure import draw
    from transxv2s.bench.run import Plan
    from transxv2s.cli.bench_tables import print_rows
    from transxv2s.errors import ConfigError

    if figure and not dataset:
        raise ConfigError("A figure of speed against accuracy needs labelled images: name a --dataset")
    plan = Plan(_names(engines), (1, 16, 64), rounds, seconds, baselines, watch=_watch)
    labels = Labels(dataset, root, split, subset, limit) if dataset else None
    found = _measured(_read(checkpoint), plan, images, device, labels)
    if as_json:
        _write(as_json, found.rows)
    if figure:
        draw(found.rows, figure)
    print_rows(found.rows, found.missing)


@bench.command()
def latency(
    *,
    as_json: Json = None,
    engines: Engines = None,
    images: Images = None,
    checkpoint: CheckpointDir = None,
    seconds: Seconds = 2.0,
    rounds: Rounds = 5,
    device: Device = "auto",
) -> None:
    """One image at a time: p50 and p95, start-up until the first finding, peak memory, size of the model."""
    from transxv2s.bench.run import Plan
    from transxv2s.cli.bench_tables import print_rows

    first = _files(images)[0]
    plan = Plan(_names(engines), (1,), rounds, seconds, with_baselines=False, first_image=first, watch=_watch)
    found = _measured(_read(checkpoint), plan, images, device)
    if as_json:
        _write(as_json, found.rows)
    print_rows(found.rows, found.missing)


@bench.command()
def profile(
    *,
    as_json: Json = None,
    precision: Annotated[Literal["float32", "bfloat16"], typer.Option(help="To compute in.")] = "float32",
    trained: Annotated[
        bool,
        typer.Option("--as-trained", help="Take the network as trained, not the lean one of the engines."),
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once.")] = 16,
    images: Images = None,
    checkpoint: CheckpointDir = None,
    rounds: Rounds = 5,
) -> None:
    """Where the time goes: every stage of both branches, the DCGAN modules and the fusion, in PyTorch."""
    import numpy as np

    from transxv2s.bench.images import squares_of
    from transxv2s.bench.profile import profile as take_apart
    from transxv2s.cli.bench_tables import print_stages

    read = _read(checkpoint)
    squares = squares_of(_files(images), read)
    batch = np.resize(squares, (batch_size, *squares.shape[1:]))
    stages = take_apart(read.model, batch, precision, not trained, rounds)
    if as_json:
        _write(as_json, [stage._asdict() for stage in stages])
    print_stages(stages)


def _measured(
    checkpoint: "Checkpoint",
    plan: "Plan",
    images: list[str] | None,
    device: str,
    labels: "Labels | None" = None,
) -> "Outcome":
    """Measures; where there are labels, `--engine auto` goes by what was found from then on."""
    from transxv2s.bench import run
    from transxv2s.bench.images import squares_of
    from transxv2s.classifier import usable_device
    from transxv2s.engines.choice import remember

    labelled = labels.read(checkpoint) if labels else None
    found = run.run(checkpoint, squares_of(_files(images), checkpoint), plan, usable_device(device), labelled)
    if labelled:
        remember(checkpoint, [row for row in found.rows if row["role"] in ("reference", "engine")])
    return found


@dataclass(frozen=True)
class Labels:
    """The options that mean labelled images."""

    dataset: str
    root: Path | None
    split: Path | None
    subset: str
    limit: int

    def read(self, checkpoint: "Checkpoint") -> "Labelled":
        """The images.

        Raises:
            ConfigError: No folder is named.
            DataError: The images cannot be read, or have other classes than the network.
        """
        from transxv2s.bench.images import labelled
        from transxv2s.datasets import splits
        from transxv2s.errors import ConfigError

        if self.root is None:
            raise ConfigError("Labelled images are read from a folder: name it with --root")
        own = checkpoint.config.to_taxonomy()
        reading = options.read_dataset(self.dataset, self.root, model=own)
        records = list(reading.records)
        if self.split:  # it may leak: engines are compared with each other, and none gains by that
            records = splits.load(self.split).select(records, self.subset)
        return labelled(records, reading.taxonomy, checkpoint, self.limit)


def _names(engines: str | None) -> list[str]:
    from transxv2s.bench.contenders import default_names
    from transxv2s.engines.engine import parse

    return [parse(name.strip()).name for name in engines.split(",")] if engines else default_names()


def _read(checkpoint: Path | None) -> "Checkpoint":
    from transxv2s.checkpoint import read_checkpoint
    from transxv2s.classifier import default_checkpoint

    return read_checkpoint(checkpoint or default_checkpoint())


def _files(images: list[str] | None) -> list[Path]:
    from transxv2s.cli.inputs import find_images, samples

    return find_images(images or samples())[:RUN]


def _watch(names: Iterable[str]) -> Iterable[str]:
    """A bar on stderr that goes over the names of a round."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(list(names), "Measuring", console=console, transient=True, disable=not console.is_terminal)


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from transxv2s.files import make_folders, write_whole

    make_folders(path.parent)
    write_whole(path, json.dumps(rows, indent=1) + "\n")
