"""What a recipe leaves to the hardware."""

import pytest
import torch

from transxv2s import hardware
from transxv2s.training import devices
from transxv2s.training.recipe import Recipe


def recipe(precision: str, accelerator: str = "auto") -> Recipe:
    data = {"dataset": "isic2019", "root": "images", "split": "split.csv"}
    return Recipe.model_validate(
        {"data": data, "precision": precision, "hardware": {"accelerator": accelerator}}
    )


@pytest.mark.parametrize(("able", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_trains_in_bfloat16_where_the_hardware_computes_in_it(
    able: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "computes_in_bfloat16", lambda _: able)
    assert devices.precision(recipe("auto")) == expected
    for named in ("32-true", "bf16-mixed"):
        assert devices.precision(recipe(named)) == named


@pytest.mark.parametrize(("accelerator", "asked"), [("auto", "cuda"), ("gpu", "cuda"), ("cpu", "cpu")])
def test_the_device_that_trains_is_asked(
    accelerator: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(hardware, "computes_in_bfloat16", lambda device: device.type == asked)
    assert devices.precision(recipe("auto", accelerator)) == "bf16-mixed"
