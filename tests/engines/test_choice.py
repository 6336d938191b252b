"""`auto` takes the fastest engine that was measured to keep the accuracy, and otherwise what is safe."""

from typing import Any

import pytest
import torch

from engines.networks import SMALL, checkpoint
from transxv2s import hardware
from transxv2s.engines import choice
from transxv2s.engines.choice import are_enough, choose, remember
from transxv2s.engines.engine import Chosen, parse
from transxv2s.engines.store import file_of

CPU = torch.device("cpu")


def row(engine: str, ratio: float, change: float | None, batch: int = 16, speed: float = 1) -> dict[str, Any]:
    return {
        "engine": engine,
        "batch": batch,
        "images_per_second": speed,
        "ratio_to_reference": ratio,
        "balanced_accuracy_change": change,
    }


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(hardware, "computes_in_bfloat16", lambda _: True)


def have_file(name: str) -> None:
    path = file_of(checkpoint(SMALL), parse(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_the_fastest_within_half_a_point_is_taken() -> None:
    have_file("openvino-int8@one")
    rows = [row("eager", 1, 0.0), row("eager-bfloat16", 3, -0.004), row("openvino-int8@one", 9, -0.006)]
    remember(checkpoint(SMALL), rows)
    assert choose(checkpoint(SMALL), CPU) == "eager-bfloat16"

    remember(checkpoint(SMALL), [*rows, row("openvino-int8@one", 9, -0.005)])
    assert choose(checkpoint(SMALL), CPU) == "openvino-int8@one"


def test_what_is_not_there_or_was_not_priced_or_must_compile_is_passed_over() -> None:
    remember(
        checkpoint(SMALL),
        [
            row("openvino-int8@one", 9, 0.0),
            row("compiled", 5, 0.0),
            row("eager-bfloat16", 3, None),
            row("eager", 1, 0.0),
        ],
    )

    assert choose(checkpoint(SMALL), CPU) == "eager"


def test_batches_of_sixteen_decide() -> None:
    remember(
        checkpoint(SMALL),
        [row(name, ratio, 0.0, batch) for name, ratio, batch in (
            ("eager", 2, 16), ("eager", 1, 64), ("eager-bfloat16", 1, 16), ("eager-bfloat16", 9, 64)
        )],
    )  # fmt: skip

    assert choose(checkpoint(SMALL), CPU) == "eager"


def test_what_was_not_measured_again_is_not_forgotten() -> None:
    remember(checkpoint(SMALL), [row("eager", 1, 0.0), row("eager-bfloat16", 3, 0.0)])
    remember(checkpoint(SMALL), [row("eager", 1, 0.0)])
    assert choose(checkpoint(SMALL), CPU) == "eager-bfloat16"

    remember(checkpoint(SMALL), [row("eager", 1, 0.0), row("eager-bfloat16", 3, -0.1)])
    assert choose(checkpoint(SMALL), CPU) == "eager"


def test_a_run_on_a_busy_machine_compares_with_its_own_reference() -> None:
    have_file("openvino")
    remember(checkpoint(SMALL), [row("eager", 1, 0.0, speed=20), row("eager-bfloat16", 3, 0.0, speed=60)])
    remember(checkpoint(SMALL), [row("eager", 1, 0.0, speed=5), row("openvino", 4, 0.0, speed=20)])

    assert choose(checkpoint(SMALL), CPU) == "openvino"


def test_int8_is_taken_as_it_was_calibrated_when_it_was_measured() -> None:
    have_file("openvino-int8@one")
    remember(checkpoint(SMALL), [row("eager", 1, 0.0), row("openvino-int8@one", 9, 0.0)])
    have_file("openvino-int8@two")
    file_of(checkpoint(SMALL), parse("openvino-int8")).with_name("openvino-calibrated-on").write_text("two")

    assert file_of(checkpoint(SMALL), parse("openvino-int8")).stem == "openvino-int8-two"
    assert choose(checkpoint(SMALL), CPU) == "openvino-int8@one"
    file_of(checkpoint(SMALL), parse("openvino-int8@one")).unlink()
    assert choose(checkpoint(SMALL), CPU) == "eager"


def test_measurements_of_another_machine_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(checkpoint(SMALL), [row("eager", 1, 0.0)])
    monkeypatch.setattr(choice, "machine", lambda: "another")
    monkeypatch.setattr(hardware, "computes_in_bfloat16", lambda _: True)

    assert choose(checkpoint(SMALL), CPU) == "eager-bfloat16"


def test_what_the_processor_cannot_compute_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another processor of the same name may have measured it into a cache that both see."""
    have_file("openvino")
    rows = [row("eager", 1, 0.0), row("eager-bfloat16", 3, 0.0), row("openvino-bfloat16", 5, 0.0)]
    remember(checkpoint(SMALL), rows)
    for able, expected in ((True, "openvino-bfloat16"), (False, "eager")):
        monkeypatch.setattr(hardware, "computes_in_bfloat16", lambda _, able=able: able)
        assert choose(checkpoint(SMALL), CPU) == expected


@pytest.mark.parametrize("content", ["", "[]", '{"machine": "MACHINE", "engines": {"eager": {}}}'])
def test_what_another_version_has_written_does_not_count(
    content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "machine", lambda: "MACHINE")
    monkeypatch.setattr(hardware, "computes_in_bfloat16", lambda _: False)
    remember(checkpoint(SMALL), [])
    [measured] = file_of(checkpoint(SMALL), Chosen("openvino", "float32")).parent.glob(choice.MEASURED)
    measured.write_text(content)

    assert choose(checkpoint(SMALL), CPU) == "eager"


@pytest.mark.parametrize(("rarest", "classes", "enough"), [(25, 8, True), (24, 8, False), (99, 2, False)])
def test_one_image_must_not_decide(rarest: int, classes: int, enough: bool) -> None:
    assert are_enough(rarest, classes) is enough
    assert (1 / (rarest * classes) <= choice.ALLOWED_LOSS) is enough


@pytest.mark.parametrize(
    ("bfloat16", "file", "expected"),
    [
        (False, False, "eager"),
        (False, True, "openvino"),
        (True, False, "eager-bfloat16"),
        (True, True, "openvino-bfloat16"),
    ],
)
def test_without_measurements_the_processor_decides(
    bfloat16: bool, file: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "computes_in_bfloat16", lambda _: bfloat16)
    if file:
        have_file("openvino")

    assert choose(checkpoint(SMALL), CPU) == expected
