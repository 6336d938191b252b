"""A data set beside its split: the audit that commands, training and evaluation all call."""

from dataclasses import replace

from transxv2s.datasets.article import doubled, doubled_pairs, is_copy
from transxv2s.datasets.audit import Audit, audit
from transxv2s.datasets.copies import copies
from transxv2s.datasets.records import Reading
from transxv2s.datasets.splits import Split


def is_doubled(split: Split) -> bool:
    """Whether a split is of the article's protocol, in which each image stands twice."""
    return any(is_copy(image) for image in split.subset)


def audit_split(reading: Reading, split: Split) -> Audit:
    """Audits a data set and a split of it, for copies of pictures too.

    Raises:
        DataError: An image is not in the split.
    """
    pairs, unreadable = copies(reading.records)
    if is_doubled(split):
        pairs = doubled_pairs(pairs, len(reading.records))
        reading = replace(reading, records=tuple(doubled(reading.records)))
    return audit(reading, split, pairs, unreadable)
