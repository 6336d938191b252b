"""What the hair benchmark shows: a table, bars and strips."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from hair_images import read
from hair_scores import Row
from transxv2s.imaging.hair import HairRemoval, hair_mask, remove_hair

Rgb = NDArray[np.uint8]


def table(rows: Sequence[Row]) -> Table:
    """Rows of one set after those of another."""
    result = Table(title="Painted hair on images without hair")
    fields = [name for name in asdict(rows[0]) if name != "images"]
    for heading in ("images", *fields):
        result.add_column(
            heading.replace("_", " "), justify="left" if heading in {"images", "method"} else "right"
        )
    for number, line in enumerate(rows):
        new = number == 0 or rows[number - 1].images != line.images
        if new and number:
            result.add_section()
        values = asdict(line)
        result.add_row(line.images if new else "", *(str(values[field]) for field in fields))
    return result


def draw(rows: Sequence[Row], points: Sequence[Mapping[str, float]], path: Path) -> None:
    """Dice and PSNR in the mask, a group of bars a set; hairy against hairless images touched."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sets, methods = list(dict.fromkeys(r.images for r in rows)), list(dict.fromkeys(r.method for r in rows))
    figure, axes = plt.subplots(1, 3, figsize=(16, 4.2), width_ratios=(3, 3, 2), layout="constrained")
    for axis, field, label in zip(
        axes[:2], ("dice", "psnr_in"), ("Dice", "PSNR in the mask, dB"), strict=True
    ):
        for number, method in enumerate(methods):
            values = [getattr(r, field) for r in rows if r.method == method]
            axis.bar(np.arange(len(sets)) + 0.26 * (number - 1), values, 0.24, label=method)
        axis.set_xticks(range(len(sets)), [name.replace(" at", "\nat").replace(", ", ",\n") for name in sets])
        axis.tick_params(axis="x", labelsize=8)
        axis.set_ylabel(label)
    axes[0].axhline(0.8, color="grey", linestyle=":")
    axes[0].legend(fontsize="small", loc="lower left")
    axes[2].plot(*([100 * point[key] for point in points] for key in ("hairless", "hairy")), "o-")
    for point in points:
        axes[2].annotate(
            str(point["contrast"]),
            (100 * point["hairless"], 100 * point["hairy"]),
            (4, -10),
            textcoords="offset points",
            fontsize=8,
        )
    axes[2].axvline(2, color="grey", linestyle=":")
    axes[2].axhline(90, color="grey", linestyle=":")
    axes[2].set(
        xlabel="hairless HAM10000 touched, %", ylabel="hairy HAM10000 touched, %", xlim=0, ylim=(0, 100)
    )
    axes[2].set_title("by the contrast asked for", fontsize=9)
    figure.savefig(path, dpi=130)


def strip(rgb: Rgb, parameters: HairRemoval) -> Rgb:
    """Before, mask, after, side by side."""
    mask = np.repeat(hair_mask(rgb, parameters)[..., None] * np.uint8(255), 3, axis=2)
    return np.hstack([rgb, mask, remove_hair(rgb, parameters)])


def write_strips(paths: Sequence[Path], parameters: HairRemoval, path: Path, height: int = 150) -> None:
    """Strips in two columns, each scaled to one height."""
    strips = [strip(read(p), parameters) for p in paths]
    scaled = [cv2.resize(s, (600, height), interpolation=cv2.INTER_AREA) for s in strips]
    scaled += [np.full_like(scaled[0], 255)] * (len(scaled) % 2)
    pairs = [np.hstack(scaled[i : i + 2]) for i in range(0, len(scaled), 2)]
    cv2.imwrite(str(path), np.vstack(pairs)[..., ::-1])
