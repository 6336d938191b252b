"""What happens when many send at once? Throughput, waiting times and refusals of `transxv2s serve`.

Starts the server on loopback with a data folder of its own, lets clients send the CC0 samples over and over
for a while, each as soon as it has its last answer, and waiting as told where it is refused. Then every case
that was acknowledged is read back and the audit trail is verified. Beside many clients stands one alone.

    python benchmarks/server_load.py --out experiments/server_load.json
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import torch
from rich.console import Console
from rich.table import Table

from transxv2s.checkpoint import CheckpointConfig, write_checkpoint
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.nets import create

SAMPLES = Path(__file__).parents[1] / "samples"
SMALL = "transxv2s_net_efficientnetv2_s"
ALLOWED = {201, 429, 503}
PATIENCE = 300.0  # seconds until the network is loaded
SERVE = (sys.executable, "-m", "transxv2s")


@dataclass
class Load:
    """What one number of clients met.

    Attributes:
        clients: How many.
        seconds: From the first request to the last answer.
        statuses: How often each was answered.
        times: Seconds of each image that was examined.
        refusals: Seconds of each that was refused.
        cases: Their ids.
    """

    clients: int
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    cases: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """For the JSON file and the table."""
        return {
            "clients": self.clients,
            "seconds": round(self.seconds, 2),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "images_per_second": round(len(self.times) / self.seconds, 2),
            "seconds_of_an_answer": _quantiles(self.times),
            "seconds_of_a_refusal": {
                "p50": _quantile(self.refusals, 0.5),
                "p95": _quantile(self.refusals, 0.95),
            },
        }


def _quantiles(values: list[float]) -> dict[str, float | None]:
    return {"p50": _quantile(values, 0.5), "p95": _quantile(values, 0.95)}


def _quantile(values: list[float], share: float) -> float | None:
    if len(values) < 2:
        return round(values[0], 3) if values else None
    return round(statistics.quantiles(values, n=100, method="inclusive")[round(100 * share) - 1], 3)


@contextmanager
def server(checkpoint: Path, folder: Path, settings: dict[str, int]) -> Iterator[str]:
    """The server's address, once it is ready."""
    config = folder / "server.yaml"
    config.write_text(json.dumps(settings))  # JSON is YAML
    command = [*SERVE, "serve", "--port", "0", "--config", str(config), "--checkpoint", str(checkpoint)]
    command += ["--data-dir", str(folder / "data")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stderr
            place = next(m[0] for line in process.stderr if (m := re.search(r"http://[\d.:]+", line)))
            threading.Thread(target=process.stderr.read, daemon=True).start()
            _wait_until_ready(place)
            yield place
        finally:
            process.terminate()


def _wait_until_ready(place: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while httpx.get(f"{place}/ready").status_code != 200:
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not become ready")
        time.sleep(0.2)


def put_under_load(place: str, clients: int, seconds: float) -> Load:
    """Sends until the time is up; what is under way then is waited for."""
    load, lock = Load(clients), threading.Lock()
    images = [path.read_bytes() for path in sorted(SAMPLES.glob("*.jpg"))]
    start = time.perf_counter()
    end = start + seconds

    def visit(number: int) -> None:
        with httpx.Client(base_url=place, timeout=PATIENCE) as client:
            while time.perf_counter() < end:
                number += 1
                _send(client, images[number % len(images)], load, lock, end)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(visit, range(clients)))
    load.seconds = time.perf_counter() - start
    return load


def _send(client: httpx.Client, content: bytes, load: Load, lock: threading.Lock, end: float) -> None:
    begun = time.perf_counter()
    answer = client.post("/v1/findings", files={"images": content})
    took = time.perf_counter() - begun
    with lock:
        load.statuses[answer.status_code] += 1
        if answer.status_code == 201:
            load.times.append(took)
            load.cases.append(answer.json()["id"])
        else:
            load.refusals.append(took)
    if answer.status_code in (429, 503):
        time.sleep(max(0.0, min(float(answer.headers["Retry-After"]), end - time.perf_counter())))


def check(place: str, loads: list[Load]) -> None:
    """Every acknowledged case is there, and nothing but what may be was answered."""
    for load in loads:
        assert set(load.statuses) <= ALLOWED, load.statuses
    with httpx.Client(base_url=place, timeout=PATIENCE) as client:
        for case_id in (case_id for load in loads for case_id in load.cases):
            assert client.get(f"/v1/findings/{case_id}").status_code == 200


def small_checkpoint(folder: Path) -> Path:
    """Random weights: what is measured is the server."""
    torch.manual_seed(0)
    config = CheckpointConfig(variant=SMALL, preprocessing=Preprocessing())
    write_checkpoint(folder / "checkpoint", create(SMALL), config, half=True)
    return folder / "checkpoint"


def table(rows: list[dict[str, Any]]) -> Table:
    """A row for each number of clients."""
    result = Table(title="transxv2s serve under load")
    for heading in ("clients", "images/s", "p50, s", "p95, s", "201", "503", "refused after p50, s"):
        result.add_column(heading, justify="right")
    for row in rows:
        answered, refused = row["seconds_of_an_answer"], row["seconds_of_a_refusal"]
        counts = [str(row["statuses"].get(status, 0)) for status in ("201", "503")]
        shown = (row["clients"], row["images_per_second"], answered["p50"], answered["p95"])
        result.add_row(*map(str, shown), *counts, str(refused["p50"] or "–"))
    return result


def main() -> None:
    """Prints a table, and writes JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--queue", type=int, default=16)
    parser.add_argument("--checkpoint", type=Path, help=f"by default {SMALL} with random weights")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    settings = {"workers": arguments.workers, "queue": arguments.queue}
    others = round(os.getloadavg()[0], 1)  # what else the machine had to do
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = arguments.checkpoint or small_checkpoint(folder)
        with server(checkpoint, folder, settings) as place:
            put_under_load(place, 1, 1)  # warms up
            loads = [put_under_load(place, clients, arguments.seconds) for clients in arguments.clients]
            check(place, loads)
        verify = [*SERVE, "records", "verify", "--data-dir", str(folder / "data")]
        subprocess.run(verify, check=True)  # noqa: S603
    rows = [load.row() for load in loads]
    Console().print(table(rows))
    if arguments.out:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
        network = arguments.checkpoint.name if arguments.checkpoint else f"{SMALL}, random weights"
        setting = {"machine": machine, "load_average_before": others, "network": network}
        content = setting | {"settings": settings, "rows": rows}
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
