"""`transxv2s data prepare`: preprocess the images of a recipe or a data set once, for all later runs."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transxv2s.cli import dataset as options
from transxv2s.cli.terminal import SOME_FAILED
from transxv2s.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from transxv2s.datasets.records import Record
    from transxv2s.datasets.store import Filled
    from transxv2s.imaging.pipeline import Preprocessing

SHOWN = 20  # failures that the terminal names; --json names all
STORE = Path(".data/store")


@dataclass(frozen=True)
class Job:
    """What to prepare, how and where to; `notes` are sentences on the data set."""

    parts: "Sequence[tuple[Sequence[Record], Preprocessing]]"
    store: Path
    notes: tuple[str, ...] = ()


def prepare(
    *,
    config: Annotated[
        Path | None,
        typer.Option(metavar="RECIPE", help="Prepare what training by this recipe needs, where it looks."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help=f"Prepare a whole data set instead: {options.DATASETS}.")
    ] = None,
    root: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the data set.")] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help=f"Folder of the store, {STORE} if not named.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take its preprocessing, not the default one.")
    ] = None,
    table: options.Table = None,
    columns: options.Columns = None,
    labels: options.Labels = None,
    taxonomy: options.TaxonomyName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as one document.")] = False,
) -> None:
    """Preprocess images once, in parallel. Run it again to go on where it stopped; what is there stays.

    Images that cannot be prepared are listed and do not stop the others; the exit code is then 1.
    """
    if config and (dataset or root or store or checkpoint):
        raise ConfigError("give --config alone, or --dataset and --root with what belongs to them")
    if config:
        job = _by_recipe(config)
    elif dataset and root:
        reading = options.read_dataset(
            dataset, root, table=table, columns=columns, labels=labels, taxonomy=taxonomy
        )
        job = Job([(reading.records, _preprocessing(checkpoint))], store or STORE, reading.notes)
    else:
        raise ConfigError("say what to prepare: --config RECIPE, or --dataset NAME --root DIR")
    _run(job, as_json)


def _by_recipe(config: Path) -> Job:
    from transxv2s.training.recipe import load_recipe
    from transxv2s.training.selection import parts, select

    recipe = load_recipe(config)
    chosen = select(recipe)
    records = [record for subset in chosen.records.values() for record in subset]
    return Job(parts(records, recipe.preprocessing, chosen.split), recipe.data.store)


def _preprocessing(checkpoint: Path | None) -> "Preprocessing":
    from transxv2s.checkpoint import read_checkpoint
    from transxv2s.imaging.pipeline import Preprocessing

    return read_checkpoint(checkpoint).config.preprocessing if checkpoint else Preprocessing()


def _run(job: Job, as_json: bool) -> None:
    from transxv2s.datasets.store import fill

    for note in job.notes:
        typer.echo(note, err=True)
    start = time.monotonic()
    try:
        filled = [fill(records, preprocessing, job.store) for records, preprocessing in job.parts]
    except KeyboardInterrupt:
        typer.echo("Stopped; run the same command again to go on from there.", err=True)
        raise typer.Exit(SOME_FAILED) from None
    seconds = time.monotonic() - start
    if as_json:
        typer.echo(json.dumps(_document(filled, seconds, job.notes), indent=2))
    else:
        _tell(filled, seconds)
    if _failures(filled):
        raise typer.Exit(SOME_FAILED)


def _failures(filled: "Sequence[Filled]") -> list[ImageError]:
    """Each file that cannot be prepared once, whether one or both of its copies are wanted."""
    return list({error.name: error for part in filled for error in part.failures}.values())


def _document(filled: "Sequence[Filled]", seconds: float, notes: tuple[str, ...]) -> dict[str, object]:
    return {
        "parts": [
            {"path": str(part.path), "digest": part.digest, "images": part.images, "made": part.made}
            for part in filled
        ],
        "seconds": round(seconds, 3),
        "failures": [{"file": error.name, "reason": error.reason} for error in _failures(filled)],
        "notes": list(notes),
    }


def _tell(filled: "Sequence[Filled]", seconds: float) -> None:
    for part in filled:
        typer.echo(
            f"{part.images - len(part.failures):,} of {part.images:,} images are in {part.path}, "
            f"{part.made:,} made now (digest {part.digest})."
        )
    typer.echo(f"This took {seconds:.1f} s.")
    failures = _failures(filled)
    if failures:
        typer.echo(f"{len(failures):,} could not be prepared:", err=True)
    for error in failures[:SHOWN]:
        typer.echo(f"  {error}", err=True)
    if len(failures) > SHOWN:
        typer.echo(f"  and {len(failures) - SHOWN:,} more: --json names all", err=True)
