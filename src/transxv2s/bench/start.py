"""In a process of its own: from the start of Python to the first finding, and the memory that took.

Called as `python -m transxv2s.bench.start CHECKPOINT ENGINE DEVICE IMAGE`; prints one line of JSON.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from transxv2s.engines.engine import EngineError
from transxv2s.errors import TransXV2SError
from transxv2s.memory import peak_mebibytes


class Start(NamedTuple):
    """A first answer.

    Attributes:
        seconds: From the start of the process.
        mebibytes: Through that and a batch of 16: of the largest resident set, or on a GPU of the most that
            PyTorch had allocated there.
    """

    seconds: float
    mebibytes: float


def start(checkpoint: Path, engine: str, device: str, image: Path) -> Start:
    """Start a new process with this engine.

    Raises:
        EngineError: It failed, with the last that it said.
    """
    command = [sys.executable, "-m", __name__, str(checkpoint), engine, device, str(image)]
    began = time.time()
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TRANSXV2S_BEGAN": str(began)},
    )
    if done.returncode:
        said = done.stderr.split("\n") if done.stderr.strip() else [f"exit code {done.returncode}"]
        raise EngineError([line for line in said if line.strip()][-1].strip())
    return Start(**json.loads(done.stdout.splitlines()[-1]))


def _main(checkpoint: str, engine: str, device: str, image: str) -> None:
    from transxv2s.classifier import Classifier

    classifier = Classifier.load(checkpoint, device, engine)
    classifier.classify(image)
    seconds = time.time() - float(os.environ["TRANSXV2S_BEGAN"])
    classifier.classify([image] * 16)
    print(json.dumps({"seconds": seconds, "mebibytes": _peak_mebibytes(device)}))


def _peak_mebibytes(device: str) -> float:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20
    return peak_mebibytes()


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except TransXV2SError as error:
        sys.exit(str(error))
