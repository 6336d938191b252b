"""What all commands that read a labelled data set ask for."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

if TYPE_CHECKING:
    from transxv2s.datasets.records import Reading
    from transxv2s.datasets.splits import Split
    from transxv2s.taxonomy import Taxonomy

DATASETS = "isic2019, isic2019-test, isic2018, isic2018-validation, isic2018-test, ham10000, table or folder"

Root: TypeAlias = Annotated[Path, typer.Option(metavar="DIR", help="Folder of the data set.")]
Table: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Table: its CSV file; without it the only one in the folder."),
]
Columns: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="KEY=COLUMN,…",
        help="Table: column of image, label, lesion, source, age, sex, site, if not the usual.",
    ),
]
Labels: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL=CODE,…",
        help="Table and folder: what labels mean, or a YAML file of that; '-' leaves images out.",
    ),
]
Ham10000: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="isic2019: take HAM10000's files, which may be larger, from here."),
]
TaxonomyName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--taxonomy",
        help="Table and folder: isic2019, isic2018, nevus-melanoma, or own: every label is a class.",
    ),
]

SplitFile: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Split file; without it, all images.")
]
Subset: TypeAlias = Annotated[Literal["train", "validation", "test"], typer.Option(help="Of the split.")]
Fold: TypeAlias = Annotated[
    int | None, typer.Option(help="Take the cross-validation that tests on this fold of the split.")
]
Leaky: TypeAlias = Annotated[
    bool, typer.Option("--leaky", help="Declare that the split leaks; every output will say so.")
]


def read_split(path: Path | None, fold: int | None, leaky: bool) -> "Split | None":
    """The split that the options name.

    Raises:
        ConfigError: An option is about a split, and none is named.
        DataError: The split cannot be used, or has no such fold.
    """
    from transxv2s.datasets import splits
    from transxv2s.errors import ConfigError

    if path is None:
        if fold is not None or leaky:
            raise ConfigError("--fold and --leaky are about a split: name it with --split")
        return None
    split = splits.load(path)
    return split if fold is None else split.for_fold(fold)


def read_dataset(
    name: str,
    root: Path,
    *,
    table: Path | None = None,
    columns: str | None = None,
    labels: str | None = None,
    taxonomy: str | None = None,
    model: "Taxonomy | None" = None,
    ham10000: Path | None = None,
) -> "Reading":
    """The data set that the options name.

    Args:
        name: Of the data set.
        root: Its folder.
        table: See the options.
        columns: See the options.
        labels: See the options.
        taxonomy: See the options.
        model: Classes of the network that is to see it; own ones are those of a table or folder for which
            no taxonomy is named.
        ham10000: See the options.

    Raises:
        ConfigError: An option has no known meaning.
        DataError: The data set is missing, incomplete or contradicts itself.
    """
    from transxv2s.datasets import labels as label_maps
    from transxv2s.datasets.ham10000 import files
    from transxv2s.datasets.registry import TableOptions, read
    from transxv2s.datasets.table import parse_columns
    from transxv2s.errors import ConfigError
    from transxv2s.taxonomy import OWN

    foreign = _foreign_options(name, table=table, columns=columns, labels=labels, taxonomy=taxonomy)
    if foreign:
        raise ConfigError(f"{', '.join(foreign)} would mean nothing for {name}: leave out what is not for it")
    own = model if model and model.name == OWN else None
    options = TableOptions(
        path=table,
        columns=parse_columns(columns or ""),
        label_map=label_maps.parse(labels) if labels else None,
        taxonomy=label_maps.taxonomy_named(taxonomy) if taxonomy else own,
    )
    reading = read(name, root, options)
    return replace(reading, larger_files=files(ham10000)) if ham10000 else reading


def _foreign_options(name: str, **given: object) -> list[str]:
    """The options that were given and that the reader does not take."""
    taken = {"table": given.keys(), "folder": {"labels", "taxonomy"}}.get(name, set())
    return [f"--{option}" for option, value in given.items() if value is not None and option not in taken]
