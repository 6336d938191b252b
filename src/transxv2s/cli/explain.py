"""`transxv2s explain`: where the network looked."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transxv2s.cli.faithfulness import Trial, judge
from transxv2s.cli.inputs import load
from transxv2s.cli.network import CheckpointDir, Device
from transxv2s.cli.terminal import SOME_FAILED
from transxv2s.errors import ConfigError

if TYPE_CHECKING:
    from transxv2s.classifier import Classifier
    from transxv2s.cli.explanations import Answer
    from transxv2s.reports.prediction import Failure

ALL, PREDICTED = "all", "predicted"
PAGE, INDEX = "explanation.html", "explanations.json"


def explain(
    *,
    images: Annotated[
        list[str] | None,
        typer.Argument(help="Image files, folders (searched at any depth) or quoted patterns."),
    ] = None,
    checkpoint: CheckpointDir = None,
    methods: Annotated[
        str,
        typer.Option(
            metavar="A,B|all",
            help="Some of hirescam, scorecam64, gradcam++, ablationcam, eigencam, fullgrad (all: these six) "
            "and the exact scorecam, which takes minutes.",
        ),
    ] = ALL,
    code: Annotated[
        str, typer.Option("--class", metavar="CODE", help="The class to ask for, or predicted.")
    ] = PREDICTED,
    target: Annotated[
        str, typer.Option(help="fused, a branch (effswin, xceptmod) or the name of a map, such as swin.")
    ] = "fused",
    attention: Annotated[
        bool, typer.Option("--attention", help="Show what the graph modules attend to by themselves, too.")
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", file_okay=False, help=f"Write {PAGE}, {INDEX} and a folder an image there."
        ),
    ] = Path("explanation"),
    as_json: Annotated[bool, typer.Option("--json", help=f"Print {INDEX} only.")] = False,
    device: Device = "auto",
    evaluate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Instead of images: judge whether the methods are true to the network, on lesions of "
            "HAM10000 (in DIR, with its masks) that the network has never seen, as far as its checkpoint "
            "tells; writes faithfulness.csv, .json and .png.",
        ),
    ] = None,
    number: Annotated[int, typer.Option(min=1, help="With --evaluate: on how many images.")] = 200,
    bfloat16: Annotated[
        bool,
        typer.Option("--bfloat16", help="With --evaluate: score in bfloat16, faster where there is AMX."),
    ] = False,
) -> None:
    """Show where the network looked: heat maps over each image, side by side. Not a diagnosis.

    A heat map shows what moved the network, not why the lesion is what it is. The exit code is 0 when all
    images were explained, 1 when some could not be (each is listed with its reason), and 2 when the command
    could not be carried out.
    """
    from transxv2s.cli.explanations import Answer, Question, explain_all
    from transxv2s.cli.inputs import find_images
    from transxv2s.files import make_folders
    from transxv2s.reports.prediction import Failure

    wanted = _methods(methods)
    if evaluate:
        _refuse_images(images, code, attention)
        judge(checkpoint, Trial(evaluate, wanted, target, number, device, bfloat16), out, as_json)
        return
    if not images:
        raise ConfigError("name images, folders or patterns to explain, or --evaluate and a folder")
    files = find_images(images)
    make_folders(out)
    classifier = load(checkpoint, device)
    question = Question(wanted, target, _class(classifier, code), attention)
    outcomes = explain_all(classifier, files, question, out)
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    index = _write(out, classifier, answers, failures)
    if as_json:
        typer.echo(index, nl=False)
    else:
        _tell(outcomes, out)
    raise typer.Exit(SOME_FAILED if failures else 0)


def _refuse_images(images: Sequence[str] | None, code: str, attention: bool) -> None:
    if images or attention or code != PREDICTED:
        raise ConfigError(
            "--evaluate chooses images itself and asks for the predicted class: "
            "leave out images, --class and --attention"
        )


def _methods(text: str) -> list[str]:
    from transxv2s.explain import METHODS, SIX

    if text == ALL:
        return list(SIX)
    wanted = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in wanted:
        if name not in METHODS:
            raise ConfigError(f"there is no method {name!r}; name some of {', '.join(METHODS)}, or {ALL}")
    return wanted


def _class(classifier: "Classifier", code: str) -> str | None:
    codes = classifier.taxonomy.codes
    if code == PREDICTED:
        return None
    if code not in codes:
        raise ConfigError(f"there is no class {code!r}; name one of {', '.join(codes)}, or {PREDICTED}")
    return code


def _write(
    out: Path, classifier: "Classifier", answers: Sequence["Answer"], failures: Sequence["Failure"]
) -> str:
    """Page and index; gives the index."""
    from datetime import datetime

    from transxv2s import NOTICE
    from transxv2s.explain.meaning import MEANING
    from transxv2s.files import write_whole
    from transxv2s.reports.explanation import render

    document: dict[str, Any] = {
        "explanations": [answer.entry for answer in answers],
        "failures": [asdict(failure) for failure in failures],
        "notice": NOTICE,
        "meaning": MEANING,
    }
    index = json.dumps(document, indent=2) + "\n"
    explained = [answer.explained for answer in answers]
    now = datetime.now().astimezone()
    write_whole(out / PAGE, render(explained, failures, classifier.config, classifier.digest, now))
    write_whole(out / INDEX, index)
    return index


def _tell(outcomes: Sequence["Answer | Failure"], out: Path) -> None:
    from rich.console import Console

    from transxv2s import NOTICE
    from transxv2s.cli import outputs
    from transxv2s.explain.meaning import MEANING
    from transxv2s.reports.prediction import Failure

    console = Console(highlight=False)
    shown = [o if isinstance(o, Failure) else o.explained.card for o in outcomes]
    console.print(outputs.to_table(shown))
    console.print(f"\nHeat maps: {out / PAGE}", markup=False, soft_wrap=True)
    console.print(f"\n{NOTICE} {MEANING}")
