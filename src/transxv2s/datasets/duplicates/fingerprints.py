"""What is kept of each picture: enough to find its copies without the picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets.duplicates import disc, frame

VERSION = 1  # raise it with every change to what a fingerprint says
DIGEST_BYTES = 8
FULL_BYTES = DIGEST_BYTES + frame.BYTES + disc.BYTES

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """One row an image: 242 bytes, or 124 without the discs.

    Attributes:
        digests: uint8 (N, 8), a hash of the file's content.
        frames: uint8 (N, 116), see `frame`.
        discs: uint8 (N, 118), see `disc`; or (N, 0), and turns other than quarter turns are not found.
    """

    digests: Bytes
    frames: Bytes
    discs: Bytes

    def __len__(self) -> int:
        return len(self.digests)

    def take(self, positions: Sequence[int]) -> "Fingerprints":
        """The rows at some positions, in their order."""
        rows = np.array(positions, np.intp)
        return Fingerprints(self.digests[rows], self.frames[rows], self.discs[rows])

    def compact(self) -> "Fingerprints":
        """Without the discs."""
        return Fingerprints(self.digests, self.frames, self.discs[:, :0])

    def joined(self, others: "Fingerprints") -> "Fingerprints":
        """These rows and then the others, without the discs."""
        return Fingerprints(
            np.concatenate([self.digests, others.digests]),
            np.concatenate([self.frames, others.frames]),
            np.empty((len(self) + len(others), 0), np.uint8),
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Named arrays for an .npz file; `from_arrays` reads them."""
        version = np.array(VERSION, np.uint16)
        return {"version": version, "digests": self.digests, "frames": self.frames, "discs": self.discs}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Fingerprints":
        """What `to_arrays` returned; further arrays are ignored.

        Raises:
            KeyError: An array is not there.
            ValueError: They are no fingerprints, or those of another version.
        """
        if (version := arrays["version"].tolist()) != VERSION:
            raise ValueError(f"the fingerprints have version {version}, this program makes version {VERSION}")
        names, count = ("digests", "frames", "discs"), len(np.atleast_1d(arrays["digests"]))
        widths = ((DIGEST_BYTES,), (frame.BYTES,), (disc.BYTES, 0))
        for name, allowed in zip(names, widths, strict=True):
            array = arrays[name]
            if array.dtype != np.uint8 or array.shape not in [(count, width) for width in allowed]:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, not one row of bytes an image")
        return cls(*(np.asarray(arrays[name], np.uint8) for name in names))

    def save(self, path: Path) -> None:
        """Writes an .npz file without pickles."""
        with path.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **self.to_arrays())

    @classmethod
    def load(cls, path: Path) -> "Fingerprints":
        """Reads what `save` wrote.

        Raises:
            KeyError: An array is not there.
            ValueError: They are no fingerprints, or those of another version.
        """
        with np.load(path, allow_pickle=False) as arrays:
            return cls.from_arrays(arrays)
