"""Is hair found, taken out well, and are images without hair left alone? Against black-hat and inpainting.

Both methods are tuned by grid search on the same development images with hairs of one generator, and scored
on other lesions, the large ones of another collection, with hairs of another generator (synthetic_hair.py).
"In" is where the painted mask is, "out" where painting changed nothing; PSNR is of the mean squared error of
all pixels of a set. A method that finds hair in a hairless image touches it. Times are of one thread, masks
and filling together.

What is not blind: beyond the grid, the constants of the method were set by hand on the development images;
the baseline had its grid only. Some missed hairy and some touched hairless images of the test half were
looked at when the method was first made: these shares are somewhat optimistic. Later changes were chosen on
development images, but for one: the touched images of UDA-1 were looked at after a full run, one was a frame
around the picture, and stripes along the border were left out again. Hairs of the test generator were not
looked at for any choice; rulers have one generator, with other seeds and images for development.

    python benchmarks/hair.py --out experiments/hair.json --figure experiments/hair.png
    python benchmarks/hair.py --strips docs/images/hair_strips.png --strip-images samples/*.jpg
"""

import argparse
import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from hair_baseline import GRID, BlackHat, black_hat_filled, black_hat_mask
from hair_figure import draw, table, write_strips
from hair_images import Images, images, read
from hair_scores import Example, Method, counts, psnr, row, squared
from synthetic_hair import Generator, bezier, paint, ruler, walk
from transxv2s.imaging.hair import HairRemoval, hair_mask, remove_hair

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]

TOUCHED = 0.02  # at most, of hairless development images, for a setting of ours to be chosen
DEVELOPMENT_IMAGES = 24
HAIRY_IMAGES = 500
CONTRASTS = (2.0, 2.3, 2.6, 2.9, 3.2, 3.6)  # for the curve of hairy against hairless images touched
OURS = [
    HairRemoval(contrast=contrast, straight=straight, min_length=length)
    for contrast, straight, length in product((2.6, 2.9, 3.2), (0.07, 0.08, 0.09), (0.09, 0.1, 0.12))
]


def ours(parameters: HairRemoval) -> Method:
    """This project's hair removal; the mask is found twice, the time is of removal alone."""
    return lambda rgb: (remove_hair(rgb, parameters), hair_mask(rgb, parameters))


def baseline(parameters: BlackHat) -> Method:
    """Black-hat and Telea."""

    def run(rgb: Rgb) -> tuple[Rgb, Mask]:
        mask = black_hat_mask(rgb, parameters)
        return black_hat_filled(rgb, mask, parameters), mask

    return run


def examples(paths: Sequence[Path], size: tuple[int, int] | None, generator: Generator) -> Iterable[Example]:
    """Images (resized where a (width, height) is given) with the hairs of seeds 0, 1, 2 and so on."""
    for seed, path in enumerate(paths):
        image = read(path)
        size_of = image.shape[1::-1] if size is None else size
        bare = np.asarray(cv2.resize(image, size_of, interpolation=cv2.INTER_CUBIC), np.uint8)
        painted = paint(bare, generator(np.random.default_rng(seed), bare.shape[1] / bare.shape[0]))
        if painted.mask.any():
            yield Example(bare, painted)


def touched(paths: Sequence[Path], parameters: HairRemoval) -> list[str]:
    """Names of the images in which hair is found."""
    return [path.stem for path in paths if hair_mask(read(path), parameters).any()]


def curve(hairless: Sequence[Path], hairy: Sequence[Path]) -> list[dict[str, float]]:
    """Shares of both that are touched, by the contrast asked for; nothing is chosen from it."""
    return [
        {
            "contrast": contrast,
            "hairless": round(len(touched(hairless, parameters)) / len(hairless), 4),
            "hairy": round(len(touched(hairy, parameters)) / len(hairy), 4),
        }
        for contrast in CONTRASTS
        for parameters in (HairRemoval(contrast=contrast),)
    ]


def tuned_ours(data: Sequence[Example], bald: Sequence[Path]) -> HairRemoval:
    """The setting of best Dice among those that touch few hairless images."""

    def dice(parameters: HairRemoval) -> float:
        return float(
            np.mean([counts(hair_mask(e.painted.image, parameters), e.painted.mask)[0] for e in data])
        )

    modest = [p for p in track(OURS, "ours", transient=True) if len(touched(bald, p)) <= TOUCHED * len(bald)]
    return max(modest, key=dice)


