"""Weights for the trunks: what loads, and what is said when something does not."""

from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from transxv2s.errors import WeightsUnavailableError
from transxv2s.nets import create, load_trunk
from transxv2s.nets.xceptmod import XceptMod

XCEPTION = "legacy_xception.imagenet.fp16.safetensors"


@pytest.fixture
def trunk() -> nn.Module:
    return XceptMod(dcgan=False).get_submodule("trunk")


def test_published_xception_loads_completely(trunk: nn.Module, shared_dir: Path) -> None:
    path = shared_dir / "weights" / XCEPTION
    load_trunk(trunk, path)
    stored, loaded = load_file(path), trunk.state_dict()
    assert set(loaded) == set(stored)
    for key, value in stored.items():
        torch.testing.assert_close(
            loaded[key], value.to(loaded[key].dtype).view_as(loaded[key]), rtol=0, atol=0
        )
    assert {p.dtype for p in trunk.parameters()} == {torch.float32}


def test_a_head_of_imagenet_is_left_out(trunk: nn.Module, tmp_path: Path) -> None:
    donor: nn.Module = timm.create_model("legacy_xception", num_classes=10)
    save_file(donor.state_dict(), tmp_path / "trunk.safetensors")
    load_trunk(trunk, tmp_path / "trunk.safetensors")
    assert torch.equal(trunk.get_parameter("conv1.weight"), donor.get_parameter("conv1.weight"))


def test_weights_of_another_network_are_refused(trunk: nn.Module, tmp_path: Path) -> None:
    save_file(nn.Linear(2, 3).state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(WeightsUnavailableError, match=r"other.safetensors does not fit the trunk Xception"):
        load_trunk(trunk, tmp_path / "other.safetensors")


def test_a_damaged_file_is_refused(trunk: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "trunk.safetensors"
    save_file(trunk.state_dict(), path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(WeightsUnavailableError, match=r"trunk.safetensors cannot be read"):
        load_trunk(trunk, path)


def test_a_missing_file_is_refused(trunk: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match="cannot be read"):
        load_trunk(trunk, tmp_path / "nothing.safetensors")


def test_pretrained_without_a_network_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsUnavailableError, match="check the network connection"):
        create(pretrained=True)


@pytest.mark.parametrize("error", [OSError, ConnectionError, RuntimeError])
def test_other_ways_to_fail_say_so_too(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("no route to host")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(WeightsUnavailableError, match=f"pretrained=False \\({error.__name__}\\)"):
        create(pretrained=True)
    with pytest.raises(error, match="no route to host"):
        create()  # not about weights: left as it is
