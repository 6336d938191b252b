"""What the network makes of labelled images, for what is fitted to it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from transxv2s.classifier import Classifier, Prepared
from transxv2s.datasets.records import Record
from transxv2s.errors import DataError, ImageError
from transxv2s.progress import progress
from transxv2s.trust.fitting import Outputs

BATCH = 32


def outputs_of(
    classifier: Classifier,
    records: Sequence[Record],
    lesion_of: Callable[[Record], str],
    group_of: Callable[[Record], str | None] = lambda _: None,
    title: str = "Asking the network",
) -> tuple[Outputs, dict[str, str]]:
    """Logits, features and quality notes of all images that can be read, and why others cannot, by id.

    Args:
        classifier: What is asked.
        records: Images whose labels are positions in the classifier's taxonomy.
        lesion_of: The lesion, or group of the split, of an image.
        group_of: Its group, for prediction sets by group.
        title: Of the progress bar.

    Raises:
        DataError: No image can be read.
    """
    made: list[tuple[Record, Prepared]] = []
    failures: dict[str, str] = {}
    logits, features = [], []
    with progress(title, len(records)) as advance, ThreadPoolExecutor() as pool:
        for start in range(0, len(records), BATCH):
            batch = records[start : start + BATCH]
            read = list(zip(batch, pool.map(lambda r: _read(classifier, r), batch), strict=True))
            failures |= {record.id: found for record, found in read if isinstance(found, str)}
            ready = [(record, found) for record, found in read if not isinstance(found, str)]
            if ready:
                said = classifier.outputs([image for _, image in ready])
                logits.append(said[0])
                features.append(said[1])
                made += [(record, _without_pixels(image)) for record, image in ready]
            advance(len(batch))
    if not made:
        raise DataError(f"none of the images can be read; the first: {next(iter(failures.values()), 'none')}")
    return Outputs(
        np.concatenate(logits).astype(np.float64),
        np.concatenate(features).astype(np.float64),
        np.array([record.label for record, _ in made], np.intp),
        [lesion_of(record) for record, _ in made],
        [image.quality for _, image in made],
        [group_of(record) for record, _ in made],
    ), failures


def _read(classifier: Classifier, record: Record) -> Prepared | str:
    try:
        return classifier.prepare(record.path)
    except ImageError as error:
        return error.reason


def _without_pixels(image: Prepared) -> Prepared:
    """Thousands of images would not fit into memory."""
    nothing = np.zeros((0, 0, 3), np.uint8)
    return Prepared(image.id, nothing, nothing, image.quality)
