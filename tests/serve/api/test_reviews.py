"""Worklist, opinions, and the export that is the way back into the model."""

import io
import zipfile
from pathlib import Path

import pytest

from serve.api.conftest import Site
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
    assert site.client.get(first["thumbnail"]).status_code == 200


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
    answer = site.client.get("/v1/export")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / "set")
    records = registry.read("table", tmp_path / "set").records
    assert len(records) == 2
    assert {record.lesion for record in records} == {case["id"]}
    assert not list(tmp_path.glob("export-*"))
    assert site.verdict().fault is None


def test_there_is_nothing_to_export(site: Site) -> None:
    answer = site.client.get("/v1/export")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "Data")


def test_what_a_killed_export_has_left_is_removed_at_the_start(site: Site, tmp_path: Path) -> None:
    from transxv2s.serve.api.exports import clear_leftovers

    (tmp_path / "export-x" / "images").mkdir(parents=True)
    clear_leftovers(site.server.settings)
    assert not (tmp_path / "export-x").exists()
