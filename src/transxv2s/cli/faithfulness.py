"""`transxv2s explain --evaluate`: are the heat maps of a checkpoint true to it?"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import typer


@dataclass(frozen=True)
class Trial:
    """What is judged, on what.

    Attributes:
        ham10000: Folder of HAM10000 with its lesion masks.
        methods: Keys of `transxv2s.explain.METHODS`.
        target: As `explain.heat_maps` takes it.
        images: How many.
        device: As for `Classifier.load`.
        bfloat16: Score changed images in bfloat16.
    """

    ham10000: Path
    methods: Sequence[str]
    target: str
    images: int
    device: str
    bfloat16: bool


def judge(checkpoint: Path | None, trial: Trial, out: Path, as_json: bool) -> None:
    """Judges the methods on images that the checkpoint has not seen; writes and prints what was found.

    Args:
        checkpoint: Directory; None for the one that ships.
        trial: What is judged, on what.
        out: Folder for faithfulness.csv, .json and .png; what is there already is not done again.
        as_json: Print faithfulness.json instead of the table.

    Raises:
        ConfigError: There is no such target.
        InputError: The device is not there.
        DataError: HAM10000 or its masks are missing, or the folder holds rows of another trial.
        CheckpointError: The checkpoint cannot be read or explained.
    """
    from rich.console import Console

    from transxv2s.checkpoint import read_checkpoint
    from transxv2s.classifier import default_checkpoint, usable_device
    from transxv2s.datasets import ham10000
    from transxv2s.datasets.portion import Portion
    from transxv2s.explain.faithfulness import Summary, agreement_table, run_evaluation, table
    from transxv2s.files import make_folders

    make_folders(out)
    loaded = read_checkpoint(checkpoint or default_checkpoint())
    results = run_evaluation(
        loaded,
        Portion("ham10000", ham10000.read(trial.ham10000)),
        ham10000.masks(trial.ham10000),
        out,
        methods=trial.methods,
        target=trial.target,
        images=trial.images,
        device=usable_device(trial.device),
        bfloat16=trial.bfloat16,
    )
    if as_json:
        typer.echo(json.dumps(results, indent=2))
        return
    console = Console(highlight=False, markup=False)
    for shown in (table, agreement_table):
        console.print(shown(cast(Summary, results)))
    for method, verdict in results["verdicts"].items():
        for failure in verdict["failures"]:
            console.print(f"{method}: {failure}")
    overlap = results["left_out_as_seen_in_training"]["words"]
    console.print(f"\nSeen before, and left out: {overlap}", soft_wrap=True)
    console.print(f"{out / 'faithfulness.png'}", soft_wrap=True)
