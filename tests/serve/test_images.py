"""Stored images are found by their content, and never handed out damaged."""

import errno
import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transxv2s.imaging.decode import decode
from transxv2s.serve.errors import DamagedImageError, StorageUnavailableError
from transxv2s.serve.images import ImageStore, png

RGB = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)


def jpeg_of_a_person() -> bytes:
    """A photograph that tells where and by whom it was taken."""
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x013B] = "Mrs Miller"
    exif.get_ifd(0x8825)[1] = "N"
    stream = io.BytesIO()
    image.save(stream, "JPEG", exif=exif, comment=b"Mrs Miller")
    return stream.getvalue()


def test_pixels_come_back_and_nothing_else() -> None:
    source = jpeg_of_a_person()
    assert b"Mrs Miller" in source
    rgb = decode(source)
    content = png(rgb)
    with Image.open(io.BytesIO(content)) as image:
        assert not image.info
        assert not image.getexif()
        np.testing.assert_array_equal(np.asarray(image), rgb)
    chunks = {content[i : i + 4] for i in range(len(content)) if content[i : i + 4].isalpha()}
    assert not chunks & {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"}


def test_an_image_is_stored_once_under_its_digest(store: ImageStore) -> None:
    digest = store.write(png(RGB))
    assert store.write(png(RGB)) == digest == hashlib.sha256(png(RGB)).hexdigest()
    assert list(store.digests()) == [digest]
    assert store.read(digest) == png(RGB)
    assert store.folder.stat().st_mode & 0o077 == 0


def test_what_does_not_have_its_digest_is_refused_and_healed(store: ImageStore) -> None:
    digest = store.write(b"content")
    (store.folder / f"{digest}.png").write_bytes(b"conteNt")
    with pytest.raises(DamagedImageError, match="missing or damaged"):
        store.read(digest)
    store.write(b"content")
    assert store.read(digest) == b"content"


@pytest.mark.parametrize("digest", ["", "0" * 64, "../" * 20 + "etc", "A" * 64, "0" * 63 + "\n", "0" * 65])
def test_what_is_not_there_or_no_digest_is_refused(store: ImageStore, digest: str) -> None:
    with pytest.raises(DamagedImageError) as caught:
        store.read(digest)
    assert str(store.folder) not in str(caught.value)


def test_a_full_disk_leaves_nothing_behind(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(b"first")
    before = set(store.folder.iterdir())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(store.folder))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageUnavailableError) as caught:
        store.write(b"second")
    assert set(store.folder.iterdir()) == before
    assert str(store.folder) not in str(caught.value)
    monkeypatch.undo()
    assert store.read(store.write(b"second")) == b"second"


def test_deleted_and_half_written_files_are_gone(store: ImageStore) -> None:
    digest = store.write(b"content")
    (store.folder / f".{digest}.png.part").write_bytes(b"conte")
    store.delete(digest)
    store.delete(digest)
    store.clear_parts()
    assert list(Path(store.folder).iterdir()) == []


def test_a_store_that_was_never_used_is_empty(store: ImageStore) -> None:
    assert list(store.digests()) == []
    store.clear_parts()
    store.delete("0" * 64)
