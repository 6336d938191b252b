"""Does the crop take the dark corners and leave the lesion? HAM10000, its lesion masks, and UDA-1 to look at.

Dark pixels are those below 50 grey levels in every channel that the lesion mask does not hold. The two
thresholds are chosen on the lesions of one half (least dark left where dark corners are likely, as long as on
average at most 0.05 % of a lesion is lost); the other half is reported.

    python benchmarks/crop.py --ham10000 .data/ham10000 --out experiments/crop.json
    python benchmarks/crop.py --ham10000 .data/ham10000 --uda1 .data/uda1 --figure experiments/crop.png
"""

import argparse
import csv
import json
import platform
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from transxv2s.imaging import crop
from transxv2s.imaging.decode import decode

DARK = 50  # grey levels
BUDGET = 0.0005  # mean share of a lesion that a choice may cost
LIKELY, UNLIKELY = 0.9, 0.1
EXAMPLES = 20  # examples in each row of the figure


class Setting(NamedTuple):
    """The two thresholds that are chosen; None crops nothing, the reference."""

    dark_share_of_otsu: float
    allowed_dark_area: float


SHIPPED = Setting(crop.DARK_SHARE_OF_OTSU, crop.ALLOWED_DARK_AREA)
CANDIDATES = [Setting(share, area) for share in (0.4, 0.5, 0.6, 0.7) for area in (0.002, 0.005, 0.01, 0.02)]


class Ham(NamedTuple):
    """One image: where it is, its lesion and how likely it has dark corners."""

    folder: Path
    name: str
    lesion: str
    dark_corner: float


Values: TypeAlias = NDArray[np.float64]  # (N, 3): area kept, dark pixels left, share of lesion lost


def images(folder: Path) -> list[Ham]:
    """All images with artefact probabilities, by name."""
    with (folder / "HAM10000_metadata.csv").open(newline="") as lines:
        lesions = {row["image_id"]: row["lesion_id"] for row in csv.DictReader(lines)}
    with (folder / "artefact_probabilities.csv").open(newline="") as lines:
        rows = {row["image"]: float(row["dark_corner"]) for row in csv.DictReader(lines)}
    return [Ham(folder, name, lesions[name], rows[name]) for name in sorted(rows)]


def halves(found: Sequence[Ham]) -> tuple[list[Ham], list[Ham]]:
    """For choosing and for reporting; a lesion is in one of them only."""
    parity = [zlib.crc32(image.lesion.encode()) % 2 for image in found]
    return tuple([i for i, p in zip(found, parity, strict=True) if p == half] for half in (0, 1))  # type: ignore[return-value]


def measure(settings: Sequence[Setting | None], image: Ham) -> list[tuple[float, float, float]]:
    """Area kept, dark pixels left and share of the lesion lost, for each setting."""
    rgb = decode(image.folder / "HAM10000_images" / f"{image.name}.jpg")
    mask = image.folder / "HAM10000_segmentations_lesion_tschandl" / f"{image.name}_segmentation.png"
    lesion = decode(mask) > 0
    both = np.dstack([(rgb.max(axis=2) < DARK) & ~lesion[..., 0], lesion[..., 0]]).astype(np.uint8)
    return [_measured(rgb, both, setting) for setting in settings]


def _measured(
    rgb: NDArray[np.uint8], both: NDArray[np.uint8], setting: Setting | None
) -> tuple[float, float, float]:
    box = None
    if setting:
        crop.DARK_SHARE_OF_OTSU, crop.ALLOWED_DARK_AREA = setting
        box = crop.field_of_view(rgb)
    kept = crop.cut(both, box) if box else both
    lost = 1 - float(kept[..., 1].sum()) / max(1, int(both[..., 1].sum()))
    return kept[..., 0].size / both[..., 0].size, float(kept[..., 0].mean()), lost


def measure_all(settings: Sequence[Setting | None], found: Sequence[Ham], what: str) -> list[Values]:
    """One array a setting, in the order of the images."""
    with ProcessPoolExecutor() as pool:
        rows = pool.map(partial(measure, settings), found, chunksize=64)
        return list(np.array(list(track(rows, what, len(found)))).transpose(1, 0, 2))


def choose(found: Sequence[Ham]) -> tuple[Setting, list[dict[str, float]]]:
    """The candidate with least dark left within the budget, and what each candidate would give."""
    likely = np.array([image.dark_corner >= LIKELY for image in found])
    results = measure_all(CANDIDATES, found, "choosing")
    rows = [
        {**setting._asdict(), "dark_left": v[likely, 1].mean(), "lesion_lost": v[:, 2].mean()}
        for setting, v in zip(CANDIDATES, results, strict=True)
    ]
    allowed = [i for i, row in enumerate(rows) if row["lesion_lost"] <= BUDGET]
    return CANDIDATES[min(allowed, key=lambda i: rows[i]["dark_left"])], rows


