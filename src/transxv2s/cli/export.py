"""`transxv2s export`: a checkpoint as one file that runs without this project."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from transxv2s.cli.network import CheckpointDir

CALIBRATE, VERIFY = 256, 64  # images, at most


def export(
    *,
    format_: Annotated[
        Literal["onnx", "openvino"], typer.Argument(metavar="FORMAT", help="onnx or openvino.")
    ],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", dir_okay=False, help="The file: .onnx, or .xml with .bin beside it."),
    ],
    precision: Annotated[
        Literal["float32", "bfloat16", "int8"], typer.Option(help="bfloat16 is for openvino alone.")
    ] = "float32",
    images: Annotated[
        list[str] | None,
        typer.Option(
            help="Image files, folders or patterns (repeatable): training images for int8; the file is "
            "verified on others of them. Without it, it is verified on the samples of the checkout."
        ),
    ] = None,
    checkpoint: CheckpointDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document only.")] = False,
) -> None:
    """Export a checkpoint: from the square to calibrated probabilities, for batches of any size.

    The file is verified after it is written: what it says of sample images is compared with the checkpoint
    in float32, and a file in float32 that differs by more than rounding is removed again. What int8 needs is
    kept for the engines too: `--engine openvino-int8` works from then on.
    """
    from transxv2s.bench.images import some, squares_of
    from transxv2s.checkpoint import read_checkpoint
    from transxv2s.classifier import default_checkpoint
    from transxv2s.cli.inputs import find_images, samples
    from transxv2s.engines.export import export as write
    from transxv2s.engines.export import verified
    from transxv2s.engines.portable import OPSET, steps_before
    from transxv2s.errors import ConfigError

    if precision == "int8" and not images:
        raise ConfigError("int8 is calibrated on training images: name some of them with --images")
    read = read_checkpoint(checkpoint or default_checkpoint())
    squares = squares_of(some(find_images(images or samples()), CALIBRATE + VERIFY), read)
    verify = min(VERIFY, max(1, len(squares) // 4)) if images else len(squares)
    if precision == "int8" and len(squares) < 2:
        raise ConfigError(
            "int8 takes two images or more, to calibrate and to verify: name more with --images"
        )
    files = write(read, format_, precision, out, squares[verify:] if precision == "int8" else None)
    found = verified(read, format_, precision, files, squares[:verify])
    facts = {
        "files": {str(file): file.stat().st_size for file in files},
        "checkpoint": read.digest,
        "precision": precision,
        "opset": OPSET,
        "calibrated_on": len(squares) - verify if precision == "int8" else 0,
        "agreement": found.as_dict(),
        "steps_before": steps_before(read.config.preprocessing),
    }
    typer.echo(json.dumps(facts, indent=2) if as_json else _text(facts))


def _text(facts: dict[str, Any]) -> str:
    """For people."""
    from transxv2s import NOTICE

    files, found = facts["files"], facts["agreement"]
    lines = [f"{path}  {size / 1e6:.1f} MB" for path, size in files.items()]
    calibrated = f", calibrated on {facts['calibrated_on']} images" if facts["calibrated_on"] else ""
    lines.append(
        f"{facts['precision']}{calibrated}, ONNX opset {facts['opset']}, checkpoint {facts['checkpoint']}"
    )
    lines.append(
        f"Verified on {found['images']} images: the same class for {found['same_class']:.1%}, "
        f"probabilities differ by {found['largest_difference']:.2g} at most"
    )
    if steps := facts["steps_before"]:
        lines.append(f"Not in the file, to be done to images before they are resized: {', '.join(steps)}")
    return "\n".join([*lines, "", NOTICE])
