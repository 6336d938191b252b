"""Writes a tiny ISIC 2019 training set as its publisher lays it out; every image is one flat colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets import isic2019
from transxv2s.taxonomy import ISIC2019

SIDE = 64


@dataclass(frozen=True)
class Lesion:
    """One image; `tone` is its grey level, so that equal tones are byte-identical files."""

    image: str
    code: str
    lesion: str = ""
    tone: int = 0


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


def write_flat(path: Path, tone: int) -> None:
    write_picture(path, np.full((SIDE, SIDE, 3), tone, np.uint8))


def write_tables(root: Path, lesions: Sequence[Lesion], newline: str = "\n") -> None:
    root.mkdir(parents=True, exist_ok=True)
    truth = [",".join(["image", *ISIC2019.codes, "UNK"])]
    metadata = ["image,age_approx,anatom_site_general,lesion_id,gender"]
    for item in lesions:
        hot = ["1.0" if code == item.code else "0.0" for code in ISIC2019.codes]
        truth.append(",".join([item.image, *hot, "0.0"]))
        metadata.append(f"{item.image},55.0,,{item.lesion},female")
    for name, lines in ((isic2019.GROUND_TRUTH, truth), (isic2019.METADATA, metadata)):
        (root / name).write_text("".join(line + newline for line in lines), newline="")


def write_isic2019(root: Path, lesions: Sequence[Lesion], newline: str = "\n") -> Path:
    """Tables and PNG files; the publisher's are JPEG, which would change the tones."""
    write_tables(root, lesions, newline)
    for item in lesions:
        write_flat(root / isic2019.IMAGES / f"{item.image}.png", item.tone)
    return root
