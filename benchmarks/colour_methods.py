"""The colour methods that the colour benchmarks compare, and the images they are compared on."""

import platform
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets import ham10000
from transxv2s.imaging.colour import CLAHE, GWSD, GrayWorld, MaxRGB, ShadesOfGray, Wiener, estimate_targets
from transxv2s.imaging.colour.images import Image, Method
from transxv2s.imaging.decode import decode

Rgb = NDArray[np.uint8]


class Identity(Method):
    """Leaves every image as it is: what a method has to be better than."""

    def apply(self, image: Image) -> Image:
        """The image."""
        return image


def methods(training: Sequence[Rgb]) -> dict[str, Method]:
    """All methods by their names in tables; targets are estimated from the training images."""
    targets = {
        "163.7 / 47.5": GWSD(),
        "estimated": estimate_targets(training),
        "own": GWSD(target_mean=None, target_std=None),
    }
    robust = {
        "163.7 / 47.5": GWSD(robust=True),
        "estimated": estimate_targets(training, robust=True),
        "own": GWSD(target_mean=None, target_std=None, robust=True),
    }
    return {
        "identity": Identity(),
        **{f"GWSD, {name}": method for name, method in targets.items()},
        **{f"GWSD robust, {name}": method for name, method in robust.items()},
        "Gray World": GrayWorld(),
        "Shades of Gray, p = 6": ShadesOfGray(),
        "max-RGB": MaxRGB(),
        "CLAHE on L": CLAHE(),
        "Wiener, 5×5": Wiener(),
    }


def ham_images(root: Path, scored: int, training: int, seed: int) -> tuple[list[Rgb], list[Rgb]]:
    """Random HAM10000 images to score, and others to estimate targets from."""
    files = ham10000.files(root)
    order = np.random.default_rng(seed).permutation(sorted(files))[: scored + training]
    images = [decode(files[name]) for name in order]
    return images[:scored], images[scored:]


def machine() -> str:
    """What the numbers were computed on."""
    return f"{platform.machine()}, numpy {np.__version__}, OpenCV {cv2.__version__}"
