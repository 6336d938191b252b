"""`transxv2s preprocess`: a folder of images as the network sees them, and what was done to them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transxv2s.cli.terminal import SOME_FAILED, printable
from transxv2s.errors import ConfigError

if TYPE_CHECKING:
    from transxv2s.cli.preprocess_folder import Done, Job
    from transxv2s.imaging.pipeline import Preprocessing


def preprocess(
    *,
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of images, searched at any depth.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for PNG files of the same paths.")],
    config: Annotated[
        Path | None, typer.Option(metavar="RECIPE", help="Take the preprocessing of this training recipe.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take the preprocessing of this checkpoint.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Write strips before / marked / after and comparison.html too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as one document.")] = False,
) -> None:
    """Preprocess a folder of images, in parallel. Run again to go on where it stopped: what is there stays.

    Without --config or --checkpoint the default preprocessing is used. Images that cannot be used are listed
    and do not stop the others; the exit code is then 1.
    """
    from transxv2s.cli import preprocess_folder as folder
    from transxv2s.cli.inputs import find_images

    if config and checkpoint:
        raise ConfigError("give --config or --checkpoint, not both")
    images = find_images([str(source)]) if source.is_dir() else []
    if not images:
        raise ConfigError(f"{source} is not a folder; name the folder of the images")
    job = folder.Job(source, target, _preprocessing(config, checkpoint), compare)
    folder.open_target(job)
    done = folder.run(job, images)
    page = folder.write_page(job, images) if compare else None
    if as_json:
        typer.echo(json.dumps(_document(job, done, page), indent=2))
    else:
        _tell(job, done, page)
    raise typer.Exit(SOME_FAILED if done.failures or done.left else 0)


def _preprocessing(config: Path | None, checkpoint: Path | None) -> "Preprocessing":
    if config:
        from transxv2s.training.recipe import load_recipe

        return load_recipe(config).preprocessing
    if checkpoint:
        from transxv2s.checkpoint import read_checkpoint

        return read_checkpoint(checkpoint).config.preprocessing
    from transxv2s.imaging.pipeline import Preprocessing

    return Preprocessing()


def _document(job: "Job", done: "Done", page: Path | None) -> dict[str, object]:
    from transxv2s.files import readable

    return {
        "out": readable(job.target),
        "digest": job.preprocessing.digest(),
        "preprocessing": job.preprocessing.model_dump(mode="json"),
        "made": done.made,
        "there_before": done.there,
        "not_reached": done.left,
        "failures": [{"file": error.name, "reason": error.reason} for error in done.failures],
        "comparison": page and readable(page),
    }


def _tell(job: "Job", done: "Done", page: Path | None) -> None:
    typer.echo(
        f"{done.made:,} images made in {job.target}, {done.there:,} were there "
        f"(preprocessing {job.preprocessing.digest()})."
    )
    if page:
        typer.echo(f"Look at them in {page}.")
    if done.left:
        typer.echo(f"Stopped with {done.left:,} to go; run the same command again to go on.", err=True)
    if done.failures:
        typer.echo(f"{len(done.failures):,} could not be preprocessed:", err=True)
    for error in done.failures:
        typer.echo("  " + printable(str(error)), err=True)
