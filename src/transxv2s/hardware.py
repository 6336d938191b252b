"""What the hardware computes in."""

import torch

from transxv2s.errors import InputError

PLACES = {"cpu": "processor", "cuda": "GPU"}


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for products in bfloat16; without them it is many times slower."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def quick(device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 where the device computes in it; elsewhere numbers stay as they are."""
    return torch.autocast(device.type, torch.bfloat16, enabled=computes_in_bfloat16(device))


def require_bfloat16(device: torch.device, instead: str) -> None:
    """Refuses to work at a crawl.

    Args:
        device: Where it would be.
        instead: What to do, as an imperative.

    Raises:
        InputError: The device does not compute in bfloat16.
    """
    if not computes_in_bfloat16(device):
        place = PLACES.get(device.type, device.type)
        raise InputError(f"This {place} does not compute in bfloat16: {instead}.")
