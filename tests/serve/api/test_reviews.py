"""Worklist, opinions, and the export that is the way back into the model."""

import errno
import io
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from serve.api.conftest import Open, Site
from serve.api.tiny import DARK, LIGHT, image
from transxv2s.datasets import registry

MIDDLE = 125  # neither dark nor light: referred, and less likely malignant
OPINION = {"diagnosis": "BCC", "confidence": "high", "comment": "pearly border"}


def test_the_most_urgent_case_comes_first(site: Site) -> None:
    middle, dark = site.case(image(MIDDLE)), site.case(image(DARK), age="60")
    site.case(image(LIGHT))
    listed = site.client.get("/v1/worklist").json()
    assert listed["waiting"] == 2
    assert [case["id"] for case in listed["cases"]] == [dark["id"], middle["id"]]
    assert listed["next"] is None
    first = listed["cases"][0]
    assert (first["predicted"], first["predicted_name"], first["images"]) == ("MEL", "melanoma", 1)
    assert (first["age"], first["reasons"]) == (60, dark["reasons"])
    assert first["expires_at"] == dark["expires_at"]
    assert site.client.get(first["thumbnail"]).status_code == 200


def test_a_case_is_listed_as_its_worst_image_shows_it(site: Site) -> None:
    case = site.case(image(LIGHT), image(DARK), image(MIDDLE))
    assert {finding["decision"] for finding in case["findings"]} == {"expert_review"}
    assert len({finding["may_be"] for finding in case["findings"]}) > 1
    [listed] = site.client.get("/v1/worklist").json()["cases"]
    assert listed["may_be"] == case["findings"][1]["may_be"]
    assert listed["thumbnail"] == case["images"][1]["seen"]
    assert listed["malignant"] == pytest.approx(case["findings"][1]["probabilities"]["MEL"])


def test_pages_hold_every_case_once(site: Site) -> None:
    made = {site.case(image(DARK))["id"] for _ in range(5)}
    seen: list[str] = []
    after: str | None = None
    for _ in range(3):
        page = site.client.get("/v1/worklist", params={"limit": 2} | ({"after": after} if after else {}))
        seen += [case["id"] for case in page.json()["cases"]]
        after = page.json()["next"]
    assert after is None
    assert len(seen) == 5
    assert set(seen) == made


def test_a_review_takes_a_case_off_the_list_and_a_later_one_supersedes(site: Site) -> None:
    case = site.case()
    place = f"/v1/findings/{case['id']}"
    first = site.client.post(f"{place}/reviews", json=OPINION)
    assert first.status_code == 201
    assert (first.json()["number"], first.json()["agrees"], first.json()["reviewer"]) == (1, False, "local")
    second = site.client.post(f"{place}/reviews", json={"diagnosis": "MEL", "confidence": "low"})
    assert (second.json()["number"], second.json()["agrees"], second.json()["comment"]) == (2, True, "")
    assert site.client.get("/v1/worklist").json() == {"waiting": 0, "cases": [], "next": None}
    now = site.client.get(place).json()
    assert (now["state"], now["reviews"]) == ("reviewed", [first.json(), second.json()])
    assert (now["expires_at"], case["images_until"]) == (case["expires_at"], None)
    days = datetime.fromisoformat(now["images_until"]) - datetime.fromisoformat(first.json()["created_at"])
    assert days.days == site.client.get("/v1/about").json()["export_days"]
    assert site.verdict().fault is None


@pytest.mark.parametrize(
    "change",
    [{"diagnosis": "x"}, {"confidence": "sure"}, {"comment": "\0"}, {"comment": "x" * 4001}, {"by": "me"}],
)
def test_an_opinion_that_cannot_be_taken(site: Site, change: dict[str, str]) -> None:
    case = site.case()
    answer = site.client.post(f"/v1/findings/{case['id']}/reviews", json=OPINION | change)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "Input")
    assert site.client.get(f"/v1/findings/{case['id']}").json()["reviews"] == []


def test_the_export_is_a_data_set(site: Site, tmp_path: Path) -> None:
    sent = [image(DARK), image(DARK, side=90)]
    case = site.case(*sent, age="60")
    site.client.post(f"/v1/findings/{case['id']}/reviews", json=OPINION)
    before = set(tmp_path.iterdir())
    answer = site.client.get("/v1/export")
    assert set(tmp_path.iterdir()) == before
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / "set")
    records = registry.read("table", tmp_path / "set").records
    assert len(records) == 2
    assert {record.lesion for record in records} == {case["id"]}
    assert site.verdict().fault is None


def test_there_is_nothing_to_export(site: Site) -> None:
    answer = site.client.get("/v1/export")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "Data")


class Full(io.BytesIO):
    """A file on a disk without room."""

    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/place")


def test_an_export_without_room_on_the_disk(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.client.post(f"/v1/findings/{site.case()['id']}/reviews", json=OPINION)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", lambda dir: Full())  # noqa: A006
        answer = site.client.get("/v1/export")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "StorageUnavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "secret" not in answer.text
    assert site.client.get("/v1/export").status_code == 200


def test_folders_of_others_are_left_alone(open_site: Open, tmp_path: Path) -> None:
    (tmp_path / "export-2026").mkdir()
    open_site()
    assert (tmp_path / "export-2026").exists()
