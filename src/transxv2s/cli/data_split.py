"""`transxv2s data split`: a split of a data set as a file."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from transxv2s.cli import dataset as options

IDS = ("image", "image_id", "isic_id")  # columns
Protocol = Literal["grouped", "leave-source-out", "by-image"]


def split(
    *,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=f"{options.DATASETS}.")],
    root: options.Root,
    out: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="The split file to write.")],
    protocol: Annotated[
        Protocol,
        typer.Option(
            help="grouped: ten folds that tear no lesion and no copies. leave-source-out: test on other "
            "hospitals. by-image: the article's, set doubled, which leaks; for comparison only."
        ),
    ] = "grouped",
    train_on: Annotated[
        str | None,
        typer.Option(metavar="SOURCE,…", help="leave-source-out: the sources to train on; all others test."),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="leave-source-out: the grouped split whose folds are kept."),
    ] = None,
    leave_out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="A table whose column image, image_id or isic_id names images to keep for a test of their "
            "own: they and their groups are unused.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the shuffling.")] = 0,
    table: options.Table = None,
    columns: options.Columns = None,
    labels: options.Labels = None,
    taxonomy: options.TaxonomyName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document only.")] = False,
) -> None:
    """Make a split: who trains, who validates, who tests. Made once, from a seed, with a digest."""
    from transxv2s.datasets import splits
    from transxv2s.datasets.copies import copies
    from transxv2s.datasets.records import counted
    from transxv2s.errors import ConfigError
    from transxv2s.files import make_folders

    if [bool(train_on), bool(base)] != [protocol == "leave-source-out"] * 2:
        raise ConfigError("--train-on and --base belong to --protocol leave-source-out, which needs both")
    reading = options.read_dataset(
        dataset, root, table=table, columns=columns, labels=labels, taxonomy=taxonomy
    )
    kept = _images(leave_out) if leave_out else None
    make_folders(out.parent)
    notes = list(reading.notes)
    if train_on and base:
        sources = [source.strip() for source in train_on.split(",")]
        rows = splits.leave_source_out(splits.load(base), reading.records, sources)
    elif protocol == "by-image":
        rows = splits.by_image(reading.records, seed)
    else:
        pairs, unreadable = copies(reading.records)
        if unreadable:
            one, many = ("image cannot be read and was", "images cannot be read and were")
            notes.append(counted(unreadable, f"{one} compared with none", f"{many} compared with none"))
        rows = splits.grouped(reading.records, pairs, seed)
    if kept is not None:
        rows = splits.left_out(rows, kept)
    digest = splits.write(rows, out)
    sizes = Counter(row["split"] for row in rows)
    if as_json:
        document = {
            "split": str(out),
            "digest": digest,
            "protocol": protocol,
            "images": sizes,
            "notes": notes,
        }
        typer.echo(json.dumps(document))
    else:
        for note in notes:
            typer.echo(note, err=True)
        counts = ", ".join(f"{n:,} {subset}" for subset, n in sizes.most_common())
        typer.echo(f"{out} (digest {digest}): {counts}")


def _images(path: Path) -> set[str]:
    """The images that a table names."""
    from transxv2s.datasets.tables import image_id, read_table
    from transxv2s.errors import DataError

    rows = read_table(path, ())
    column = next((name for name in IDS if rows and name in rows[0]), None)
    if column is None:
        raise DataError(f"{path} names no images: it needs a column {', '.join(IDS[:-1])} or {IDS[-1]}")
    return {image_id(row[column]) for row in rows} - {""}
