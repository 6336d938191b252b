"""Scores of hair removal on painted images."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from skimage.metrics import structural_similarity

from synthetic_hair import Painted

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Method = Callable[[Rgb], tuple[Rgb, Mask]]


@dataclass(frozen=True)
class Row:
    """One method on one set; PSNR in dB, time in milliseconds."""

    images: str
    method: str
    dice: float
    recall: float
    precision: float
    psnr_before: float
    psnr_in: float
    psnr_out: float
    ssim_in: float
    ssim_out: float
    milliseconds: float


@dataclass(frozen=True)
class Example:
    """A bare image and the same with hair."""

    bare: Rgb
    painted: Painted


def squared(first: Rgb, second: Rgb, where: Mask) -> tuple[float, int]:
    """Sum of squared differences and their number."""
    difference = first[where].astype(np.float64) - second[where]
    return float((difference**2).sum()), difference.size


def psnr(pairs: Sequence[tuple[float, int]]) -> float:
    """Of sums of squares with their numbers, in dB."""
    total, count = (sum(values) for values in zip(*pairs, strict=True))
    return round(float(10 * np.log10(255**2 * count / max(total, 1e-9))), 2)


def counts(found: Mask, truth: Mask) -> tuple[float, float, float]:
    """Dice, recall and precision; precision of nothing found is 0."""
    both = float((found & truth).sum())
    return 2 * both / (found.sum() + truth.sum()), both / truth.sum(), both / max(found.sum(), 1)


def timed(method: Callable[[], object]) -> float:
    """Processor time of one run in milliseconds."""
    start = time.process_time()
    method()
    return 1000 * (time.process_time() - start)


def row(name: str, title: str, method: Method, work: Callable[[Rgb], object], data: Sequence[Example]) -> Row:
    """Scores of a method; work is what is timed."""
    overlap, before, inside, outside, ssim, times = [], [], [], [], [], []
    for example in track(data, f"{name}: {title}", transient=True):
        image, truth, same = example.painted.image, example.painted.mask, ~example.painted.changed
        result, found = method(image)
        overlap.append(counts(found, truth))
        before.append(squared(image, example.bare, truth))
        inside.append(squared(result, example.bare, truth))
        outside.append(squared(result, example.bare, same))
        _, similar = structural_similarity(result, example.bare, channel_axis=2, full=True)  # type: ignore[no-untyped-call]
        ssim.append((similar[truth].mean(), similar[same].mean()))
        times.append(timed(lambda image=image: work(image)))  # type: ignore[misc]
    dice, recall, precision = np.mean(overlap, axis=0).round(4).tolist()
    ssim_in, ssim_out = np.mean(ssim, axis=0).round(4).tolist()
    millis = round(statistics.median(times), 2)
    levels = psnr(before), psnr(inside), psnr(outside)
    return Row(name, title, dice, recall, precision, *levels, ssim_in, ssim_out, millis)
