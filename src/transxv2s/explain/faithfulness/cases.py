"""The images that methods are judged on: evenly over classes, one of a lesion, each with its mask."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from torch import Tensor

from transxv2s.datasets.records import Record
from transxv2s.errors import DataError
from transxv2s.explain.faithfulness.lesion_masks import seen_mask
from transxv2s.explain.faithfulness.perturbation import Places
from transxv2s.files import state_key
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import Preprocessing, to_tensor


@dataclass(frozen=True)
class Case:
    """One image as the network sees it.

    Attributes:
        id: Of the image.
        file: Tells the state of the image file from another.
        label: Code of the lesion's class.
        lesion: Its lesion, over which intervals are taken.
        image: (3, S, S), scaled by mean = std = 0.5.
        mask: Where the lesion is, (S, S).
    """

    id: str
    file: str
    label: str
    lesion: str
    image: Tensor
    mask: Places


def choose(records: Sequence[Record], masks: Mapping[str, Path], images: int, seed: int = 0) -> list[Record]:
    """Images with a mask, one of each lesion, class by class in turn until there are enough.

    Rare classes run out first and others fill their places. More images of the same seed begin with the same.

    Args:
        records: To choose from.
        masks: Mask files by image id.
        images: How many are wanted.
        seed: Of the choice.

    Raises:
        DataError: There are not so many.
    """
    with_mask = [record for record in records if record.id in masks]
    order = np.random.default_rng(seed).permutation(len(with_mask))
    one_of_each = {record.lesion or record.id: record for record in (with_mask[i] for i in order)}
    by_class = defaultdict[int, list[Record]](list)
    for record in one_of_each.values():
        by_class[record.label].append(record)
    in_turn = chain.from_iterable(zip_longest(*(by_class[label] for label in sorted(by_class))))
    found = [record for record in in_turn if record is not None][:images]
    if len(found) < images or not found:
        raise DataError(
            f"there are {len(found)} lesions with a mask among {len(records):,} images, not {images} as "
            f"asked: ask for fewer, or unpack the masks of HAM10000"
        )
    return found


def prepare(record: Record, label: str, lesion: str, mask: Path, preprocessing: Preprocessing) -> Case:
    """Reads an image and its mask.

    Raises:
        ImageError: One of them cannot be read.
    """
    rgb = decode(record.path)
    square = to_tensor(preprocessing.apply(rgb))
    places = seen_mask(decode(mask), rgb, preprocessing)
    return Case(record.id, state_key(record.path).hex(), label, lesion, square, places)
