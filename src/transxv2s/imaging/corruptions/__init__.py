"""The fifteen corruptions of dermoscopic images of MedMNIST-C at five severities.

Di Salvo, Doerrich and Ledig 2024, "MedMNIST-C: Comprehensive benchmark and improved classifier robustness by
simulating realistic image corruptions" (arXiv 2406.17536), whose list and severities for DermaMNIST these
are; noise, blur and digital ones follow Hendrycks and Dietterich 2019 (ImageNet-C). Ours are written from the
definitions and differ where theirs leaves a choice:

- Theirs are for 224×224. Here lengths, grain and blocks go with the short side (see `scale`), so that an
  image is corrupted alike at every size. A network that sees 128×128 does not see the finest of them: the
  first pixelation leaves 157 pixels a side.
- The radii of `black_corner` grow less and less; theirs has the last two the other way round. Images that
  are not square get an ellipse.
- `characters` writes the greatest number of words; theirs draws a number up to it.
- A defocused point is a disc with smooth edges instead of one that is smoothed afterwards.
- Draws depend on the seed and the corruption, not on the severity: more noise is the same noise, stronger
  (but for photon counts).

The first two motion blurs are theirs and hardly differ: what the longer trail adds has faded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from transxv2s.errors import InputError
from transxv2s.imaging.corruptions import blur, digital, light, noise, overlays
from transxv2s.imaging.corruptions.scale import Rgb

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt"]

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Corruption:
    """One kind.

    Attributes:
        apply: Takes an image, a random generator and the parameters of a severity.
        parameters: Of each severity, mild to strong.
    """

    apply: Callable[..., Rgb]
    parameters: tuple[tuple[Any, ...], ...]


def _of(apply: Callable[..., Rgb], *parameters: Any) -> Corruption:
    """Parameters of the five severities; a tuple where one takes several."""
    return Corruption(apply, tuple(p if isinstance(p, tuple) else (p,) for p in parameters))


CORRUPTIONS = {
    "pixelate": _of(digital.pixelate, 0.7, 0.5, 0.4, 0.3, 0.25),
    "jpeg_compression": _of(digital.jpeg, 30, 20, 15, 10, 7),
    "gaussian_noise": _of(noise.gaussian, 0.04, 0.08, 0.12, 0.18, 0.26),
    "speckle_noise": _of(noise.speckle, 0.05, 0.15, 0.2, 0.35, 0.45),
    "impulse_noise": _of(noise.impulse, 0.01, 0.03, 0.06, 0.09, 0.17),
    "shot_noise": _of(noise.shot, 60, 25, 18, 10, 5),
    "defocus_blur": _of(blur.defocus, 4, 5, 6, 7, 8),
    "motion_blur": _of(blur.motion, (10, 5), (15, 5), (15, 8), (15, 12), (20, 15)),
    "zoom_blur": _of(blur.zoom, (1.11, 0.01), (1.15, 0.01), (1.2, 0.02), (1.24, 0.02), (1.3, 0.03)),
    "brightness_up": _of(light.brightness, 1.1, 1.2, 1.3, 1.4, 1.5),
    "brightness_down": _of(light.brightness, 0.9, 0.8, 0.7, 0.6, 0.5),
    "contrast_up": _of(light.contrast, 1.1, 1.2, 1.3, 1.4, 1.6),
    "contrast_down": _of(light.contrast, 0.8, 0.7, 0.6, 0.5, 0.4),
    "black_corner": _of(overlays.black_corner, 1.1, 1.05, 1.0, 0.95, 0.9),
    "characters": _of(
        overlays.characters, (1, 6, 0.14), (2, 7, 0.15), (3, 8, 0.16), (4, 9, 0.17), (6, 10, 0.18)
    ),
}


def corrupt(rgb: Rgb, name: str, severity: int, seed: int = 0) -> Rgb:
    """The image with one corruption; the original stays as it is.

    Args:
        rgb: uint8 (H, W, 3) of any size.
        name: Key of CORRUPTIONS.
        severity: 1, mild, to 5.
        seed: Not negative; the same seed gives the same result.

    Raises:
        InputError: There is no such corruption or severity.
    """
    if name not in CORRUPTIONS:
        raise InputError(f"{name!r} is no corruption; there are {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise InputError(f"{severity} is no severity; take 1, which is mild, to 5")
    corruption = CORRUPTIONS[name]
    generator = np.random.default_rng((seed, crc32(name.encode())))
    return corruption.apply(rgb, generator, *corruption.parameters[severity - 1])
