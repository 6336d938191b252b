"""What does adaptive sampling save? Time and memory of the DCGAN's graph stage, with k nodes and with all.

Sampling makes every position gather from at most 64 nodes, so the cost grows with the number of positions
and not with its square. The exponent is the slope of log(cost) over log(positions) on the three largest
grids, where fixed costs no longer hide it.

    python benchmarks/dcgan_cost.py --out experiments/dcgan_cost.json --figure docs/images/dcgan_cost.png
"""

import argparse
import json
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from transxv2s.nets.dcgan import GraphConvolution

Nodes = Literal["sampled", "all"]
Work = Literal["forward", "forward and backward"]
NODES: tuple[Nodes, ...] = ("sampled", "all")
WORK: tuple[Work, ...] = ("forward", "forward and backward")
MEBIBYTE = 2**20
LARGEST = 3  # grids that the exponent is fitted on
SECONDS = 0.3  # of repetition for each row, at least 5 runs


@dataclass(frozen=True)
class Row:
    """One measurement: the median time and the peak of what was allocated beyond weights and input."""

    side: int
    work: Work
    nodes: Nodes
    kept: int
    milliseconds: float
    mebibytes: float


def graph_stage(channels: int, nodes: Nodes, device: torch.device) -> GraphConvolution:
    """The graph stage as the network has it, or the same with every position kept as a node."""
    torch.manual_seed(0)
    everything = {"max_nodes": 2**62, "share": 1.0}
    return GraphConvolution(channels, **(everything if nodes == "all" else {})).to(device)  # type: ignore[arg-type]


def job(stage: GraphConvolution, x: Tensor, work: Work) -> Callable[[], None]:
    """What is measured, as a function without arguments."""

    def forward() -> None:
        with torch.inference_mode():
            stage(x)

    def forward_and_backward() -> None:
        torch.autograd.grad(stage(x).sum(), [x, *stage.parameters()])

    return forward if work == "forward" else forward_and_backward


def synchronize(device: torch.device) -> None:
    """Waits for a GPU; a CPU has nothing to wait for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_milliseconds(run: Callable[[], None], device: torch.device) -> float:
    """Median of at least five runs after one that warms up."""
    run()
    times: list[float] = []
    while len(times) < 5 or sum(times) < SECONDS:
        synchronize(device)
        start = time.perf_counter()
        run()
        synchronize(device)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def peak_bytes(run: Callable[[], None], device: torch.device) -> int:
    """Highest sum of what was allocated at once during a run, beyond what was there before it."""
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler would talk between the lines of the table
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        run()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profile.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    changes = sorted((e["ts"], e["args"]["Bytes"]) for e in events if e.get("name") == "[memory]")
    return int(max(np.cumsum([change for _, change in changes])))


def measure(side: int, channels: int, batch: int, device: torch.device) -> list[Row]:
    """All rows of one grid."""
    rows = []
    x = torch.randn(batch, side * side, channels, device=device, requires_grad=True)
    for work in WORK:
        for nodes in NODES:
            stage = graph_stage(channels, nodes, device)
            run = job(stage, x, work)
            duration, peak = median_milliseconds(run, device), peak_bytes(run, device) / MEBIBYTE
            kept = stage.sampling.sample_size(side * side)
            rows.append(Row(side, work, nodes, kept, round(duration, 4), round(peak, 4)))
    return rows


def series(rows: list[Row], work: Work, nodes: Nodes) -> list[Row]:
    """The rows of one line of the figure, by grid."""
    return [r for r in rows if (r.work, r.nodes) == (work, nodes)]


def exponent(rows: list[Row], quantity: str) -> float:
    """Slope of log(quantity) over log(positions) on the largest grids."""
    last = rows[-LARGEST:]
    positions = [math.log(r.side**2) for r in last]
    return round(float(np.polyfit(positions, [math.log(getattr(r, quantity)) for r in last], 1)[0]), 3)


def exponents(rows: list[Row]) -> dict[str, dict[str, dict[str, float]]]:
    """Exponents by work, quantity and nodes."""
    return {
        w: {q: {n: exponent(series(rows, w, n), q) for n in NODES} for q in ("milliseconds", "mebibytes")}
        for w in WORK
    }


def table(rows: list[Row], work: Work, title: str) -> Table:
    """One row a grid, both ways side by side."""
    result = Table(title=title)
    headings = ("grid", "nodes kept", "ms", "ms, all", "ratio", "MiB", "MiB, all", "ratio")
    for heading in headings:
        result.add_column(heading, justify="right")
    pairs = zip(series(rows, work, "sampled"), series(rows, work, "all"), strict=True)
    for some, every in pairs:
        result.add_row(
            f"{some.side}×{some.side}",
            f"{some.kept} of {every.kept}",
            f"{some.milliseconds:.2f}",
            f"{every.milliseconds:.2f}",
            f"{every.milliseconds / some.milliseconds:.1f}×",
            f"{some.mebibytes:.2f}",
            f"{every.mebibytes:.2f}",
            f"{every.mebibytes / some.mebibytes:.1f}×",
        )
    found = exponents(rows)[work]
    slopes = [[f"N^{found[q][n]:.2f}" for n in NODES] for q in ("milliseconds", "mebibytes")]
    result.add_section()
    result.add_row("growth", "", *slopes[0], "", *slopes[1], "")
    return result


def draw(rows: list[Row], path: Path) -> None:
    """Time and memory over positions, on logarithmic axes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    quantities = {"milliseconds": "time, ms", "mebibytes": "peak memory, MiB"}
    for axis, (quantity, label) in zip(axes, quantities.items(), strict=True):
        for work, style in zip(WORK, ("-", "--"), strict=True):
            for nodes, colour in zip(NODES, ("tab:blue", "tab:orange"), strict=True):
                line = series(rows, work, nodes)
                y = [getattr(r, quantity) for r in line]
                name = f"{nodes} nodes, {work}"
                axis.plot([r.side**2 for r in line], y, style, color=colour, marker="o", label=name)
        axis.set(xscale="log", yscale="log", xlabel="positions H·W", ylabel=label)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Prints two tables and writes JSON and the figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--grids", type=int, nargs="+", default=[8, 16, 32, 48, 64], help="sides, two or more"
    )
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="of a CPU; one is steady beside other work")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG or SVG file to write")
    arguments = parser.parse_args()
    device = arguments.device
    if len(set(arguments.grids)) < 2:
        parser.error("growth needs at least two different --grids")
    torch.set_num_threads(arguments.threads)
    setting = f"{arguments.channels} channels, batch {arguments.batch}, {device.type}"
    rows = [
        row
        for side in track(sorted(set(arguments.grids)), "grids", transient=True)
        for row in measure(side, arguments.channels, arguments.batch, device)
    ]
    for work in WORK:
        Console().print(table(rows, work, f"DCGAN graph stage, {work} ({setting})"))
    if arguments.out:
        machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
        if device.type == "cuda":
            machine = f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
        content = {"setting": setting, "machine": machine, "exponents": exponents(rows)}
        found = content | {"rows": [asdict(row) for row in rows]}
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")
    if arguments.figure:
        draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
