"""`transxv2s info`: what a network or a checkpoint is made of."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from transxv2s.cli.network import CheckpointDir
from transxv2s.errors import InputError

if TYPE_CHECKING:
    from transxv2s.imaging.pipeline import Preprocessing
    from transxv2s.nets import TransXV2SNet
    from transxv2s.taxonomy import Taxonomy

DEFAULT_VARIANT = "transxv2s_net"
FRESH = "fresh: not trained, of no use for prediction"


def info(
    checkpoint: CheckpointDir = None,
    variant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Describe a fresh network of this variant instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document only.")] = False,
) -> None:
    """Describe a checkpoint or a fresh network: parameters, classes, fusion weights, metrics."""
    if checkpoint and variant:
        raise InputError("A checkpoint has its own variant; give --checkpoint or --variant, not both.")
    directory = checkpoint or (None if variant else _shipped())
    facts = _of_checkpoint(directory) if directory else _of_fresh_network(variant or DEFAULT_VARIANT)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)


def _shipped() -> Path | None:
    """The checkpoint to use when none is named, if any; a wrong environment variable stays an error."""
    from transxv2s.classifier import CHECKPOINT_VARIABLE, SHIPPED_CHECKPOINT, default_checkpoint

    wanted = os.environ.get(CHECKPOINT_VARIABLE) or SHIPPED_CHECKPOINT.is_dir()
    return default_checkpoint() if wanted else None


def _of_fresh_network(variant: str) -> dict[str, Any]:
    from transxv2s import nets
    from transxv2s.imaging.pipeline import Preprocessing
    from transxv2s.taxonomy import ISIC2019

    model = nets.create(variant, num_classes=len(ISIC2019))
    return {"weights": FRESH, **_of_model(variant, model, ISIC2019, Preprocessing()), "checkpoint": None}


def _of_checkpoint(directory: Path) -> dict[str, Any]:
    from transxv2s.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(directory)
    config = checkpoint.config
    parts = config.model_dump(mode="json", include={"trust", "training", "metrics"})
    model = cast("TransXV2SNet", checkpoint.model)
    facts = _of_model(config.variant, model, config.to_taxonomy(), config.preprocessing)
    return {"weights": str(directory), **facts, "checkpoint": {"digest": checkpoint.digest, **parts}}


def _of_model(
    variant: str, model: "TransXV2SNet", taxonomy: "Taxonomy", preprocessing: "Preprocessing"
) -> dict[str, Any]:
    from transxv2s.nets import count_parameters

    return {
        "variant": variant,
        "parameters": count_parameters(model),
        "classes": [asdict(diagnosis) for diagnosis in taxonomy.classes],
        "fusion_weights": model.fusion_weights(),
        "preprocessing": preprocessing.model_dump(mode="json"),
    }


def _print(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    classes = {c["code"]: f"{c['name']}, {c['behaviour']}" for c in facts["classes"]}
    for title, part in (facts | {"classes": classes}).items():
        heading = Text(title.replace("_", " ").capitalize(), style="bold")
        console.print(heading)
        table = Table(box=None, show_header=False, padding=(0, 2))
        for name, text in _lines(part):
            table.add_row(name, Text(text, overflow="fold"))
        console.print(table)


def _lines(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as lines of dotted name and text; a score and its interval make one line."""
    if not isinstance(value, dict):
        yield name, _text(value)
    elif value.keys() == {"value", "low", "high"}:
        yield name, f"{_text(value['value'])} ({_text(value['low'])} to {_text(value['high'])})"
    else:
        for key, inner in value.items():
            yield from _lines(inner, f"{name}.{key}" if name else key)


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)
