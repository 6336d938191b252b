"""Does colour normalisation undo the light? Known casts, bad light, and skin between three hospitals.

All distances between normalised images are divided by the contrast of the normalised image (its deviation
over all values), so that a method gains nothing by making images flat.

    python benchmarks/colour_constancy.py --out experiments/colour_constancy.json \
      --figure experiments/colour_constancy.png
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from colour_figure import draw
from colour_lights import DISTURBANCES, Disturbance, Generator, Values, as_bytes, gains, illuminant
from colour_methods import Rgb, ham_images, machine, methods
from colour_skin import rule_error, skin, source_images, spread
from transxv2s.imaging.colour.affine import PerChannel
from transxv2s.imaging.colour.images import Method
from transxv2s.imaging.decode import decode

Row = dict[str, float]

CASTS: dict[str, Callable[[Generator], Values]] = {"illuminant": illuminant, "gains": gains}
TARGETS = ("GWSD, 163.7 / 47.5", "GWSD, estimated", "GWSD, own")
RIVAL = "Shades of Gray, p = 6"
BOX = box.SIMPLE_HEAD
VERDICT = {
    "illuminant_response": "response to a warm or cold light",
    "illuminant_colour": "the same, brightness aside",
    "illuminant_degrees": "degrees left of it",
    "gains_response": "response to gains of channels",
    "gains_colour": "the same, brightness aside",
    "gains_degrees": "degrees left of them",
    "idempotence": "change by a second time",
    "total": "deviation of skin over all sources",
    "between": "distance of skin between sources",
    "between_within": "the same, in spreads within a source",
}
HEADINGS = ("light", "colour", "°", "gains", "colour", "°", "twice")


def distance(one: Rgb | Values, other: Rgb | Values) -> float:
    """Root mean square difference, over the contrast of `other`; 0 for two flat images that agree."""
    difference = np.sqrt(np.mean((one.astype(np.float64) - other) ** 2))
    return float(difference / max(float(other.std()), 1.0))


def as_bright(one: Rgb, other: Rgb) -> tuple[Values, Values]:
    """The first, scaled by the one number that brings it nearest to the second, and the second."""
    x, y = one.astype(np.float64), other.astype(np.float64)
    return x * ((x * y).sum() / max((x * x).sum(), 1.0)), y


def slopes(image: Rgb, changed: Rgb) -> Values:
    """Gain of each channel, by least squares of the normalised image on the image."""
    x = image.reshape(-1, 3) - image.mean((0, 1))
    return np.asarray((x * changed.reshape(-1, 3)).sum(0) / np.maximum((x**2).sum(0), 1))


def degrees(one: Values, other: Values) -> float:
    """Angle between two lights."""
    cosine = one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9)
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


def cast_response(images: list[Rgb], method: Method, seed: int) -> Row:
    """What is left of known lights, and what a second time changes; means over images.

    The light that a method removes is how much more gain it gives each channel than without the cast.
    """
    generator = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    for image in images:
        plain = method.apply(image)
        found.setdefault("idempotence", []).append(distance(method.apply(plain), plain))
        for name, draw_light in CASTS.items():
            light = draw_light(generator)
            lit = as_bytes(image * light)
            changed = method.apply(lit)
            removed = slopes(image, plain) / np.maximum(slopes(lit, changed), 1e-9)
            found.setdefault(f"{name}_response", []).append(distance(changed, plain))
            found.setdefault(f"{name}_colour", []).append(distance(*as_bright(changed, plain)))
            found.setdefault(f"{name}_degrees", []).append(degrees(light, removed))
    return {name: float(np.mean(values)) for name, values in found.items()}


def disturbed_response(images: list[Rgb], method: PerChannel, disturb: Disturbance, seed: int) -> float:
    """How far the transform that a disturbed image gets would move the undisturbed one; mean over images."""
    generator = np.random.default_rng(seed)
    found = []
    for image in images:
        values = torch.from_numpy(image).permute(2, 0, 1).flatten(1).double()
        right = method.line_of_bytes(image)(values).numpy()
        wrong = method.line_of_bytes(disturb(image, generator))(values).numpy()
        found.append(float(np.sqrt(np.mean((wrong - right) ** 2)) / max(float(right.std()), 1.0)))
    return float(np.mean(found))


def measured(
    method: Method, images: list[Rgb], others: list[Rgb], sources: dict[str, list[Rgb]], seed: int
) -> tuple[Row, dict[str, Values]]:
    """One row of the tables, and the chromaticity of skin by source."""
    row = cast_response(images, method, seed)
    if isinstance(method, PerChannel):
        for name, disturb in DISTURBANCES.items():
            row[name] = disturbed_response(others, method, disturb, seed)
    points = skin(sources, method)
    return row | spread(points), points


def table(rows: dict[str, Row], columns: dict[str, str], title: str) -> Table:
    """One row a method; a dash where a measure does not apply."""
    result = Table(title=title, box=BOX, padding=(0, 1, 0, 0))
    result.add_column("method", no_wrap=True)
    for heading in columns.values():
        result.add_column(heading, justify="right")
    for name, row in rows.items():
        result.add_row(name, *(f"{row[c]:.3f}" if c in row else "–" for c in columns))
    return result


def verdicts(rows: dict[str, Row]) -> dict[str, dict[str, bool]]:
    """For each target of GWSD and measure (smaller is better): is it at least as good as Shades of Gray?"""
    return {name: {m: rows[name][m] <= rows[RIVAL][m] for m in VERDICT} for name in TARGETS}


def verdict_table(rows: dict[str, Row]) -> Table:
    """GWSD beside Shades of Gray: + where it is at least as good, − where it is not."""
    names = [name.removeprefix("GWSD, ") for name in TARGETS]
    title = "GWSD (by target) against Shades of Gray; smaller is better, + at least as good"
    result = Table("", *names, "Shades of Gray", title=title, box=BOX)
    for measure, words in VERDICT.items():
        better = {name: "+" if verdict[measure] else "−" for name, verdict in verdicts(rows).items()}
        values = (f"{rows[name][measure]:.3f} {better[name]}" for name in TARGETS)
        result.add_row(words, *values, f"{rows[RIVAL][measure]:.3f}")
    return result


def show(rows: dict[str, Row], rule: float) -> None:
    """Four tables."""
    console = Console()
    casts = dict(zip(VERDICT, HEADINGS, strict=False))
    console.print(table(rows, casts, "Known casts: what is left, in shares of contrast or in degrees"))
    disturbed = {name: name for name in DISTURBANCES}
    shown = {name: row for name, row in rows.items() if "vignette" in row}
    console.print(table(shown, disturbed, "Bad light: how far it moves the transform (shares of contrast)"))
    spreads = {"total": "deviation", "between": "between sources", "between_within": "in spreads within"}
    console.print(table(rows, spreads, "Skin of HAM10000, BCN_20000 and MSK in a*, b*"))
    console.print(f"The rule for skin is {rule:.2f} in a*, b* from HAM10000's lesion masks (median).")
    console.print(verdict_table(rows))


def main() -> None:
    """Prints the tables and writes JSON and the figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ham10000", type=Path, default=Path(".data/ham10000"))
    parser.add_argument("--isic2019", type=Path, default=Path(".data/isic2019"))
    parser.add_argument("--uda1", type=Path, default=Path(".data/uda1"), help="for bad light")
    parser.add_argument(
        "--images", type=int, default=300, help="to score, of HAM10000, UDA-1 and each source"
    )
    parser.add_argument("--training", type=int, default=400, help="other images, to estimate targets from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG file to write")
    arguments = parser.parse_args()
    count, seed = arguments.images, arguments.seed
    images, training = ham_images(arguments.ham10000, count, arguments.training, seed)
    others = [decode(path) for path in sorted((arguments.uda1 / "images").iterdir())[:count]]
    sources = source_images(arguments.isic2019, count, seed)
    compared = methods(training)
    found = {
        name: measured(method, images, others, sources, seed)
        for name, method in track(compared.items(), "methods", transient=True)
    }
    rows = {name: row for name, (row, _) in found.items()}
    rule = rule_error(arguments.ham10000, count, seed)
    show(rows, rule)
    if arguments.out:
        content: dict[str, Any] = {"machine": machine(), "seed": seed, "images": count}
        content["training_images"] = len(training)
        content["parameters"] = {name: method.model_dump() for name, method in compared.items()}
        content |= {"skin_rule_error": round(rule, 3), "verdicts": verdicts(rows)}
        content["rows"] = {name: {k: round(v, 4) for k, v in row.items()} for name, row in rows.items()}
        arguments.out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    if arguments.figure:
        draw(rows, {name: points for name, (_, points) in found.items()}, arguments.figure)


if __name__ == "__main__":
    main()
