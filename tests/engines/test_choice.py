"""`auto` takes the fastest engine that was measured to keep the accuracy, and otherwise what is safe."""

from typing import Any

import pytest
import torch

from engines.networks import SMALL, checkpoint
from transxv2s.engines import choice
from transxv2s.engines.choice import choose, remember
from transxv2s.engines.engine import Chosen
from transxv2s.engines.store import file_of

CPU = torch.device("cpu")


def row(engine: str, speed: float, change: float | None) -> dict[str, Any]:
    return {"engine": engine, "images_per_second": speed, "balanced_accuracy_change": change}


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def have_file(kind: str, precision: Any) -> None:
    path = file_of(checkpoint(SMALL), Chosen(kind, precision))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_the_fastest_within_half_a_point_is_taken() -> None:
    have_file("openvino", "int8")
    rows = [row("eager", 10, 0.0), row("eager-bfloat16", 30, -0.004), row("openvino-int8", 90, -0.006)]
    remember(checkpoint(SMALL), rows)
    assert choose(checkpoint(SMALL), CPU) == "eager-bfloat16"

    remember(checkpoint(SMALL), [*rows, row("openvino-int8", 90, -0.005)])
    assert choose(checkpoint(SMALL), CPU) == "openvino-int8"


def test_what_is_not_there_or_was_not_priced_is_passed_over() -> None:
    remember(
        checkpoint(SMALL),
        [row("openvino-int8", 90, 0.0), row("eager-bfloat16", 30, None), row("eager", 10, 0.0)],
    )

    assert choose(checkpoint(SMALL), CPU) == "eager"


def test_measurements_of_another_machine_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(checkpoint(SMALL), [row("eager", 10, 0.0)])
    monkeypatch.setattr(choice, "machine", lambda: "another")
    monkeypatch.setattr(choice, "computes_in_bfloat16", lambda _: True)

    assert choose(checkpoint(SMALL), CPU) == "eager-bfloat16"


@pytest.mark.parametrize(
    ("bfloat16", "file", "expected"),
    [(False, True, "eager"), (True, False, "eager-bfloat16"), (True, True, "openvino-bfloat16")],
)
def test_without_measurements_the_processor_decides(
    bfloat16: bool, file: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "computes_in_bfloat16", lambda _: bfloat16)
    if file:
        have_file("openvino", "float32")

    assert choose(checkpoint(SMALL), CPU) == expected
