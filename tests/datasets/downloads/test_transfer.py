"""Connections that break, files that change, servers that know no ranges, disks that are full."""

import errno
import io
import itertools
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from transxv2s.datasets import transfer
from transxv2s.datasets.download import download
from transxv2s.datasets.received import RECORD
from transxv2s.errors import DataError

from .server import Site
from .toy import BIG, FILES, STOP, TABLE, TOY, Listener, collection, expected, visible, zipped


class Broken(NamedTuple):
    """A download that stopped in the middle for good; the server behaves again."""

    root: Path
    part: Path


@pytest.fixture
def broken(site: Site, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broken:
    with monkeypatch.context() as patch:
        patch.setattr(transfer, "ATTEMPTS", 1)
        site.ranges = False  # so that the second try gets no further than the first
        site.breaks["Images.zip"] = 1 + 2
        with pytest.raises(DataError, match=r"broke 1 times in a row after 131,072 bytes: .*go on"):
            download(TOY, tmp_path, listener, site.url)
    site.ranges = True
    site.log.clear()
    part = tmp_path / "Images.zip.part"
    assert part.read_bytes() == FILES["Images.zip"][:STOP]
    return Broken(tmp_path, part)


def test_a_later_run_resumes(broken: Broken, site: Site, listener: Listener) -> None:
    listener.steps.clear()
    download(TOY, broken.root, listener, site.url)
    probe, rest = site.asked("Images.zip")
    assert (probe.range, rest.range, rest.status) == (None, f"bytes={STOP}-", 206)
    assert not site.asked("Truth.csv")
    assert listener.steps["Images.zip"][0] == STOP
    assert visible(broken.root) == expected((broken.root / RECORD).read_bytes())


def test_a_server_without_ranges_is_asked_from_the_start(
    broken: Broken, site: Site, listener: Listener
) -> None:
    site.ranges = False
    download(TOY, broken.root, listener, site.url)
    assert site.asked("Images.zip")[-1].status == 200
    assert (broken.root / "Images" / "a.jpg").read_bytes() == BIG


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(
    broken: Broken, site: Site, listener: Listener
) -> None:
    site.files["Images.zip"] = zipped({"Images/a.jpg": BIG[::-1]})
    download(collection(), broken.root, listener, site.url)
    assert site.asked("Images.zip")[-1].range is None
    assert (broken.root / "Images" / "a.jpg").read_bytes() == BIG[::-1]


def test_a_file_without_a_version_is_never_resumed(broken: Broken, site: Site, listener: Listener) -> None:
    site.tags = False
    download(TOY, broken.root, listener, site.url)
    assert [request.range for request in site.asked("Images.zip")] == [None, None]
    assert (broken.root / "Images" / "a.jpg").read_bytes() == BIG


def test_a_part_whose_version_was_cut_by_a_crash_is_not_resumed(
    broken: Broken, site: Site, listener: Listener
) -> None:
    broken.part.with_name("Images.zip.part.json").write_text('{"address": "htt')
    download(TOY, broken.root, listener, site.url)
    assert site.asked("Images.zip")[-1].range is None
    assert (broken.root / "Images" / "a.jpg").read_bytes() == BIG


def test_if_range_guards_a_change_between_probe_and_resume(broken: Broken, site: Site) -> None:
    with transfer.open_session() as session:
        remote = transfer.probe(session, f"{site.url}/Images.zip")
        changed = bytes(len(FILES["Images.zip"]))
        site.files["Images.zip"] = changed
        transfer.fetch(session, remote, broken.part, lambda _: None)
    assert broken.part.read_bytes() == changed  # not the head of the one and the tail of the other


def test_broken_connections_are_resumed_in_the_same_run(
    site: Site, listener: Listener, tmp_path: Path
) -> None:
    site.breaks["Images.zip"] = 1 + 2
    download(TOY, tmp_path, listener, site.url)
    assert [request.range for request in site.asked("Images.zip")[1:]] == [
        None,
        f"bytes={STOP}-",
        f"bytes={2 * STOP}-",
    ]


def test_a_server_that_always_cuts_the_file_is_given_up(
    site: Site, listener: Listener, tmp_path: Path
) -> None:
    site.ranges = False
    site.breaks["Images.zip"] = 1_000
    with pytest.raises(DataError, match=rf"broke {transfer.ATTEMPTS} times"):
        download(TOY, tmp_path, listener, site.url)
    assert not (tmp_path / "Images").exists()


def test_back_off_doubles(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    site.ranges = False
    with transfer.open_session() as session:
        remote = transfer.probe(session, f"{site.url}/Images.zip")
        site.breaks["Images.zip"] = 1_000
        monkeypatch.setattr(transfer, "BACKOFF", 1.0)
        monkeypatch.setattr(transfer, "sleep", waits.append)
        with pytest.raises(DataError):
            transfer.fetch(session, remote, tmp_path / "Images.zip.part", lambda _: None)
    assert len(waits) == transfer.ATTEMPTS
    assert all(after == 2 * before for before, after in itertools.pairwise(waits[1:]))


def test_a_size_other_than_announced_is_refused(site: Site, tmp_path: Path) -> None:
    part = tmp_path / "Truth.csv.part"
    with transfer.open_session() as session:
        remote = transfer.probe(session, f"{site.url}/Truth.csv")
        site.files["Truth.csv"] = TABLE[:-5]
        with pytest.raises(DataError, match="came with 14 bytes and was announced with 19"):
            transfer.fetch(session, remote, part, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_keeps_what_came(
    site: Site, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk(io.FileIO):
        def write(self, _: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    opener = Path.open

    def open_full(path: Path, *arguments: Any, **options: Any) -> Any:
        return (
            FullDisk(str(path), "ab")
            if path.name.endswith((".zip.part", ".csv.part"))
            else opener(path, *arguments, **options)
        )

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        with pytest.raises(
            DataError, match=r"the disk is full.*free space and run the command again to go on"
        ):
            download(TOY, tmp_path, listener, site.url)
    download(TOY, tmp_path, listener, site.url)
