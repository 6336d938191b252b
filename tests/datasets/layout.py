"""Writes tiny data sets as their publishers lay them out; every image is one flat grey."""

import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets import isic2019
from transxv2s.taxonomy import ISIC2019

SIDE = 64
GROUND_TRUTH = "ISIC_2019_Training_GroundTruth.csv"
METADATA = "ISIC_2019_Training_Metadata.csv"
IMAGES = "ISIC_2019_Training_Input"


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


def write_flat(path: Path, tone: int = 0) -> None:
    write_picture(path, np.full((SIDE, SIDE, 3), tone, np.uint8))


def write_flats(folder: Path, *names: str) -> None:
    for name in names:
        write_flat(folder / name)


def write_lines(path: Path, *lines: str, newline: str = "\n", encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + newline for line in lines), encoding=encoding, newline="")
    return path


def one_hot(image: str, code: str, codes: Iterable[str]) -> str:
    return ",".join([image, *("1.0" if code == other else "0.0" for other in codes)])


def write_tables(root: Path, lesions: Sequence[Lesion], newline: str = "\n") -> None:
    codes = (*ISIC2019.codes, "UNK")
    truth = [one_hot(item.image, item.code, codes) for item in lesions]
    about = [f"{item.image},55.0,,{item.lesion},female" for item in lesions]
    header = "image,age_approx,anatom_site_general,lesion_id,gender"
    write_lines(isic2019.ground_truth(root, "Training"), f"image,{','.join(codes)}", *truth, newline=newline)
    write_lines(root / METADATA, header, *about, newline=newline)


def write_isic2019(root: Path, lesions: Sequence[Lesion], newline: str = "\n") -> Path:
    """Tables and PNG files; the publisher's are JPEG, which would change the tones."""
    write_tables(root, lesions, newline)
    for item in lesions:
        write_flat(root / IMAGES / f"{item.image}.png", item.tone)
    return root


def lay_out(archive: Path, folder: Path) -> Path:
    """The tables of a real data set, and an empty file for each of its images, which no reader opens."""
    with tarfile.open(archive) as content:
        for member in content:
            path = folder / member.name
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
            elif member.name.endswith(".csv"):
                content.extract(member, folder, filter="data")
            else:
                path.touch()
    return folder / archive.stem
