"""What a worker process loads."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from transxv2s.errors import InputError
from transxv2s.serve import worker_tasks
from transxv2s.serve.settings import Settings


def test_the_cores_are_shared_by_the_workers_in_every_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []
    shares: list[int] = []
    monkeypatch.setattr(worker_tasks, "read_checkpoint", lambda directory: directory)
    monkeypatch.setattr(worker_tasks, "Classifier", lambda *arguments: loaded.append(arguments))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", shares.append)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(worker_tasks, "limit_memory", lambda _: None)
    for workers in (1, 3, 20):
        worker_tasks.loader(Settings(workers=workers, engine="openvino"), Path("somewhere"))()

    assert shares == [8, 2, 1]
    assert loaded == [(Path("somewhere"), "auto", "openvino", share) for share in shares]


def test_an_engine_that_is_not_there_is_refused_before_the_server_starts() -> None:
    with pytest.raises(InputError, match="no engine 'warp'"):
        worker_tasks.loader(Settings(engine="warp"), Path("somewhere"))
    worker_tasks.loader(Settings(engine="auto"), Path("somewhere"))
