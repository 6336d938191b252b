"""Which engine `auto` means: the fastest that was measured here to keep the accuracy, or else a safe order.

`transxv2s bench throughput` on labelled images keeps a row of each engine in the cache, beside the files of
the engines and under the checkpoint's digest: what was measured counts for this checkpoint on this machine.
"""

import json
import platform
from typing import TYPE_CHECKING, Any

import torch

from transxv2s import hardware
from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.engine import COMPILING, FILE_SUFFIXES, Chosen, parse
from transxv2s.engines.store import file_of, folder
from transxv2s.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

ALLOWED_LOSS = 0.005  # balanced accuracy that `auto` may cost: half a point
DECIDING_BATCH = 16  # a classifier's own; what is faster at 64 may be slower there
MEASURED = "measured.json"

Row = dict[str, Any]


def remember(checkpoint: Checkpoint, rows: "Sequence[Row]") -> None:
    """Keep for `auto` what was measured on the processor; engines that were not measured now keep their rows.

    Speeds of two runs do not compare, as the machine may have been busier in one: what counts is the ratio
    to the reference, which ran in turns with the others in the same run.

    Args:
        checkpoint: Whose engines.
        rows: Of the benchmark: engine, batch, ratio_to_reference, balanced_accuracy_change. They should be
            of images that `are_enough`.
    """
    measured = {row["engine"]: row for row in rows if row["batch"] == DECIDING_BATCH}
    path = folder(checkpoint.digest) / MEASURED
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), "engines": _measured(checkpoint) | measured}
    write_whole(path, json.dumps(content, indent=1) + "\n")


def are_enough(images_of_rarest_class: int, classes: int) -> bool:
    """Whether no single image moves balanced accuracy by more than ALLOWED_LOSS: of 8 classes, 25 of each."""
    return images_of_rarest_class * classes * ALLOWED_LOSS >= 1


def choose(checkpoint: Checkpoint, device: torch.device) -> str:
    """The name of the engine to take.

    Of the engines that were measured here and cost at most ALLOWED_LOSS, the fastest at DECIDING_BATCH.
    Where none was measured: bfloat16 where the hardware computes in it, else float32, each through OpenVINO
    if its file is there already. int8 is taken only as it was calibrated when it was measured.
    """
    if device.type == "cpu" and (found := _fastest_measured(checkpoint)):
        return found
    chosen = Chosen("openvino", "bfloat16" if hardware.computes_in_bfloat16(device) else "float32")
    if device.type != "cpu" or not _ready(checkpoint, chosen):
        chosen = chosen._replace(kind="eager")
    return chosen.name


def machine() -> str:
    """What the rows of a measurement depend on."""
    capabilities = torch.cpu.get_capabilities()
    return f"{capabilities.get('cpu_name', platform.processor())}, {capabilities['num_logical_cores']} cores"


def _measured(checkpoint: Checkpoint) -> dict[str, Row]:
    """Rows by engine; none where nothing was measured on this machine, or not by this version."""
    try:
        measured = json.loads((folder(checkpoint.digest) / MEASURED).read_text(encoding="utf-8"))
        return dict(measured["engines"]) if measured["machine"] == machine() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _fastest_measured(checkpoint: Checkpoint) -> str | None:
    try:
        fit = [row for row in _measured(checkpoint).values() if _fits(checkpoint, row)]
        return str(max(fit, key=lambda row: row["ratio_to_reference"])["engine"]) if fit else None
    except (KeyError, TypeError, ValueError):  # not by this version
        return None


def _fits(checkpoint: Checkpoint, row: Row) -> bool:
    """It costs little enough, and what it needs is there; compiling takes minutes a start."""
    chosen, change = parse(row["engine"]), row["balanced_accuracy_change"]
    return (
        chosen.kind not in COMPILING
        and change is not None
        and change >= -ALLOWED_LOSS
        and _ready(checkpoint, chosen)
    )


def _ready(checkpoint: Checkpoint, chosen: Chosen) -> bool:
    """Whether its file, its package and the instructions are there: other machines may share the cache."""
    if chosen.precision == "bfloat16" and not hardware.computes_in_bfloat16(torch.device("cpu")):
        return False
    if chosen.kind not in FILE_SUFFIXES:
        return True
    from importlib.util import find_spec

    return find_spec(chosen.kind) is not None and file_of(checkpoint, chosen).exists()
