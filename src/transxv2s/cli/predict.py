"""`transxv2s predict`: what the network makes of images, for people and for programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transxv2s.cli.inputs import load
from transxv2s.cli.network import CheckpointDir, Device, Engine
from transxv2s.cli.terminal import SOME_FAILED
from transxv2s.errors import ConfigError

if TYPE_CHECKING:
    from transxv2s.bulk import Examiner
    from transxv2s.classifier import Classifier
    from transxv2s.reports.prediction import Card, Failure


def predict(
    *,
    images: Annotated[
        list[str], typer.Argument(help="Image files, folders (searched at any depth) or quoted patterns.")
    ],
    checkpoint: CheckpointDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document only.")] = False,
    table: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", dir_okay=False, help="Write a CSV file, a column a class."),
    ] = None,
    lines: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="For very many images: write a file of JSON lines that grows, and go on where it ends.",
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Examine on a Ray cluster (on one of its machines 'auto' or host:6379, from elsewhere "
            "ray://host:10001); needs --lines.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, help="Write report.html, findings.json and findings.csv there."
        ),
    ] = None,
    heat_maps: Annotated[
        bool, typer.Option("--heat-maps", help="Show in the report where the network looked; needs --out.")
    ] = False,
    lesions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="CSV with columns image (id or file name) and lesion: views that disagree are referred.",
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="CSV with columns image and group, for prediction sets that were calibrated by group.",
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images that the network sees at once.")] = 16,
    device: Device = "auto",
    engine: Engine = "eager",
) -> None:
    """Classify dermoscopic images and say when an expert must look. Not a diagnosis.

    The exit code is 0 when all images were examined, 1 when some could not be (each is listed with its
    reason), and 2 when the command could not be carried out.
    """
    from rich.console import Console

    from transxv2s import NOTICE
    from transxv2s.cli import outputs
    from transxv2s.cli.batch import examine
    from transxv2s.cli.inputs import find_images
    from transxv2s.files import make_folders, write_whole
    from transxv2s.reports.prediction import Card, Failure

    if heat_maps and not out:
        raise ConfigError("--heat-maps belong to the report: name its folder with --out")
    if lines and (as_json or table or out or lesions):
        raise ConfigError("--lines holds all that is said: leave out --json, --csv, --out and --lesions")
    if cluster and device not in ("auto", "cpu"):
        raise ConfigError("--device is of this machine: leave it out, a cluster computes on its processors")
    if cluster and not lines:
        raise ConfigError("--cluster is for very many images: name the file of their findings with --lines")
    files = find_images(images)
    known = _groups(groups, files, checkpoint) if groups else {}
    if lines:
        examiner = _examiner(cluster, checkpoint, batch_size, device=device, engine=engine)
        raise typer.Exit(_into_lines(lines, examiner, files, known))
    make_folders(*[folder for folder in (out, table and table.parent) if folder])
    classifier = load(checkpoint, device, engine, to_explain=heat_maps)
    views = _told(lesions, "lesion", files) if lesions else {}
    found = examine(classifier, files, batch_size, out is not None, heat_maps, groups=known)
    outcomes = _with_views(found, views)
    cards = [outcome for outcome in outcomes if isinstance(outcome, Card)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    if table:
        write_whole(table, outputs.to_csv(cards, classifier.taxonomy.codes))
    if out:
        _write_folder(out, classifier, cards, failures)
    if as_json:
        typer.echo(outputs.to_json(cards, failures), nl=False)
    else:
        console = Console(highlight=False)
        console.print(outputs.to_table(outcomes))
        console.print(f"\n{NOTICE}")
    raise typer.Exit(SOME_FAILED if failures else 0)


def _examiner(
    cluster: str | None, checkpoint: Path | None, batch_size: int, *, device: str, engine: str
) -> "Examiner":
    from transxv2s.bulk import Here
    from transxv2s.classifier import default_checkpoint

    if cluster:
        from transxv2s.cluster import There

        return There(cluster, checkpoint or default_checkpoint(), batch_size, engine)
    return Here(load(checkpoint, device, engine), batch_size)


def _into_lines(path: Path, examiner: "Examiner", files: list[Path], groups: dict[str, str]) -> int:
    """Examines into a file of lines, says how it went, and gives the exit code."""
    from transxv2s import NOTICE
    from transxv2s.bulk import Image, examine_into
    from transxv2s.classifier import unique_ids
    from transxv2s.files import make_folders, readable

    make_folders(path.parent)
    ids = unique_ids([readable(file) for file in files])
    images = [Image(file, i, groups.get(i)) for file, i in zip(files, ids, strict=True)]
    done = examine_into(path, examiner, images)
    before = f", {done.kept:,} of them before" if done.kept else ""
    failures = f", {done.failed:,} could not be" if done.failed else ""
    typer.echo(f"{done.examined:,} images examined{failures}{before}: {path}\n\n{NOTICE}")
    return SOME_FAILED if done.failed else 0


def _groups(path: Path, files: list[Path], checkpoint: Path | None) -> dict[str, str]:
    """Group by finding id.

    Raises:
        ConfigError: The checkpoint's prediction sets are not by group, or the table names no group of theirs.
    """
    from transxv2s.checkpoint import read_config
    from transxv2s.classifier import default_checkpoint

    trust = read_config(checkpoint or default_checkpoint())[0].trust
    if trust is None or trust.sets.grouping is None:
        raise ConfigError("this checkpoint is not calibrated by group: leave out --groups")
    groups = _told(path, "group", files)
    if not set(groups.values()) & set(trust.sets.groups):
        names = ", ".join(trust.sets.groups)
        raise ConfigError(f"{path} names no group ({trust.sets.grouping}) of this checkpoint: take {names}")
    return groups


def _told(path: Path, column: str, files: list[Path]) -> dict[str, str]:
    """What a column of a table says by finding id; the table names images by id, file name or path.

    A path may begin at any of an image's folders. Cells that say "unknown" or the like say nothing.

    Raises:
        ConfigError: It names none of the images, or by one name several.
    """
    from transxv2s.classifier import unique_ids
    from transxv2s.datasets.tables import known, read_table, unique_rows
    from transxv2s.files import readable

    rows = unique_rows(path, read_table(path, ("image", column)), "image")
    named: dict[str, set[str]] = {}
    for i, file in zip(unique_ids([readable(file) for file in files]), files, strict=True):
        own = _names(file) | ({i} if i != file.stem else set())
        for name in own & rows.keys():
            named.setdefault(name, set()).add(i)
    if torn := [name for name in rows if len(named.get(name, ())) > 1]:
        raise ConfigError(
            f"{path} names {len(named[torn[0]])} images by {torn[0]}: "
            "say which, with the folder before the name"
        )
    said = {i: known(row[column]) for name, row in rows.items() for i in named.get(name, ())}
    if not any(said.values()):
        raise ConfigError(f"{path} names none of the images: its column image takes ids, file names or paths")
    return {i: value for i, value in said.items() if value}


def _names(file: Path) -> set[str]:
    """All names by which a table may mean a file: its own, and with more and more folders before it."""
    from transxv2s.datasets.tables import image_id
    from transxv2s.files import readable

    parts = image_id(readable(file.absolute())).split("/")
    return {"/".join(parts[start:]) for start in range(len(parts))}


def _with_views(outcomes: list["Card | Failure"], lesions: dict[str, str]) -> list["Card | Failure"]:
    """Cards whose findings know of the other views of their lesion."""
    from dataclasses import replace

    from transxv2s.reports.prediction import Card
    from transxv2s.views import with_views

    findings = [outcome.finding for outcome in outcomes if isinstance(outcome, Card)]
    found = {finding.id: finding for finding in with_views(findings, lesions)}
    return [replace(o, finding=found[o.finding.id]) if isinstance(o, Card) else o for o in outcomes]


def _write_folder(
    out: Path, classifier: "Classifier", cards: list["Card"], failures: list["Failure"]
) -> None:
    from datetime import datetime

    from transxv2s.cli import outputs
    from transxv2s.files import write_whole
    from transxv2s.reports.prediction import render

    now = datetime.now().astimezone()
    write_whole(out / "findings.json", outputs.to_json(cards, failures))
    write_whole(out / "findings.csv", outputs.to_csv(cards, classifier.taxonomy.codes))
    write_whole(out / "report.html", render(cards, failures, classifier.config, classifier.digest, now))
