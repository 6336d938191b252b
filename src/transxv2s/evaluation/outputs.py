"""What the network makes of labelled images, for what is fitted to it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from transxv2s.ages import age_band
from transxv2s.ahead import batches_ahead
from transxv2s.classifier import Classifier, Prepared
from transxv2s.datasets.records import Record
from transxv2s.errors import DataError, ImageError
from transxv2s.progress import progress
from transxv2s.trust.fitting import Outputs

BATCH = 32


def group_of(record: Record, grouping: str | None) -> str | None:
    """Of what group an image is; None where that is not known or there are no groups."""
    if grouping is None:
        return None
    return record.source if grouping == "source" else age_band(record.age)


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
    made: list[tuple[Record, list[str]]] = []
    failures: dict[str, str] = {}
    logits, features = [], []
    with progress(title, len(records)) as advance:
        for batch in batches_ahead(partial(_read, classifier), records, BATCH):
            failures |= {record.id: found for record, found in batch if isinstance(found, str)}
            ready = [(record, found) for record, found in batch if not isinstance(found, str)]
            if ready:
                said = classifier.outputs([image for _, image in ready])
                logits.append(said[0])
                features.append(said[1])
                made += [(record, image.quality) for record, image in ready]
            advance(len(batch))
    if not made:
        raise DataError(f"none of the images can be read; the first: {next(iter(failures.values()), 'none')}")
    return Outputs(
        np.concatenate(logits).astype(np.float64),
        np.concatenate(features).astype(np.float64),
        np.array([record.label for record, _ in made], np.intp),
        [lesion_of(record) for record, _ in made],
        [record.id for record, _ in made],
        [quality for _, quality in made],
        [group_of(record) for record, _ in made],
    ), failures


def _read(classifier: Classifier, record: Record) -> Prepared | str:
    """The image without its original, of which two batches would take gigabytes, or why it cannot be read."""
    try:
        image = classifier.prepare(record.path)
    except ImageError as error:
        return error.reason
    return replace(image, original=image.seen)
