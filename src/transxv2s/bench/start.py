"""In a process of its own: from the start of Python to the first finding, and the memory that took.

Called as `python -m transxv2s.bench.start CHECKPOINT ENGINE DEVICE IMAGE`; prints one line of JSON.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from transxv2s.errors import TransXV2SError


class Start(NamedTuple):
    """A first answer.

    Attributes:
        seconds: From the start of the process.
        mebibytes: Of the largest resident set by then and through a batch of 16.
    """

    seconds: float
    mebibytes: float


def start(checkpoint: Path, engine: str, device: str, image: Path) -> Start | None:
    """Start a new process with this engine; None where it cannot be used."""
    command = [sys.executable, "-m", __name__, str(checkpoint), engine, device, str(image)]
    began = time.time()
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TRANSXV2S_BEGAN": str(began)},
    )
    return Start(**json.loads(done.stdout.splitlines()[-1])) if done.returncode == 0 else None


def _main(checkpoint: str, engine: str, device: str, image: str) -> None:
    from transxv2s.classifier import Classifier

    classifier = Classifier.load(checkpoint, device, engine)
    classifier.classify(image)
    seconds = time.time() - float(os.environ["TRANSXV2S_BEGAN"])
    classifier.classify([image] * 16)
    print(json.dumps({"seconds": seconds, "mebibytes": _peak_mebibytes()}))


def _peak_mebibytes() -> float:
    """Of this program alone: on Linux getrusage also counts the process that it was started from."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except TransXV2SError as error:
        sys.exit(str(error))
