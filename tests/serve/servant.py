"""What a stranger's image could make a worker do, without the network: it starts in no time."""

import os
import signal
import time

from transxv2s.errors import CheckpointError, ImageError
from transxv2s.serve.worker_process import limit_memory

BUDGET = 200_000_000  # bytes


class Servant:
    def process(self) -> int:
        return os.getpid()

    def sleep(self, seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    def refuse(self) -> None:
        raise ImageError("The image", "it is empty")

    def blunder(self, name: str) -> None:
        raise RuntimeError(name)

    def hoard(self, size: int) -> int:
        return len(bytearray(b"x") * size)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def ignores_the_end(self) -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        return True


def load() -> Servant:
    limit_memory(BUDGET)
    return Servant()


def cannot_load() -> Servant:
    raise CheckpointError("the checkpoint is damaged")
