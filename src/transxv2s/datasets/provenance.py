"""Which images a network has seen: carried by its checkpoint, so that an evaluation can tell the overlap."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np

from transxv2s.datasets.duplicates import Fingerprints, find_pairs_between
from transxv2s.datasets.records import Record, examples, plain
from transxv2s.errors import CheckpointError

SEEN_IN = "seen in training, validation or calibration"


@dataclass(frozen=True)
class SeenImages:
    """The images that a checkpoint has seen: those of training and validation, and then those of calibration.

    Attributes:
        ids: N image ids.
        lesions: N lesion ids or groups; "" where none is known.
        fingerprints: N rows.
        calibrated: How many, the last ones, nothing but calibration has seen: the weights know none of them.
    """

    ids: tuple[str, ...]
    lesions: tuple[str, ...]
    fingerprints: Fingerprints
    calibrated: int = 0

    def by_training(self) -> "SeenImages":
        """Those of training and validation alone."""
        count = len(self.ids) - self.calibrated
        return SeenImages(self.ids[:count], self.lesions[:count], self.fingerprints.take(range(count)))

    def with_calibration(self, records: Sequence[Record], prints: Fingerprints) -> "SeenImages":
        """With these images in place of those that an earlier calibration has seen.

        Args:
            records: The images.
            prints: Their fingerprints.
        """
        ids, lesions = tuple(r.id for r in records), tuple(r.lesion or "" for r in records)
        trained = self.by_training()
        every = trained.joined(SeenImages(ids, lesions, prints))
        return replace(every, calibrated=len(every.ids) - len(trained.ids))

    def joined(self, others: "SeenImages") -> "SeenImages":
        """These images and those of the others that are none of these by id and lesion."""
        here = set(zip(self.ids, self.lesions, strict=True))
        named = zip(others.ids, others.lesions, strict=True)
        new = [place for place, name in enumerate(named) if name not in here]
        return SeenImages(
            (*self.ids, *(others.ids[place] for place in new)),
            (*self.lesions, *(others.lesions[place] for place in new)),
            self.fingerprints.joined(others.fingerprints.take(new)),
        )

    def to_bytes(self) -> bytes:
        """An .npz archive without pickles."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"ids": np.array(self.ids), "lesions": np.array(self.lesions)}
        arrays |= self.fingerprints.to_arrays() | {"calibrated": np.array(self.calibrated)}
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "SeenImages":
        """Reads what `to_bytes` wrote.

        Raises:
            CheckpointError: It is something else.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                named = dict(arrays)
            ids, lesions = (tuple(named.pop(key).tolist()) for key in ("ids", "lesions"))
            calibrated = int(named.pop("calibrated", 0))  # which older lists do not tell
            return cls(ids, lesions, Fingerprints.from_arrays(named), calibrated)
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"the list of training images in the checkpoint is damaged ({error}); copy it again."
            ) from error


class Overlap(TypedDict):
    """Evaluated images that the checkpoint has seen in training, validation or calibration; None: not known.

    Attributes:
        images: Evaluated images.
        by_id: Of them, those with the id of a seen image.
        by_lesion: Those of a lesion that was seen.
        by_copy: Those that show the same picture as a seen image, exactly or nearly.
        any: Those of any of the three.
        words: One sentence.
    """

    images: int
    by_id: int | None
    by_lesion: int | None
    by_copy: int | None
    any: int | None
    words: str


def overlap(
    seen: SeenImages | None, records: Sequence[Record], prints: Fingerprints
) -> tuple[Overlap, frozenset[str]]:
    """How far images overlap with those that a checkpoint has seen, and the ids of those that do.

    Args:
        seen: None where the checkpoint does not tell.
        records: The evaluated images.
        prints: Their fingerprints.
    """
    if seen is None:
        words = "unknown: the checkpoint does not carry the list of its training images"
        nothing = Overlap(
            images=len(records), by_id=None, by_lesion=None, by_copy=None, any=None, words=words
        )
        return nothing, frozenset()
    ids, lesions = {plain(image) for image in seen.ids}, set(seen.lesions) - {""}
    by_id = {r.id for r in records if plain(r.id) in ids}
    by_lesion = {r.id for r in records if r.lesion in lesions}
    by_copy = {records[pair.second].id for pair in find_pairs_between(seen.fingerprints, prints)}
    every = frozenset(by_id | by_lesion | by_copy)
    found = Overlap(
        images=len(records),
        by_id=len(by_id),
        by_lesion=len(by_lesion),
        by_copy=len(by_copy),
        any=len(every),
        words=_words(len(records), by_id, by_lesion, by_copy),
    )
    return found, every


def _words(images: int, by_id: set[str], by_lesion: set[str], by_copy: set[str]) -> str:
    every = by_id | by_lesion | by_copy
    if not every:
        return f"none of the {images:,} images, by id, lesion or copy, was {SEEN_IN}"
    return (
        f"{len(every):,} of {images:,} images were {SEEN_IN} ({len(by_id):,} by id, "
        f"{len(by_lesion):,} by lesion, {len(by_copy):,} as a copy), for example {examples(sorted(every))}"
    )
