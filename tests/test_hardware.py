"""What is computed in bfloat16 is so only where the hardware has it."""

import pytest
import torch

from transxv2s.errors import InputError
from transxv2s.hardware import computes_in_bfloat16, quick, require_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "able"), [({"avx2": True}, False), ({"avx2": True, "avx512_bf16": True}, True)]
)
def test_the_processor_tells(
    capabilities: dict[str, bool], able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert computes_in_bfloat16(CPU) is able
    assert not computes_in_bfloat16(torch.device("mps"))


@pytest.mark.parametrize(("generation", "able"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_gpus_do_from_ampere_on(
    generation: tuple[int, int], able: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: generation)
    assert computes_in_bfloat16(torch.device("cuda")) is able


@pytest.mark.usefixtures("with_bfloat16")
def test_quick_products_are_in_bfloat16() -> None:
    x = torch.ones(2, 2)
    with quick(CPU):
        assert (x @ x).dtype == torch.bfloat16
    require_bfloat16(CPU, "never mind")


@pytest.mark.usefixtures("without_bfloat16")
def test_elsewhere_they_stay_as_they_are_whatever_is_around_them() -> None:
    x = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16), quick(CPU):
        assert (x @ x).dtype == torch.float32
    with pytest.raises(InputError, match=r"This processor does not compute in bfloat16: take another\."):
        require_bfloat16(CPU, "take another")
