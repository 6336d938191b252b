"""`transxv2s audit`: what a data set holds, and whether a split of it leaks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transxv2s.cli import dataset as options

if TYPE_CHECKING:
    from rich.table import Table

    from transxv2s.datasets.audit import Audit

LEAKS = 1
SHOWN = 5  # of each kind of thing that the terminal names; --json names all
WORDS = {"lesion": "one lesion", "exact": "identical files", "near": "near copies"}


def audit(
    *,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help=f"{options.DATASETS}.")],
    root: options.Root,
    split: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="The split file.")],
    fold: Annotated[
        int | None, typer.Option(help="Audit the cross-validation that tests on this fold instead.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write a page with pictures of pairs.")
    ] = None,
    table: options.Table = None,
    columns: options.Columns = None,
    labels: options.Labels = None,
    taxonomy: options.TaxonomyName = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document only.")] = False,
) -> None:
    """Audit a data set and a split: sizes, missing files, contradicting labels, and whatever leaks.

    The exit code is 0 when nothing leaks, 1 when a lesion or a picture is on both sides, and 2 when the audit
    could not be made.
    """
    from rich.console import Console

    from transxv2s.datasets import splits
    from transxv2s.datasets.audit import summary
    from transxv2s.datasets.protocol import audit_split
    from transxv2s.files import make_folders, write_whole
    from transxv2s.reports.audit import render

    if html:
        make_folders(html.parent)
    reading = options.read_dataset(
        dataset, root, table=table, columns=columns, labels=labels, taxonomy=taxonomy
    )
    loaded = splits.load(split)
    found = audit_split(reading, loaded if fold is None else loaded.for_fold(fold))
    if html:
        write_whole(html, render(found, dataset, {r.id: r.path for r in reading.records}))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        console = Console(highlight=False, markup=False, emoji=False)
        for part in _tables(found):
            console.print(part)
        console.print(f"\n{summary(found)[:1].upper()}{summary(found)[1:]}.")
    raise typer.Exit(LEAKS if found["leaks"] else 0)


def _tables(found: "Audit") -> list["Table | str"]:
    from rich.table import Table

    from transxv2s.datasets.audit import folds_sentence
    from transxv2s.datasets.census import ALL
    from transxv2s.datasets.splits import SUBSETS, UNUSED

    parts: list[Table | str] = list(found["notes"])
    parts += [f"{image} cannot be read: {why}" for image, why in list(found["unreadable"].items())[:SHOWN]]
    if len(found["unreadable"]) > SHOWN:
        parts.append(f"{len(found['unreadable']) - SHOWN:,} more images that cannot be read are in --json")
    exact, near = found["copies"]["exact"], found["copies"]["near"]
    parts.append(f"{exact:,} pairs of identical files and {near:,} of near copies in the whole set")
    parts += [
        f"{c['image']} is {c['label']}, but {c['other']} is {c['other_label']}: {WORDS[c['kind']]}"
        for c in found["contradictions"][:SHOWN]
    ]
    if len(found["contradictions"]) > SHOWN:
        parts.append(f"{len(found['contradictions']) - SHOWN:,} more contradicting pairs are in --json")
    for kind, rows in found["sizes"].items():
        sizes = Table(title=f"Images (lesions) by {kind}", box=None, title_justify="left", title_style="bold")
        subsets = [s for s in (ALL, *SUBSETS, UNUSED) if any(s in c for c in rows.values())]
        for heading in (kind, *subsets):
            sizes.add_column(heading, justify="left" if heading == kind else "right")
        for name, columns in rows.items():
            cells = (columns.get(subset) for subset in subsets)
            sizes.add_row(name, *(f"{c['images']:,} ({c['lesions']:,})" if c else "0" for c in cells))
        parts.append(sizes)
    for subset, classes in found["affected"].items():
        held = Table(title=f"Affected {subset} images", box=None, title_justify="left", title_style="bold")
        for heading in ("class", "images", "same lesion", "identical", "near copy", "any", "share"):
            held.add_column(heading, justify="left" if heading == "class" else "right")
        for name, n in classes.items():
            if n["images"]:
                counts = (n["images"], n["lesion"], n["exact"], n["near"], n["any"])
                held.add_row(name, *(f"{count:,}" for count in counts), f"{n['any'] / n['images']:.1%}")
        parts.append(held)
    return [*parts, *_leaks(found), *filter(None, [folds_sentence(found)])]


def _leaks(found: "Audit") -> list[str]:
    """The first leaking pairs of each kind."""
    lines = []
    for kind, words in WORDS.items():
        entries = [entry for entry in found["shared"] if entry["kind"] == kind]
        lines += [
            f"{e['image']} ({e['subset']}) leaks from {e['other']} ({e['other_subset']}): {words}"
            for e in entries[:SHOWN]
        ]
        if len(entries) > SHOWN:
            lines.append(f"{len(entries) - SHOWN:,} more of this kind ({words}) are in --json")
    return lines
