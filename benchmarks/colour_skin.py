"""Background skin in images of three hospitals: where it is, and how its chromaticity is spread."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from colour_methods import Rgb
from transxv2s.datasets import ham10000, isic2019
from transxv2s.imaging.colour.images import Method
from transxv2s.imaging.decode import decode

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

SOURCES = ("HAM10000", "BCN_20000", "MSK")


def skin_mask(rgb: Rgb) -> Mask:
    """A ring near the border, without corners, the dermatoscope's surround, and its darker half (lesions)."""
    height, width = rgb.shape[:2]
    y = ((np.arange(height) + 0.5) / height * 2 - 1)[:, None]
    x = ((np.arange(width) + 0.5) / width * 2 - 1)[None]
    ring = (np.hypot(y, x) < 1) & (np.maximum(abs(y), abs(x)) > 0.7)
    light = rgb.mean(2)
    return np.asarray(ring & (light >= np.median(light[ring])))


def chromaticity(rgb: Rgb, where: Mask) -> Values:
    """Median a* and b* of CIELAB."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.asarray(np.median(lab[where][:, 1:], axis=0), np.float64)


def spread(points: dict[str, Values]) -> dict[str, float]:
    """Of a* and b*: root mean square distances, and how many within-source spreads the sources lie apart."""
    middles = np.stack([p.mean(0) for p in points.values()])
    pairs = [np.linalg.norm(a - b) for i, a in enumerate(middles) for b in middles[:i]]
    within = np.sqrt(np.mean([((p - p.mean(0)) ** 2).sum(1).mean() for p in points.values()]))
    everything = np.concatenate(list(points.values()))
    total = np.sqrt(((everything - everything.mean(0)) ** 2).sum(1).mean())
    between = float(np.mean(pairs))
    return {"total": float(total), "between": between, "between_within": float(between / within)}


def source_images(root: Path, count: int, seed: int) -> dict[str, list[Rgb]]:
    """So many random images of each source of ISIC 2019, of one lesion each."""
    by_source: dict[str, dict[str, Path]] = {name: {} for name in SOURCES}
    for record in isic2019.read(root).records:
        by_source[record.source].setdefault(record.lesion or record.id, record.path)
    generator = np.random.default_rng(seed)
    return {
        source: [decode(paths[i]) for i in generator.permutation(len(paths))[:count]]
        for source, paths in ((s, list(of.values())) for s, of in by_source.items())
    }


def skin(sources: dict[str, list[Rgb]], method: Method) -> dict[str, Values]:
    """Chromaticity (N, 2) of skin by source; where skin is, the image before normalisation says."""
    return {
        source: np.stack([chromaticity(method.apply(image), skin_mask(image)) for image in images])
        for source, images in sources.items()
    }


def rule_error(root: Path, count: int, seed: int) -> float:
    """Median distance in a*, b* between skin by the rule and all that is outside HAM10000's lesion masks."""
    files, masks = ham10000.files(root), ham10000.masks(root)
    found = []
    for name in np.random.default_rng(seed).permutation(sorted(masks))[:count]:
        image = decode(files[name])
        lesion = (decode(masks[name])[..., 0] > 0).astype(np.uint8)
        outside = np.asarray(cv2.dilate(lesion, np.ones((15, 15)))) == 0
        if outside.mean() > 0.1:
            found.append(np.linalg.norm(chromaticity(image, skin_mask(image)) - chromaticity(image, outside)))
    return float(np.median(found))
