"""Archives that lie, climb, are damaged or too large."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from transxv2s.datasets.download import download
from transxv2s.datasets.received import RECORD
from transxv2s.errors import DataError

from .server import Site
from .toy import BIG, FILES, TOY, Listener, collection, expected, visible, zipped


def test_an_archive_that_unpacks_to_more_than_is_free_is_refused(
    site: Site, listener: Listener, tmp_path: Path
) -> None:
    bomb = bytearray(zipped({"Images/a.jpg": b"x"}))
    at = bomb.index(b"PK\x01\x02")
    bomb[at + 24 : at + 28] = (0xFFFFFFF0).to_bytes(4, "little")  # says that it unpacks to 4.3 GB
    site.files["Images.zip"] = bytes(bomb)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "transxv2s.datasets.archive.shutil.disk_usage", lambda _: type("U", (), {"free": 10**9})
        )
        with pytest.raises(DataError, match=r"unpacking Images.zip needs 4.3 GB"):
            download(collection(), tmp_path, listener, site.url)
    assert not (tmp_path / "Images").exists()


def symlink() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        link = zipfile.ZipInfo("Images/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        bundle.writestr(link, "/etc")
    return buffer.getvalue()


EVIL = {
    "climbs": zipped({"Images/ok.jpg": b"", "Images/../../evil.txt": b"evil"}),
    "absolute": zipped({"/tmp/evil.txt": b"evil"}),  # noqa: S108 - never written
    "drive": zipped({"C:/evil.txt": b"evil"}),
    "backslash": zipped({"..\\evil.txt": b"evil"}),
    "symlink": symlink(),
    "twice": zipped({"Images/a.jpg": b"1", "a.jpg": b"2"}),
    "cut": FILES["Images.zip"][:-30],
    "flipped": FILES["Images.zip"].replace(BIG[1000:1010], bytes(10)),
    "no archive": b"<Error>AccessDenied</Error>",
}


@pytest.mark.parametrize("archive", EVIL.values(), ids=EVIL.keys())
def test_bad_archives_are_refused_whole_and_removed(
    archive: bytes, site: Site, listener: Listener, tmp_path: Path
) -> None:
    site.files["Images.zip"] = archive
    root = tmp_path / "inner" / "root"
    with pytest.raises(DataError, match="so it was removed"):
        download(collection(), root, listener, site.url)
    left = sorted(path.name for path in tmp_path.rglob("*"))
    assert left == ["Truth.csv", RECORD, "inner", "root"]


def test_what_a_killed_unpacking_left_is_swept(site: Site, listener: Listener, tmp_path: Path) -> None:
    (tmp_path / ".Images.unpacking").mkdir()
    (tmp_path / ".Images.unpacking" / "a.jpg").write_bytes(b"half")
    download(TOY, tmp_path, listener, site.url)
    assert visible(tmp_path) == expected((tmp_path / RECORD).read_bytes())
