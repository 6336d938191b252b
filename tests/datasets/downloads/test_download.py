"""What arrives, what is said, and what a second run does."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from transxv2s.datasets import transfer
from transxv2s.datasets.download import download
from transxv2s.datasets.received import RECORD
from transxv2s.errors import DataError

from .server import Site, serving
from .toy import FILES, TABLE, TOY, Listener, collection, expected, visible


def test_files_arrive_unpacked_checked_and_recorded(site: Site, listener: Listener, tmp_path: Path) -> None:
    root = tmp_path / "deep" / "root"
    record = download(TOY, root, listener, site.url)
    assert visible(root) == expected((root / RECORD).read_bytes())  # and nothing else: no archive, no .part
    images = record.received["Images.zip"]
    assert images.sha256 == hashlib.sha256(FILES["Images.zip"]).hexdigest()
    assert (images.bytes, images.files) == (len(FILES["Images.zip"]), 2)
    assert images.published_checksum == TOY.files[1].checksum
    assert record.received["Truth.csv"].published_checksum is None
    assert json.loads((root / RECORD).read_text())["licence"] == "CC BY-NC 4.0"


def test_unknown_checksum_is_said_to_be_unknown(site: Site, listener: Listener, tmp_path: Path) -> None:
    download(TOY, tmp_path, listener, site.url)
    unknown = [sentence for sentence in listener.sentences if "no checksum" in sentence]
    assert [sentence.partition(":")[0] for sentence in unknown] == ["Truth.csv", "Masks.zip"]
    assert hashlib.sha256(TABLE).hexdigest() in unknown[0]
    assert any("Images.zip: has the publisher's md5" in sentence for sentence in listener.sentences)


def test_progress_is_told_to_the_end(site: Site, listener: Listener, tmp_path: Path) -> None:
    download(TOY, tmp_path, listener, site.url)
    assert listener.totals["Images.zip"] == listener.steps["Images.zip"][-1] == len(FILES["Images.zip"])
    assert listener.totals["unpacking Images"] == listener.steps["unpacking Images"][-1] == 2


def test_second_run_asks_the_server_nothing(site: Site, listener: Listener, tmp_path: Path) -> None:
    first = download(TOY, tmp_path, listener, site.url)
    before, asked = visible(tmp_path), len(site.log)
    assert download(TOY, tmp_path, listener, site.url) == first
    assert (visible(tmp_path), len(site.log)) == (before, asked)


def test_only_what_is_absent_is_downloaded(site: Site, listener: Listener, tmp_path: Path) -> None:
    (tmp_path / "Images").mkdir()
    (tmp_path / "Images" / "mine.jpg").write_bytes(b"mine")
    record = download(TOY, tmp_path, listener, site.url)
    assert [path.name for path in (tmp_path / "Images").iterdir()] == ["mine.jpg"]
    assert "Images.zip" not in record.received
    assert not site.asked("Images.zip")
    assert any("Images is there without a record" in sentence for sentence in listener.sentences)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda root: (root / "Images" / "a.jpg").unlink(), id="image removed"),
        pytest.param(lambda root: (root / "Truth.csv").write_bytes(TABLE[:-3]), id="table cut"),
    ],
)
def test_a_damaged_download_is_not_taken_for_done(
    harm: Callable[[Path], Any], site: Site, listener: Listener, tmp_path: Path
) -> None:
    download(TOY, tmp_path, listener, site.url)
    harm(tmp_path)
    with pytest.raises(DataError, match=r"not as it was downloaded .*: remove it"):
        download(TOY, tmp_path, listener, site.url)


def test_a_server_that_tells_no_sizes_is_fine(site: Site, listener: Listener, tmp_path: Path) -> None:
    site.sizes = False
    download(TOY, tmp_path, listener, site.url)
    assert listener.totals["Images.zip"] is None
    assert visible(tmp_path) == expected((tmp_path / RECORD).read_bytes())


def test_wrong_checksum_removes_the_file(site: Site, listener: Listener, tmp_path: Path) -> None:
    wrong = "sha256:" + 64 * "0"
    with pytest.raises(
        DataError, match=r"Images.zip has the sha256 \w+ and the publisher's has 0+, so it was"
    ):
        download(collection(Images=wrong), tmp_path, listener, site.url)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Truth.csv", RECORD]


def test_missing_file_says_where_to_look(site: Site, listener: Listener, tmp_path: Path) -> None:
    del site.files["Masks.zip"]
    with pytest.raises(DataError, match=r"answered 404 .*Masks\.zip.*--mirror"):
        download(TOY, tmp_path, listener, site.url)
    assert visible(tmp_path) == {}  # found out before gigabytes have come


def test_busy_server_is_asked_again_and_then_named(site: Site, listener: Listener, tmp_path: Path) -> None:
    site.status["Truth.csv"] = 503
    with pytest.raises(DataError, match=r"503 .* busy, run the command again later"):
        download(TOY, tmp_path, listener, site.url)
    assert len(site.asked("Truth.csv")) == 1 + transfer.ATTEMPTS


def test_no_network_says_so(site: Site, listener: Listener, tmp_path: Path) -> None:
    with serving({}) as gone:
        url = gone.url
    with pytest.raises(DataError, match=r"cannot be reached .*check the network"):
        download(TOY, tmp_path, listener, url)


def test_a_web_page_in_place_of_a_file_is_refused(site: Site, listener: Listener, tmp_path: Path) -> None:
    site.content_type = "text/html; charset=utf-8"  # as a hotel's network answers everything
    with pytest.raises(DataError, match="answered a web page"):
        download(TOY, tmp_path, listener, site.url)


def test_too_little_space_is_found_out_before_the_download(
    site: Site, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {name: len(content) for name, content in FILES.items()}
    needed = sum(sizes.values()) + max(sizes["Images.zip"], sizes["Masks.zip"])
    free = [needed - 1]

    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr("transxv2s.datasets.archive.shutil.disk_usage", lambda _: Usage(free[0]))
    with pytest.raises(DataError, match=r"Toy with its unpacking needs .* GB free: free space"):
        download(TOY, tmp_path, listener, site.url)
    assert list(tmp_path.iterdir()) == []
    free[0] = needed
    download(TOY, tmp_path, listener, site.url)


def test_one_folder_is_for_one_data_set(site: Site, listener: Listener, tmp_path: Path) -> None:
    download(TOY, tmp_path, listener, site.url)
    with pytest.raises(DataError, match="holds Toy: choose another --root for Other"):
        download(replace(TOY, title="Other"), tmp_path, listener, site.url)


def test_damaged_record_is_named(site: Site, listener: Listener, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text("[]")
    with pytest.raises(DataError, match="not a record of a download"):
        download(TOY, tmp_path, listener, site.url)
