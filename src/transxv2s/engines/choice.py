"""Which engine `auto` means: the fastest that was measured here to keep the accuracy, or else a safe order.

`transxv2s bench throughput` on labelled images keeps its rows in the cache, beside the files of the engines
and under the checkpoint's digest: what was measured counts for this checkpoint on this machine.
"""

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.engine import ENGINES, REFERENCE, Chosen
from transxv2s.engines.store import file_of, folder
from transxv2s.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

ALLOWED_LOSS = 0.005  # balanced accuracy that `auto` may cost: half a point
MEASURED = "measured.json"
LOADS_A_FILE = ("onnxruntime", "openvino")


def remember(checkpoint: Checkpoint, rows: "Sequence[dict[str, Any]]") -> Path:
    """Keep for `auto` what was measured: rows with engine, images_per_second, balanced_accuracy_change."""
    path = folder(checkpoint) / MEASURED
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"machine": machine(), "rows": list(rows)}, indent=1) + "\n")
    return path


def choose(checkpoint: Checkpoint, device: torch.device) -> str:
    """The name of the engine to take.

    Of the engines that were measured here and cost at most ALLOWED_LOSS, the fastest. Where none was
    measured: bfloat16 where the hardware computes in it, through OpenVINO if its file is there already,
    else the reference. int8 is taken only where it was measured.
    """
    if device.type == "cpu" and (found := _fastest_measured(checkpoint)):
        return found
    if not computes_in_bfloat16(device):
        return REFERENCE
    openvino = Chosen("openvino", "bfloat16")
    return openvino.name if device.type == "cpu" and _ready(checkpoint, openvino) else "eager-bfloat16"


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for products in bfloat16."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def machine() -> str:
    """What the rows of a measurement depend on."""
    capabilities = torch.cpu.get_capabilities()
    return f"{capabilities.get('cpu_name', platform.processor())}, {capabilities['num_logical_cores']} cores"


def _fastest_measured(checkpoint: Checkpoint) -> str | None:
    try:
        measured = json.loads((folder(checkpoint) / MEASURED).read_text(encoding="utf-8"))
        if measured["machine"] != machine():
            return None
        fit = [row for row in measured["rows"] if _fits(checkpoint, row)]
        return str(max(fit, key=lambda row: row["images_per_second"])["engine"]) if fit else None
    except (OSError, ValueError, KeyError, TypeError):  # nothing measured, or not by this version
        return None


def _fits(checkpoint: Checkpoint, row: dict[str, Any]) -> bool:
    """It was measured, costs little enough, and what it needs is there; compiling takes minutes a start."""
    chosen = ENGINES.get(row["engine"])
    change = row["balanced_accuracy_change"]
    return (
        chosen is not None
        and chosen.kind != "compiled"
        and change is not None
        and change >= -ALLOWED_LOSS
        and _ready(checkpoint, chosen)
    )


def _ready(checkpoint: Checkpoint, chosen: Chosen) -> bool:
    if chosen.kind not in LOADS_A_FILE:
        return True
    from importlib.util import find_spec

    return find_spec(chosen.kind) is not None and file_of(checkpoint, chosen).exists()