def summary(values: Values) -> dict[str, float]:
    """What the table shows of some images, as shares."""
    cropped, lost = values[values[:, 0] < 1], values[:, 2]
    return {
        "images": len(values),
        "cropped": len(cropped) / len(values),
        "area_kept_of_cropped": float(cropped[:, 0].mean()) if len(cropped) else 1.0,
        "dark_left": float(values[:, 1].mean()),
        "lesion_lost_mean": float(lost.mean()),
        "lesion_lost_99th_percentile": float(np.quantile(lost, 0.99)),
        "lesion_lost_max": float(lost.max()),
        "more_than_1_percent_lost": float((lost > 0.01).mean()),
    }


def groups(found: Sequence[Ham], values: Values) -> dict[str, dict[str, float]]:
    """Summaries of all images and by the probability of dark corners."""
    p = np.array([image.dark_corner for image in found])
    parts = {
        "likely": p >= LIKELY,
        "between": (p < LIKELY) & (p >= UNLIKELY),
        "unlikely": p < UNLIKELY,
        "all": p >= 0,
    }
    return {name: summary(values[part]) for name, part in parts.items()}


def table(results: dict[str, dict[str, dict[str, float]]]) -> Table:
    """A row for each way and group."""
    heading = next(iter(results.values()))["all"]
    shown = Table(title="Half not used for choosing; all but the number of images in percent")
    for name in ("way", "dark corners", *(key.replace("_", " ") for key in heading)):
        shown.add_column(name, justify="left" if name in {"way", "dark corners"} else "right")
    for way, parts in results.items():
        for part, values in parts.items():
            numbers = [f"{v:.0f}" if key == "images" else f"{100 * v:.3f}" for key, v in values.items()]
            shown.add_row(way, part, *numbers)
        shown.add_section()
    return shown


def draw(folder: Path, path: Path) -> None:
    """UDA-1 images (CC0) with the box that is kept: those with the most dark, and others with a crop."""
    files = sorted((folder / "images").iterdir())
    pictures = [decode(file) for file in track(files, "figure")]
    dark = np.argsort([-float((picture.max(axis=2) < DARK).mean()) for picture in pictures])
    boxed = [k for k in dark[2 * EXAMPLES :] if crop.field_of_view(pictures[k])]
    untouched = [k for k in dark if not crop.field_of_view(pictures[k])]
    spread = np.linspace(0, len(boxed) - 1, 2 * EXAMPLES).astype(int)
    chosen = [*dark[: 2 * EXAMPLES], *(boxed[k] for k in spread), *untouched[: 2 * EXAMPLES]]
    tiles = [_tile(pictures[k]) for k in chosen]
    sheet = [np.hstack(tiles[start : start + EXAMPLES]) for start in range(0, len(tiles), EXAMPLES)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(sheet), cv2.COLOR_RGB2BGR))


def _tile(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    tile = cv2.resize(rgb, (104, 78), interpolation=cv2.INTER_AREA)
    if box := crop.field_of_view(rgb):
        start = round(box.left * 104), round(box.top * 78)
        cv2.rectangle(tile, start, (round(box.right * 104) - 1, round(box.bottom * 78) - 1), (0, 90, 255), 2)
    return np.asarray(cv2.copyMakeBorder(tile, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255, 255, 255)))


def main() -> None:
    """Prints a table and writes JSON and the figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ham10000", type=Path, required=True)
    parser.add_argument("--uda1", type=Path, default=Path(".data/uda1"), help="for the figure")
    parser.add_argument("--limit", type=int, help="use only so many images, evenly spaced, for a trial")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG file to write, instead of measuring")
    arguments = parser.parse_args()
    if arguments.figure:
        draw(arguments.uda1, arguments.figure)
        return
    found = images(arguments.ham10000)
    found = found[:: max(1, len(found) // (arguments.limit or len(found)))]
    choosing, reporting = halves(found)
    best, candidates = choose(choosing)
    ways = {"no crop": None, "shipped": SHIPPED}
    values = measure_all(list(ways.values()), reporting, "reporting")
    results = {way: groups(reporting, v) for way, v in zip(ways, values, strict=True)}
    Console(width=200).print(table(results))
    Console().print(f"chosen on the other {len(choosing)} images: {best}; shipped: {SHIPPED}")
    if arguments.out:
        content = {
            "machine": platform.machine(),
            "budget": BUDGET,
            "chosen": best._asdict(),
            "shipped": SHIPPED._asdict(),
            "candidates": candidates,
            "results": results,
        }
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
