"""`transxv2s evaluate`: what a checkpoint is worth on labelled images."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from transxv2s.cli import dataset as options
from transxv2s.cli.network import CheckpointDir, Device, Engine
from transxv2s.cli.terminal import SOME_FAILED

SHOWN = 5  # failures that the terminal names


def evaluate(
    *,
    dataset: Annotated[str, typer.Option(metavar="NAME", help=f"{options.DATASETS}.")],
    root: options.Root,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Write predictions.csv, submission.csv, results.json, report.html.",
        ),
    ],
    checkpoint: CheckpointDir = None,
    split: options.SplitFile = None,
    subset: options.Subset = "test",
    fold: options.Fold = None,
    leaky: options.Leaky = False,
    floor: Annotated[
        float, typer.Option(min=0, max=1, help="A class with less recall raises an alarm.")
    ] = 0.5,
    ham10000: options.Ham10000 = None,
    table: options.Table = None,
    columns: options.Columns = None,
    labels: options.Labels = None,
    taxonomy: options.TaxonomyName = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images that the network sees at once.")] = 32,
    device: Device = "auto",
    engine: Engine = "eager",
    as_json: Annotated[bool, typer.Option("--json", help="Print results.json only.")] = False,
) -> None:
    """Evaluate a checkpoint: scores with intervals, overlap with its training, and a report with figures.

    A stopped evaluation goes on where it was when called again. The exit code is 0 when all images were read,
    1 when some could not be, and 2 when the evaluation could not be made, for example on a leaking split.
    """
    from transxv2s.checkpoint import read_config
    from transxv2s.classifier import Classifier, default_checkpoint
    from transxv2s.datasets.portion import Portion
    from transxv2s.evaluation.run import run
    from transxv2s.files import make_folders

    loaded = options.read_split(split, fold, leaky)
    make_folders(out)
    where = checkpoint or default_checkpoint()
    reading = options.read_dataset(
        dataset,
        root,
        table=table,
        columns=columns,
        labels=labels,
        taxonomy=taxonomy,
        model=read_config(where)[0].to_taxonomy(),
        ham10000=ham10000,
    )
    classifier = Classifier.load(where, device, engine)
    results = run(
        classifier,
        Portion(dataset, reading, loaded, subset, leaky),
        out,
        floor=floor,
        batch_size=batch_size,
    )
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    else:
        _print(results, out)
    raise typer.Exit(SOME_FAILED if results["failures"] else 0)


def _referral(tables: dict[str, Any]) -> Any:
    from rich.table import Table

    from transxv2s.reports.page import interval_text

    shown = Table(box=None)
    for heading in ("lesions", "referred", "accuracy of answers", "safe", "missed of 1,000"):
        shown.add_column(heading, justify="left" if heading == "lesions" else "right")
    for row in (*tables["all"], *tables["class"]):
        shares = (interval_text(row[key]) for key in ("referred", "accuracy_of_answers", "safe"))
        shown.add_row(row["group"], *shares, interval_text(row["missed_per_1000"], digits=1))
    return shown


def _sets(found: dict[str, Any]) -> Any:
    """Of all lesions, by class, by source."""
    from rich.table import Table

    from transxv2s.reports.page import interval_text

    kinds = [*(["class"] if found["to_each"] == "class" else []), *filter(None, [found["grouping"]])]
    to_each = f" of each {' and '.join(kinds)}" if kinds else ""
    title = f"Prediction sets are to hold the class of {found['promised']:.0%} of the lesions{to_each}"
    shown = Table(box=None, title=title, title_justify="left")
    for heading in ("lesions", "coverage", "to be expected", "classes in a set", "sets of one"):
        shown.add_column(heading, justify="left" if heading == "lesions" else "right")
    for row in (row for rows in found["tables"].values() for row in rows):
        band = "–" if row["band"] is None else "{:.3f} to {:.3f} ({})".format(*row["band"], row["place"])
        size, single = interval_text(row["size"], digits=2), interval_text(row["single"])
        shown.add_row(row["group"], interval_text(row["coverage"]), band, size, single)
    return shown


def _print(results: dict[str, Any], out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from transxv2s import NOTICE
    from transxv2s.reports.page import interval_text, score_text

    console, scores = Console(highlight=False, markup=False, emoji=False), results["scores"]
    for alarm in results["alarms"]:
        console.print(f"ALARM  {alarm['words']}", style="bold red")
    console.print(f"{scores['images']:,} images of {scores['lesions']:,} lesions: {results['protocol']}")
    console.print(f"Overlap with training: {results['overlap']['words']}")
    for note in (*results["dataset"]["notes"], *results["notes"]):
        console.print(f"Note: {note}")
    for image, reason in list(results["failures"].items())[:SHOWN]:
        console.print(f"{image} could not be read: {reason}")
    if len(results["failures"]) > SHOWN:
        console.print(
            f"{len(results['failures']) - SHOWN:,} more images that could not be read are in --json"
        )
    headline = Table(box=None, show_header=False)
    for name in ("balanced_accuracy", "accuracy", "macro_f1", "macro_auc"):
        headline.add_row(name.replace("_", " "), interval_text(scores[name]))
    for name in ("macro_precision", "macro_average_precision", "ece", "brier"):
        headline.add_row(name.replace("_", " "), score_text(scores[name]))
    if official := results["official"]:
        headline.add_row("balanced accuracy, ISIC rules", score_text(official["balanced_accuracy"]))
    console.print(headline)
    classes = Table(box=None)
    for heading in ("class", "images", "recall", "precision", "F1", "AUC"):
        classes.add_column(heading, justify="left" if heading == "class" else "right")
    for code, one in scores["per_class"].items():
        recall = interval_text(scores["intervals"][code]["recall"])
        values = (score_text(one[key]) for key in ("precision", "f1", "auc"))
        classes.add_row(code, f"{one['images']:,}", recall, *values)
    console.print(classes)
    console.print(_referral(results["referral"]))
    if found := results["prediction_sets"]:
        console.print(_sets(found))
    console.print(f"{out / 'report.html'}\n\n{NOTICE}")
