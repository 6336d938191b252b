"""What all colour methods take and give back: arrays and tensors of grey levels, one image or many."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from transxv2s.errors import InputError

BRIGHTEST = 255.0
TYPES = "uint8 or floating point"

Image = TypeVar("Image", NDArray[np.uint8], NDArray[np.float32], NDArray[np.float64], Tensor)


class Method(BaseModel):
    """Base of all colour methods: frozen parameters, and `apply`.

    Images are arrays (..., H, W, C) or tensors (..., C, H, W) in grey levels 0..255, uint8 or floating point.
    `apply` gives the same shape, type and device, clipped to 0..255 and for uint8 rounded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def apply(self, image: Image) -> Image:
        """The normalised image; the given one stays as it is.

        Raises:
            InputError: The image is of another type, or has no rows, columns or channels.
        """
        checked(image)
        if isinstance(image, np.ndarray):
            return self.apply_to_array(image)
        return self.apply_to_tensor(image)

    def apply_to_array(self, image: NDArray[Any]) -> NDArray[Any]:
        """`apply` for a checked array (..., H, W, C)."""
        raise NotImplementedError

    def apply_to_tensor(self, image: Tensor) -> Tensor:
        """`apply` for a checked tensor (..., C, H, W)."""
        array = image.detach().movedim(-3, -1).cpu().numpy()
        return torch.from_numpy(self.apply_to_array(array)).movedim(-1, -3).contiguous().to(image.device)


def checked(image: NDArray[Any] | Tensor) -> None:
    """Refuses what is no image.

    Raises:
        InputError: Neither uint8 nor floating point, fewer than three axes, or nothing in it.
    """
    is_array = isinstance(image, np.ndarray)
    layout = "(..., H, W, C)" if is_array else "(..., C, H, W)"
    floating = image.dtype.kind == "f" if isinstance(image, np.ndarray) else image.is_floating_point()
    if not floating and image.dtype not in (np.uint8, torch.uint8):
        raise InputError(f"colour methods take grey levels 0 to 255 as {TYPES}, not {image.dtype}: convert")
    if image.ndim < 3 or 0 in image.shape[-3:]:
        raise InputError(
            f"colour methods take images {layout}, not {tuple(image.shape)}: add the missing axes"
        )


def each(images: NDArray[Any], change: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
    """One image (H, W, C) after the other, out of (..., H, W, C)."""
    single = np.ascontiguousarray(images).reshape(-1, *images.shape[-3:])
    changed = np.empty_like(single)
    for index, image in enumerate(single):
        changed[index] = change(image)
    return changed.reshape(images.shape)


def to_type(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Clipped to grey levels, and rounded where the type is uint8."""
    clipped = np.clip(values, 0, BRIGHTEST)
    result: NDArray[Any] = (np.rint(clipped) if dtype == np.uint8 else clipped).astype(dtype)
    return result
