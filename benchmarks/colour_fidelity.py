"""How far does colour normalisation move an image? PSNR and SSIM against the original, beside the article's.

The article shows GWSD ahead of its peers by these two. They are reported because it does, and because the
identity, which wins, says what they are worth.

    python benchmarks/colour_fidelity.py --out experiments/colour_fidelity.json \
      --figure experiments/colour_fidelity.png
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from colour_methods import Rgb, ham_images, machine, methods
from transxv2s.imaging.colour.images import Method

ARTICLE = {"psnr": 24.2, "ssim": 0.976}
EXPLANATION = (
    "PSNR and SSIM against the input reward doing nothing: the identity scores ∞ and 1, so a high value "
    "shows a mild method, and not one that makes images of two hospitals alike."
)


def fidelity(image: Rgb, method: Method) -> tuple[float, float]:
    """PSNR in dB (∞ where nothing changed) and SSIM of the normalised image against the original."""
    changed = method.apply(image)
    with np.errstate(divide="ignore"):
        psnr = peak_signal_noise_ratio(image, changed, data_range=255)  # type: ignore[no-untyped-call]
    ssim = structural_similarity(image, changed, channel_axis=-1, data_range=255)  # type: ignore[no-untyped-call]
    return float(psnr), float(ssim)


def summary(values: list[tuple[float, float]]) -> dict[str, float]:
    """Means over images, and the 5 % and 95 % quantiles."""
    table = np.array(values)
    found = {}
    for name, column in zip(("psnr", "ssim"), table.T, strict=True):
        found[name] = float(column.mean())
        found[f"{name}_5"], found[f"{name}_95"] = np.quantile(column, (0.05, 0.95), method="nearest").tolist()
    return found


def show(rows: dict[str, dict[str, float]], count: int) -> None:
    """The table, with the article's row, and the explanation."""
    table = Table(title=f"Fidelity to the original, mean (5 % to 95 %) of {count} HAM10000 images")
    for heading in ("method", "PSNR, dB", "SSIM"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for name, r in rows.items():
        psnr = f"{r['psnr']:.1f} ({r['psnr_5']:.1f} to {r['psnr_95']:.1f})"
        table.add_row(name, psnr, f"{r['ssim']:.3f} ({r['ssim_5']:.3f} to {r['ssim_95']:.3f})")
    table.add_section()
    table.add_row("GWSD in the article", f"{ARTICLE['psnr']:.1f}", f"{ARTICLE['ssim']:.3f}")
    Console().print(table)
    Console().print(EXPLANATION)


def finite(row: dict[str, float]) -> dict[str, float | None]:
    """For JSON, which has no ∞: null."""
    return {k: round(v, 4) if np.isfinite(v) else None for k, v in row.items()}


def draw(rows: dict[str, dict[str, float]], path: Path) -> None:
    """SSIM over PSNR; the identity, which is infinitely far to the right, stands at the edge."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(9, 5), layout="constrained")
    points = {name: (r["psnr"], r["ssim"]) for name, r in rows.items()}
    points["GWSD in the article"] = (ARTICLE["psnr"], ARTICLE["ssim"])
    edge = 3 + max(psnr for psnr, _ in points.values() if np.isfinite(psnr))
    for i, (name, (psnr, ssim)) in enumerate(points.items()):
        label = name if np.isfinite(psnr) else f"{name} (∞)"
        axis.plot(min(psnr, edge), ssim, "oPsX"[i % 4], ms=9, color=plt.get_cmap("tab20")(i), label=label)
    axis.set(xlabel="PSNR against the original, dB", ylabel="SSIM against the original")
    axis.set_title("Up and to the right is nearer to doing nothing", fontsize="medium")
    figure.legend(fontsize="small", loc="outside right center")
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Prints the table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ham10000", type=Path, default=Path(".data/ham10000"))
    parser.add_argument("--images", type=int, default=600, help="to score")
    parser.add_argument("--training", type=int, default=400, help="other images, to estimate targets from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG file to write")
    arguments = parser.parse_args()
    scored, training = ham_images(arguments.ham10000, arguments.images, arguments.training, arguments.seed)
    compared = methods(training)
    rows = {
        name: summary([fidelity(image, method) for image in scored])
        for name, method in track(compared.items(), "methods", transient=True)
    }
    show(rows, len(scored))
    if arguments.out:
        content: dict[str, Any] = {"machine": machine(), "seed": arguments.seed, "images": len(scored)}
        content["training_images"] = len(training)
        content["parameters"] = {name: method.model_dump() for name, method in compared.items()}
        content |= {"article": ARTICLE, "rows": {name: finite(row) for name, row in rows.items()}}
        arguments.out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    if arguments.figure:
        draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
