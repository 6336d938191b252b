"""Images on disk, named by their content: PNG of the decoded pixels, so that EXIF, GPS and names are gone."""

import hashlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from transxv2s.files import replacing
from transxv2s.serve.db.session import storage_errors
from transxv2s.serve.errors import DamagedImageError

DIGEST = re.compile(r"[0-9a-f]{64}")
OWNER = "owner"  # the file that names the owner; backups take it along
DAMAGED = "A stored image is missing or damaged; restore it from a backup."


def png(rgb: NDArray[np.uint8]) -> bytes:
    """Lossless file of the pixels, uint8 (H, W, 3), and nothing else."""
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "PNG")
    return stream.getvalue()


@dataclass(frozen=True)
class ImageStore:
    """A folder of images, each named by the sha256 of its bytes.

    Write and delete inside `Database.writing` only: then no image is deleted that another case has just come
    to share.

    Attributes:
        folder: Made when it gets an owner, or its first image.
    """

    folder: Path

    def write(self, content: bytes) -> str:
        """Stores a file; when this returns, it survives a power cut.

        Returns:
            Its digest.

        Raises:
            StorageUnavailableError: It cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        with storage_errors():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.holds(digest):
                with replacing(self._path(digest)) as stream:
                    stream.write(content)
                self._settle()
        return digest

    def read(self, digest: str) -> bytes:
        """The file of this digest.

        Raises:
            DamagedImageError: It is not there, or has another digest.
            StorageUnavailableError: It cannot be read.
        """
        path = self._path(digest)
        with storage_errors():
            content = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(content).hexdigest() != digest:
            raise DamagedImageError(DAMAGED)
        return content

    def delete(self, digest: str) -> None:
        """Removes a file, if it is there.

        Raises:
            StorageUnavailableError: It cannot be removed.
        """
        with storage_errors():
            if (path := self._path(digest)).exists():
                path.unlink()
                self._settle()

    def digests(self) -> Iterator[str]:
        """What is stored."""
        return (path.stem for path in self.folder.glob("*.png") if DIGEST.fullmatch(path.stem))

    def clear_parts(self) -> None:
        """Removes what a crash left half written.

        Raises:
            StorageUnavailableError: It cannot be removed.
        """
        with storage_errors():
            for path in self.folder.glob(".*.part"):
                path.unlink(missing_ok=True)

    def owner(self) -> str | None:
        """Whom the folder names as its owner, see `ownership`; None where it names nobody.

        Raises:
            StorageUnavailableError: It cannot be read.
        """
        path = self.folder / OWNER
        with storage_errors():
            return path.read_text(encoding="ascii", errors="replace") if path.exists() else None

    def name_owner(self, owner: str | None) -> None:
        """Has the folder, which is made if need be, name its owner, or nobody.

        Raises:
            StorageUnavailableError: It cannot be written.
        """
        path = self.folder / OWNER
        with storage_errors():
            if owner is None:
                path.unlink(missing_ok=True)
                return
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with replacing(path) as stream:
                stream.write(owner.encode())
            self._settle()

    def holds(self, digest: str) -> bool:
        """Whether the file of this digest is there and is whole.

        Raises:
            StorageUnavailableError: It cannot be read.
        """
        try:
            return bool(self.read(digest))
        except DamagedImageError:
            return False

    def _path(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise DamagedImageError(DAMAGED)
        return self.folder / f"{digest}.png"

    def _settle(self) -> None:
        """Makes what was renamed or removed last: the folder itself is data that must reach the disk."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
