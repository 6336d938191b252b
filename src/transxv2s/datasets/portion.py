"""Which images of a data set are looked at: all, or a part of a split that does not leak."""

from collections.abc import Sequence
from dataclasses import dataclass

from transxv2s.datasets.audit import LEAKY, refuse_leaks
from transxv2s.datasets.copies import fingerprints_of
from transxv2s.datasets.duplicates import Fingerprints, find_pairs
from transxv2s.datasets.groups import groups
from transxv2s.datasets.protocol import audit_split
from transxv2s.datasets.records import Reading, Record, with_larger_files
from transxv2s.datasets.splits import Split
from transxv2s.errors import DataError


@dataclass(frozen=True)
class Portion:
    """Some images of a data set.

    Attributes:
        name: Of the data set.
        reading: All of it.
        split: None takes all images.
        subset: Of the split.
        leaky: The split is declared to leak.
    """

    name: str
    reading: Reading
    split: Split | None = None
    subset: str = "test"
    leaky: bool = False

    def records(self) -> list[Record]:
        """The images.

        Raises:
            LeakageError: The split leaks and is not declared to.
            DataError: There is no image.
        """
        if self.split is not None:
            refuse_leaks(audit_split(self.reading, self.split), self.leaky)
        chosen = self.part(self.subset)
        if not chosen and self.split is not None:
            raise DataError(f"the split has no {self.subset} image of this data set: name another --subset")
        return chosen

    def part(self, subset: str) -> list[Record]:
        """The images of a part of the split, or all, from their largest files; leaks are not looked for."""
        every = self.reading.records
        records = every if self.split is None else self.split.select(every, subset)
        return list(with_larger_files(records, self.reading.larger_files))

    def protocol(self) -> str:
        """In words."""
        if self.split is None:
            return f"all {len(self.reading.records):,} images of the data set, no split"
        leaky = LEAKY if self.leaky else ""
        return f"{leaky}{self.subset} part of split {self.split.digest}"

    def lesions(self, records: Sequence[Record], prints: Fingerprints | None = None) -> list[str]:
        """What intervals are taken over: groups of the split, or lesions and copies among the images.

        Args:
            records: The images.
            prints: Their fingerprints, if they were taken already; a split needs none.
        """
        if self.split is None:
            return groups(records, find_pairs(fingerprints_of(records) if prints is None else prints))
        return [self.split.lesion[record.id] for record in records]
