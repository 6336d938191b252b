"""`transxv2s calibrate`: how far a checkpoint can be trusted, fitted on images it was not trained on."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from transxv2s.cli import dataset as options
from transxv2s.cli.network import Device
from transxv2s.cli.terminal import SOME_FAILED


def calibrate(
    *,
    checkpoint: Annotated[Path, typer.Argument(metavar="DIR", help="Checkpoint directory.")],
    dataset: Annotated[str, typer.Option(metavar="NAME", help=f"{options.DATASETS}.")],
    root: options.Root,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Write the checkpoint there: new, empty, or a checkpoint's; without it, into itself.",
        ),
    ] = None,
    report: Annotated[
        Path, typer.Option(metavar="DIR", file_okay=False, help="Write calibration.json and figures there.")
    ] = Path("calibration"),
    split: options.SplitFile = None,
    subset: options.Subset = "validation",
    fold: options.Fold = None,
    leaky: options.Leaky = False,
    sensitivity: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of malignant lesions to be recognised as such or referred."),
    ] = 0.95,
    rare_sensitivity: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="The same of each rare or often missed class; benign ones within the budget.",
        ),
    ] = 0.9,
    budget: Annotated[
        float, typer.Option(min=0, max=1, help="Share of images to refer, if the two floors leave room.")
    ] = 0.3,
    coverage: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the prediction sets.")] = 0.9,
    group_by: Annotated[
        Literal["source", "age"] | None, typer.Option(help="Prediction sets for each group on its own.")
    ] = None,
    ham10000: options.Ham10000 = None,
    table: options.Table = None,
    columns: options.Columns = None,
    labels: options.Labels = None,
    taxonomy: options.TaxonomyName = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print calibration.json only.")] = False,
) -> None:
    """Fit calibrated probabilities, prediction sets, novelty and referral, and write them into a checkpoint.

    Take images that the network was not trained on: the validation part of its own split, or those of your
    hospital. The two floors come first; the budget is kept if they leave room, and else it is said what they
    cost. What the checkpoint tells of its performance is measured again: on the test part of its own split,
    or on your images. The exit code is 0 when all images were read, 1 when some could not be, 2 when nothing
    was fitted.
    """
    from transxv2s.checkpoint import read_checkpoint, refuse_foreign
    from transxv2s.classifier import Classifier
    from transxv2s.datasets.portion import Portion
    from transxv2s.errors import DataError
    from transxv2s.evaluation.calibration import calibrate as fit_trust
    from transxv2s.trust.policy import Goals

    parts = options.read_split(split, fold, leaky)
    if out:
        refuse_foreign(out)
    loaded = read_checkpoint(checkpoint)
    own = loaded.config.to_taxonomy()
    reading = options.read_dataset(
        dataset,
        root,
        table=table,
        columns=columns,
        labels=labels,
        taxonomy=taxonomy,
        model=own,
        ham10000=ham10000,
    )
    if reading.taxonomy != own:
        raise DataError(
            f"{dataset} has the classes of {reading.taxonomy.name}, the checkpoint those of {own.name}: "
            "calibrate on images labelled in the checkpoint's own classes"
        )
    results = fit_trust(
        loaded,
        Classifier(loaded, device),
        Portion(dataset, reading, parts, subset, leaky),
        out or checkpoint,
        report,
        goals=Goals(sensitivity=sensitivity, rare_sensitivity=rare_sensitivity, budget=budget),
        coverage=coverage,
        grouping=group_by,
    )
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    else:
        _print(results, out or checkpoint, report)
    raise typer.Exit(SOME_FAILED if results["failures"] else 0)


def _from(limits: dict[str, float]) -> str:
    return ", ".join(f"{code} from {limit:.3f}" for code, limit in limits.items()) or "none"


def _print(results: dict[str, Any], target: Path, report: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console, policy = Console(highlight=False, markup=False), results["policy"]
    console.print(f"Fitted on {results['fitted_on']}")
    scores = Table(box=None)
    for heading in ("", "ECE", "smooth ECE", "class-wise ECE", "Brier", "NLL"):
        scores.add_column(heading, justify="right" if heading else "left")
    for name, key in (("before", "before"), (f"{results['scaling']} scaling, lesions left out", "held_out")):
        columns = ("ece", "smooth_ece", "classwise_ece", "brier", "nll")
        scores.add_row(name, *(f"{results[key][column]:.4f}" for column in columns))
    console.print(scores)
    if len(needs := (results["choice"] or {"referred": {}})["referred"]) > 1:
        forms = ", ".join(f"{kind} {share:.0%}" for kind, share in needs.items())
        console.print(f"Equally likely scalings, and what the floors of safety refer under each: {forms}")
    console.print(
        f"Prediction sets of {results['sets']['size']:.2f} classes on average; referral: suspicion from "
        f"{policy['max_suspicion']:.3f}, confidence under {policy['min_confidence']:.3f}, rare classes "
        f"{_from(policy['rare'])}, often missed classes {_from(policy['often_missed'])}"
    )
    referred = Table(box=None, title="Referred by each rule alone", title_justify="left")
    for name, share in results["referred_by"].items():
        referred.add_row(name, f"{share:.1%}")
    console.print(referred)
    for named, found in results["metrics"].items():
        score = found["balanced_accuracy"]
        console.print(
            f"Balanced accuracy, {named}: {score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f}), "
            f"{found['images']} images; it stands in the checkpoint"
        )
    for note in results["notes"]:
        console.print(f"Note: {note}")
    for image, reason in results["failures"].items():
        console.print(f"{image} could not be read: {reason}")
    console.print(f"\nCheckpoint {results['checkpoint']}: {target}\nReport: {report}", soft_wrap=True)