def tuned_baseline(data: Sequence[Example]) -> tuple[BlackHat, BlackHat]:
    """The settings of best Dice and of best PSNR in the mask."""
    scores = {}
    for parameters in track(GRID, "baseline", transient=True):
        overlap, inside = [], []
        for example in data:
            result, found = baseline(parameters)(example.painted.image)
            overlap.append(counts(found, example.painted.mask)[0])
            inside.append(squared(result, example.bare, example.painted.mask))
        scores[parameters] = float(np.mean(overlap)), psnr(inside)
    return max(scores, key=lambda p: scores[p][0]), max(scores, key=lambda p: scores[p][1])


def development(paths: Sequence[Path]) -> list[Example]:
    """Half of them at 200×150, half at 600×450, with the hairs of development."""
    half = DEVELOPMENT_IMAGES // 2
    chosen = paths[:: max(1, len(paths) // DEVELOPMENT_IMAGES)]
    return [
        *examples(chosen[:half], None, bezier),
        *examples(chosen[half : 2 * half], (600, 450), bezier),
    ]


def tests(found: Images) -> dict[str, list[Example]]:
    """The sets that are reported."""
    small = found.test
    return {
        "HAM10000 200×150": list(examples(small[:80], None, walk)),
        "HAM10000 at 600×450": list(examples(small[80:120], (600, 450), walk)),
        "UDA-1, short side 256": list(examples(found.large, None, walk)),
        "UDA-1 at 1024×768": list(examples(found.large[:20], (1024, 768), walk)),
        "rulers, UDA-1 at 600×450": list(examples(found.large, (600, 450), ruler)),
    }


def measure(arguments: argparse.Namespace) -> None:
    """Tunes, scores, prints, writes."""
    found = images(arguments.ham10000, arguments.uda1)
    data = development(found.development)
    by_dice, by_psnr = tuned_baseline(data)
    chosen = tuned_ours(data, found.development)
    methods = (
        ("ours", ours(HairRemoval()), lambda rgb: remove_hair(rgb, HairRemoval())),
        ("black-hat, tuned for Dice", baseline(by_dice), baseline(by_dice)),
        ("black-hat, tuned for PSNR", baseline(by_psnr), baseline(by_psnr)),
    )
    rows = [
        row(name, title, method, work, examples)
        for name, examples in tests(found).items()
        for title, method, work in methods
    ]
    Console(width=170).print(table(rows))
    groups = {
        "hairless HAM10000": found.test,
        "hairless UDA-1": found.large,
        "hairy HAM10000 (probability ≥ 0.9)": found.hairy[:: max(1, len(found.hairy) // HAIRY_IMAGES)],
    }
    names = {group: touched(paths, HairRemoval()) for group, paths in groups.items()}
    shares = {
        group: {
            "images": len(paths),
            "ours": round(len(names[group]) / len(paths), 4),
            "black-hat": round(float(np.mean([black_hat_mask(read(p), by_dice).any() for p in paths])), 4),
        }
        for group, paths in groups.items()
    }
    hairless, _, hairy = groups.values()
    points = curve(hairless, hairy)
    Console().print("touched:", shares)
    Console().print("touched, by contrast:", points)
    Console().print("hairless, yet touched:", [n for group in list(groups)[:2] for n in names[group]])
    Console().print("the grids choose:", chosen, by_dice, by_psnr)
    if arguments.out:
        content = {
            "machine": f"{platform.machine()}, 1 thread, OpenCV {cv2.__version__}",
            "seeds": "0, 1, 2 … by image",
            "ours": HairRemoval().model_dump(),
            "grid_ours": chosen.model_dump(),
            "black_hat_dice": by_dice._asdict(),
            "black_hat_psnr": by_psnr._asdict(),
            "touched": shares,
            "touched_by_contrast": points,
            "touched_names": {group: names[group] for group in list(groups)[:2]},
            "rows": [asdict(line) for line in rows],
        }
        arguments.out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    if arguments.figure:
        draw(rows, points, arguments.figure)


def main() -> None:
    """Measures, or writes strips to look at."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ham10000", type=Path, default=Path(".data/ham10000"))
    parser.add_argument("--uda1", type=Path, default=Path(".data/uda1"))
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG file to write")
    parser.add_argument("--strips", type=Path, help="PNG file of strips to write, instead of measuring")
    parser.add_argument("--strip-images", type=Path, nargs="+", default=[])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.strips:
        write_strips(arguments.strip_images, HairRemoval(), arguments.strips)
    else:
        measure(arguments)


if __name__ == "__main__":
    main()
