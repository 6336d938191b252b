"""What does a heat map cost? Time and memory of every method, beside the common library of heat maps.

One image through the shipped network, at one target layer, the same for both; then all six maps of the fused
network at once. Each measurement runs in a process of its own, whose highest resident memory is read; beside
the time stands the CPU time, as other work on the machine lengthens only the former. The library is
left out where it is not installed, or with --no-library; its AblationCAM and ScoreCAM take minutes.

    python benchmarks/heat_maps.py --out experiments/heat_maps.json
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import spearmanr  # type: ignore[import-untyped]
from torch import Tensor

from transxv2s.checkpoint import read_checkpoint
from transxv2s.classifier import default_checkpoint
from transxv2s.explain import METHODS, SIX, heat_maps
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import to_tensor
from transxv2s.nets import TransXV2SNet

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "ISIC_0000142.jpg"
LAYERS = {"effnet": "effswin.trunk.bn2", "swin": "effswin.swin", "xception": "xceptmod.trunk.act4"}
LIBRARY = {
    "hirescam": "HiResCAM",
    "scorecam": "ScoreCAM",
    "gradcam++": "GradCAMPlusPlus",
    "ablationcam": "AblationCAM",
    "eigencam": "EigenCAM",
    "fullgrad": "FullGrad",
}
REPEATS = 3  # of what takes less than SLOW seconds, after one that warms up
SLOW = 10.0
MEBIBYTE = 2**20
KIBIBYTE = 2**10

Way = Callable[[TransXV2SNet, Tensor, list[str], str], NDArray[np.float32]]


@dataclass(frozen=True)
class Cost:
    """What one way to a map costs, or why there is none.

    Attributes:
        seconds: Fastest run.
        cpu_seconds: CPU time of that run, over all cores.
        mebibytes: Highest memory of the process, network and libraries included.
        values: The map.
        error: Why it failed.
    """

    seconds: float | None = None
    cpu_seconds: float | None = None
    mebibytes: float | None = None
    values: NDArray[np.float32] | None = None
    error: str | None = None


def prepared(checkpoint: Path, sample: Path) -> tuple[TransXV2SNet, Tensor]:
    """The network and the image as it sees it (1, 3, S, S)."""
    read = read_checkpoint(checkpoint)
    assert isinstance(read.model, TransXV2SNet)
    image = to_tensor(read.config.preprocessing.apply(decode(sample))).unsqueeze(0)
    return read.model.to(memory_format=torch.channels_last), image


def ours(network: TransXV2SNet, x: Tensor, methods: list[str], target: str) -> NDArray[np.float32]:
    """The last of the maps; of the most probable class."""
    return heat_maps(network, x, methods, targets=[target])[0][-1].values


def library_map(network: TransXV2SNet, x: Tensor, methods: list[str], target: str) -> NDArray[np.float32]:
    """The library's map of the most probable class; its progress bars are kept quiet."""
    import pytorch_grad_cam  # type: ignore[import-untyped]

    kind = getattr(pytorch_grad_cam, LIBRARY[methods[0]])
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        cam = kind(model=network, target_layers=[network.get_submodule(LAYERS[target])])
        values: NDArray[np.float32] = cam(x, None)[0]
    return values


def resident() -> float:
    """Highest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE / MEBIBYTE


def measure(way: Way, paths: tuple[Path, Path], methods: list[str], target: str, threads: int) -> Cost:
    """One way, in this process."""
    torch.set_num_threads(threads)
    network, x = prepared(*paths)
    with torch.no_grad():
        network(x)
    runs = list[tuple[float, float]]()
    try:
        while len(runs) <= REPEATS and (not runs or runs[-1][0] < SLOW):
            wall, cpu = time.perf_counter(), time.process_time()
            values = way(network, x, methods, target)
            runs.append((time.perf_counter() - wall, time.process_time() - cpu))
    except Exception as error:  # the library's failure is a result
        return Cost(error=f"{type(error).__name__}: {error}".splitlines()[0][:80])
    seconds, cpu_seconds = min(runs)
    return Cost(seconds, cpu_seconds, resident(), values)


def apart(*arguments: Any) -> Cost:
    """The same in a fresh process, so that memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def row(name: str, own: Cost, other: Cost | None) -> dict[str, Any]:
    """Both costs and how far the maps are apart."""
    found: dict[str, Any] = {"method": name, "ours": _without_map(own)}
    if other is not None:
        found["library"] = _without_map(other)
        if own.values is not None and other.values is not None and own.seconds and other.seconds:
            found["speedup"] = other.seconds / own.seconds
            found["largest_difference"] = float(abs(own.values - other.values).max())
    return found


def _without_map(cost: Cost) -> dict[str, Any]:
    return {key: value for key, value in asdict(cost).items() if key != "values" and value is not None}


def rank_correlation(one: Cost, other: Cost) -> float:
    """Spearman's, over pixels."""
    assert one.values is not None
    assert other.values is not None
    return float(spearmanr(one.values.ravel(), other.values.ravel()).statistic)


def table(rows: list[dict[str, Any]], title: str) -> Table:
    """One row a method."""
    result = Table(title=title)
    for heading in ("method", "s", "CPU s", "MiB", "library s", "CPU s", "MiB", "ratio", "difference"):
        result.add_column(heading, justify="left" if heading == "method" else "right")
    for found in rows:
        last = ["", ""]
        if "speedup" in found:
            last = [f"{found['speedup']:.1f}×", f"{found['largest_difference']:.1e}"]
        result.add_row(found["method"], *_cells(found["ours"]), *_cells(found.get("library")), *last)
    return result


def _cells(cost: dict[str, Any] | None) -> list[str]:
    if cost is None:
        return ["", "", ""]
    if "error" in cost:
        return [cost["error"].split(":")[0], "", ""]
    return [f"{cost['seconds']:.2f}", f"{cost['cpu_seconds']:.2f}", f"{cost['mebibytes']:.0f}"]


def main() -> None:
    """Prints a table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=default_checkpoint())
    parser.add_argument("--image", type=Path, default=SAMPLE)
    parser.add_argument("--target", choices=sorted(LAYERS), default="xception")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-library", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    paths, threads = (arguments.checkpoint, arguments.image), arguments.threads
    costs: dict[str, Cost] = {}
    rows = []
    for method in track(arguments.methods, "methods", transient=True):
        costs[method] = apart(ours, paths, [method], arguments.target, threads)
        compare = method in LIBRARY and not arguments.no_library
        other = apart(library_map, paths, [method], arguments.target, threads) if compare else None
        rows.append(row(METHODS[method].title, costs[method], other))
    rows.append(row("all six, fused", apart(ours, paths, list(SIX), "fused", threads), None))
    Console().print(table(rows, f"one map at {arguments.target}, one image, {threads} threads"))
    found: dict[str, Any] = {"target": arguments.target, "image": arguments.image.name, "rows": rows}
    if {"scorecam", "scorecam64"} <= costs.keys():
        at_target = rank_correlation(costs["scorecam"], costs["scorecam64"])
        fused = [apart(ours, paths, [method], "fused", threads) for method in ("scorecam", "scorecam64")]
        found["rank_correlation"] = {arguments.target: at_target, "fused": rank_correlation(*fused)}
        for target, correlation in found["rank_correlation"].items():
            Console().print(f"rank correlation of reduced and exact ScoreCAM at {target}: {correlation:.3f}")
    if arguments.out:
        machine = f"{platform.machine()}, {threads} threads, torch {torch.__version__}"
        arguments.out.write_text(json.dumps({"machine": machine} | found, indent=1) + "\n")


if __name__ == "__main__":
    main()
