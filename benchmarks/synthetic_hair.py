"""Synthetic hair for images without hair, by two generators that share no law of shape, width or shade.

`bezier` serves development: cubic Bézier curves of constant width, one shade a hair, straight soft shadows.
`walk` serves tests: curvature does a bounded random walk (a noisy clothoid), hairs taper, have a highlight
along one side, grow in tufts or alone, and cast shadows of their own width. Lengths and widths are shares of
the short side, so that one seed gives the same hairs at every size.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Cover = NDArray[np.float32]
Points = NDArray[np.float64]

FINE = 4  # hairs are drawn at this multiple of the size and averaged down: soft edges
WIDTHS = (1 / 450, 8 / 450)  # of the short side: 1 to 8 pixels at 600×450
MOST = 40
SEEN = 0.7  # pixels: an image shows no thinner hairs

DARK = ((15, 12, 10), (45, 35, 30))
BROWN = ((60, 38, 25), (100, 70, 50))
LIGHT = ((205, 200, 190), (250, 248, 240))


@dataclass(frozen=True)
class Hair:
    """A hair in units of the short side.

    Attributes:
        points: (N, 2) x and y along the middle.
        widths: (N,) full width at each point.
        colour: RGB in 0–255.
        opacity: In (0, 1].
        shadow: How much light the shadow takes, in [0, 1).
        offset: Where the shadow falls.
        sheen: How much lighter one side of the hair is, in grey levels.
    """

    points: Points
    widths: NDArray[np.float64]
    colour: tuple[float, float, float]
    opacity: float = 1.0
    shadow: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)
    sheen: float = 0.0


@dataclass(frozen=True)
class Painted:
    """An image with hair on it.

    Attributes:
        image: uint8 (H, W, 3).
        mask: bool (H, W): half or more of the pixel is hair, or the hair's middle runs through it.
        changed: bool (H, W): hair, its soft edge or its shadow changed the pixel.
    """

    image: Rgb
    mask: Mask
    changed: Mask


Generator = Callable[[np.random.Generator, float], list[Hair]]


def _colour(rng: np.random.Generator, kinds: tuple[float, float, float]) -> tuple[float, float, float]:
    """A colour between the two ends of dark, brown or light, drawn with these probabilities."""
    low, high = (DARK, BROWN, LIGHT)[rng.choice(3, p=kinds)]
    red, green, blue = np.array(low) + rng.random() * (np.array(high) - low)
    return float(red), float(green), float(blue)


def bezier(rng: np.random.Generator, aspect: float) -> list[Hair]:
    """Development: 1 to 40 cubic Bézier curves with ends anywhere, also outside."""
    hairs = []
    share = np.linspace(0, 1, 60)[:, None]
    basis = np.hstack([(1 - share) ** 3, 3 * share * (1 - share) ** 2, 3 * share**2 * (1 - share), share**3])
    for _ in range(round(np.exp(rng.uniform(0, np.log(MOST))))):
        start = rng.uniform(-0.1, 1.1, 2) * (aspect, 1)
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.2)
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        bends = start + np.array([[1 / 3], [2 / 3]]) * (end - start) + rng.normal(0, 0.1 * length, (2, 2))
        width = np.exp(rng.uniform(*np.log(WIDTHS)))
        hairs.append(
            Hair(
                points=basis @ np.vstack([start, bends, end]),
                widths=np.full(60, width),
                colour=_colour(rng, (0.45, 0.3, 0.25)),
                opacity=rng.uniform(0.8, 1),
                shadow=0.25 * (rng.random() < 0.3),
                offset=(0.008, 0.008),
            )
        )
    return hairs


def walk(rng: np.random.Generator, aspect: float) -> list[Hair]:
    """Test: 1 to 40 tapering hairs whose curvature wanders, in tufts or alone."""
    hairs: list[Hair] = []
    steps, light = 120, rng.uniform(0, 2 * np.pi)
    kinds = ((0.8, 0.2, 0.0), (0.1, 0.7, 0.2), (0.0, 0.1, 0.9), (0.4, 0.3, 0.3))[rng.integers(4)]
    thickness = rng.uniform(*WIDTHS)
    shadow = rng.uniform(0.1, 0.35) * (rng.random() < 0.4)
    count = int(rng.integers(1, MOST + 1))
    while len(hairs) < count:
        root, heading = rng.random(2) * (aspect, 1), rng.uniform(0, 2 * np.pi)
        for _ in range(min(count - len(hairs), 1 + int(rng.poisson(1.5)))):
            length = rng.lognormal(np.log(0.5), 0.5)
            curvature = rng.normal(0, 1.2) + np.cumsum(rng.normal(0, 0.25, steps)).clip(-4, 4)
            angles = heading + rng.normal(0, 0.3) + np.cumsum(curvature) * length / steps
            path = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], axis=1), axis=0) * length / steps
            width = np.clip(thickness * rng.lognormal(0, 0.3), *WIDTHS)
            taper = 1 - rng.uniform(0.2, 0.6) * np.linspace(0, 1, steps) ** 2
            hairs.append(
                Hair(
                    points=root + rng.normal(0, 0.03, 2) + path,
                    widths=width * taper,
                    colour=_colour(rng, kinds),
                    opacity=rng.uniform(0.75, 1),
                    shadow=shadow,
                    offset=(1.2 * width * np.cos(light), 1.2 * width * np.sin(light)),
                    sheen=rng.uniform(0, 40),
                )
            )
    return hairs


def ruler(rng: np.random.Generator, aspect: float) -> list[Hair]:
    """A row of equally spaced ticks, every fifth or tenth longer, on a slanted or an upright ruler."""
    angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    gap, long_every = rng.uniform(0.035, 0.09), rng.choice([5, 10])
    tick, width = rng.uniform(0.03, 0.07), rng.uniform(2, 4) / 450
    start = np.array([aspect, 1]) * rng.uniform(0.1, 0.9, 2) - along * rng.uniform(0.2, 0.5)
    colour = _colour(rng, (1, 0, 0))
    hairs = []
    for number in range(int(rng.integers(10, 25))):
        end = across * tick * (1.8 if number % long_every == 0 else 1)
        points = start + number * gap * along + np.linspace(0, 1, 5)[:, None] * end
        hairs.append(Hair(points, np.full(5, width), colour))
    return hairs


def _strokes(hair: Hair, size: tuple[int, int], side: int, wider: float = 1, shift: float = 0) -> Cover:
    """Coverage in [0, 1], float32 (H, W), of one hair of at least SEEN pixels."""
    height, width = size
    canvas = np.zeros((height * FINE, width * FINE), np.uint8)
    points = np.round((hair.points + shift * np.array(hair.offset)) * side * FINE * 16).astype(np.int32)
    thick = np.maximum(np.round(np.maximum(hair.widths * wider * side, SEEN) * FINE), 1).astype(int)
    for first, second, line in zip(points[:-1], points[1:], thick[:-1], strict=True):
        cv2.line(canvas, first.tolist(), second.tolist(), 255, int(line), cv2.LINE_8, 4)
    shrunk = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float32) / np.float32(255)


def _middle(hair: Hair, size: tuple[int, int], side: int) -> Mask:
    """The pixels that the middle of the hair runs through."""
    canvas = np.zeros(size, np.uint8)
    points = np.round((hair.points * side - 0.5) * 16).astype(np.int32)
    cv2.polylines(canvas, [points[:, None]], False, 1, 1, cv2.LINE_8, 4)
    return np.asarray(canvas > 0)


def paint(image: Rgb, hairs: list[Hair]) -> Painted:
    """Shadows first, then hairs one over the other.

    Args:
        image: uint8 (H, W, 3).
        hairs: In units of the short side.
    """
    size, side = image.shape[:2], min(image.shape[:2])
    result = image.astype(np.float32)
    for hair in hairs:
        if hair.shadow:
            shade = cv2.GaussianBlur(_strokes(hair, size, side, 1.3, 1), (0, 0), 1 + side / 450)
            result *= 1 - hair.shadow * np.asarray(shade)[..., None]
    mask = np.zeros(size, np.bool_)
    for hair in hairs:
        cover = _strokes(hair, size, side)
        colour = np.array(hair.colour, np.float32)
        result += hair.opacity * cover[..., None] * (colour - result)
        if hair.sheen and hair.widths.max() * side > 3:
            result += hair.sheen * _strokes(hair, size, side, 0.25)[..., None]
        mask |= (cover >= 0.5) | (_middle(hair, size, side) & (cover > 0))
    painted = result.clip(0, 255).round().astype(np.uint8)
    return Painted(painted, mask, (painted != image).any(axis=2) | mask)
