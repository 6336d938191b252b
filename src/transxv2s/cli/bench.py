"""`transxv2s bench`: how fast the engines are on this machine, and what each costs in accuracy."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from transxv2s.cli import dataset as options
from transxv2s.cli.network import CheckpointDir, Device

if TYPE_CHECKING:
    import torch

    from transxv2s.bench.accuracy import Labelled
    from transxv2s.checkpoint import Checkpoint

bench = typer.Typer(no_args_is_help=True, help="Measure engines, latency, and where the time goes.")

Engines: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,…",
        help="Engines beside the reference; without it all that can be used here and need not compile.",
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
    ham10000: options.Ham10000 = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Labelled images to take, by a fixed seed; without it all.")
    ] = None,
    engines: Engines = None,
    baselines: Annotated[bool, typer.Option(help="Run networks of timm beside ours.")] = True,
    images: Images = None,
    checkpoint: CheckpointDir = None,
    seconds: Seconds = 1.0,
    rounds: Rounds = 5,
    device: Device = "auto",
) -> None:
    """Everything of every engine: images a second at batches of 1, 16 and 64, start-up, memory, size.

    Beside them run networks of timm and the machine's own limit. With labelled images it also says what each
    engine costs in balanced accuracy; `--engine auto` goes by that from then on, if they are enough of every
    class. Take images that nothing was calibrated on.
    """
    from transxv2s.bench.figure import draw
    from transxv2s.bench.images import squares_of
    from transxv2s.bench.run import Plan, run
    from transxv2s.classifier import usable_device
    from transxv2s.cli.bench_inputs import Labels, check_outputs, checkpoint_of, engine_names, files_of, watch
    from transxv2s.cli.bench_tables import print_rows
    from transxv2s.errors import ConfigError

    if figure and not dataset:
        raise ConfigError("A figure of speed against accuracy needs labelled images: name a --dataset")
    names, on = engine_names(engines), usable_device(device)
    check_outputs(as_json, figure)
    files, read = files_of(images), checkpoint_of(checkpoint)
    plan = Plan(names, (1, 16, 64), files[0], rounds, seconds, baselines, watch)
    labelled = Labels(dataset, root, split, subset, limit, ham10000).read(read) if dataset else None
    found = run(read, squares_of(files, read), plan, on, labelled)
    if as_json:
        _write(as_json, found.rows)
    if figure:
        draw(found.rows, figure)
    print_rows(found.rows, found.missing)
    if labelled:
        typer.echo(_kept(read, found.rows, on, labelled))


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
    from transxv2s.bench.images import squares_of
    from transxv2s.bench.run import Plan, run
    from transxv2s.classifier import usable_device
    from transxv2s.cli.bench_inputs import check_outputs, checkpoint_of, engine_names, files_of, watch
    from transxv2s.cli.bench_tables import print_rows

    names, on = engine_names(engines), usable_device(device)
    check_outputs(as_json)
    files, read = files_of(images), checkpoint_of(checkpoint)
    plan = Plan(names, (1,), files[0], rounds, seconds, with_baselines=False, watch=watch)
    found = run(read, squares_of(files, read), plan, on)
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
    from transxv2s.cli.bench_inputs import check_outputs, checkpoint_of, files_of
    from transxv2s.cli.bench_tables import print_stages

    check_outputs(as_json)
    read = checkpoint_of(checkpoint)
    squares = squares_of(files_of(images), read)
    batch = np.resize(squares, (batch_size, *squares.shape[1:]))
    stages = take_apart(read.model, batch, precision, not trained, rounds)
    if as_json:
        _write(as_json, [stage._asdict() for stage in stages])
    print_stages(stages)


def _kept(
    checkpoint: "Checkpoint", rows: Sequence[dict[str, Any]], device: "torch.device", labelled: "Labelled"
) -> str:
    """Keeps the rows for `--engine auto`, where they say enough, and says whether."""
    from transxv2s.bench.rows import OURS
    from transxv2s.engines.choice import are_enough, remember

    classes = len(checkpoint.config.classes)
    rarest = labelled.images_of_rarest_class(classes)
    images = f"{len(labelled.labels):,} labelled images, {rarest:,} of the rarest class"
    if device.type != "cpu":
        return f"{images}. Not kept for --engine auto, which goes by what was measured on the processor."
    if not are_enough(rarest, classes):
        return f"{images}: too few to tell half a point, and not kept for --engine auto."
    remember(checkpoint, [row for row in rows if row["role"] in OURS])
    return f"{images}. --engine auto goes by this from now on."


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from transxv2s.files import write_whole

    write_whole(path, json.dumps(rows, indent=1) + "\n")
