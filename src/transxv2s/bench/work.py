"""How much arithmetic a network is, and how much of it this machine could do at best."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

SIDE = 2048  # of the square matrices whose product is the ceiling
PRODUCT = 2 * SIDE**3  # operations: a multiplication and an addition each


def operations(run: Callable[[], object]) -> int:
    """Floating-point operations of the products in a run, two for each multiplication with its addition."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        run()
    return int(counter.get_total_flops())


def matrix_product(dtype: torch.dtype, device: torch.device) -> Callable[[], Any]:
    """A product of PRODUCT operations, which nothing that is made of products can outrun."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(SIDE, SIDE, generator=generator).to(device, dtype) for _ in range(2))

    def multiply() -> None:
        with torch.inference_mode():
            left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return multiply
