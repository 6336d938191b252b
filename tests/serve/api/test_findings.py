"""Images in, a case out: what is answered, what is stored, and what never is."""

import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from serve.api.conftest import Open, Site
from serve.api.tiny import DARK, LIGHT, image
from serve.formats.dicom_files import SECRETS, photograph, sample, written
from transxv2s.finding import Finding
from transxv2s.serve import cases
from transxv2s.views import DISAGREE


def test_a_referred_image_becomes_a_case_that_waits(site: Site) -> None:
    answer = site.send(image(DARK), age="57", sex="female", site="head/neck")
    case = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/findings/{case['id']}"
    assert (case["state"], case["decision"], case["created_by"]) == ("waiting", "expert_review", "local")
    assert (case["age"], case["sex"], case["site"]) == (57, "female", "head/neck")
    assert case["images_kept"] is True
    assert case["reasons"] == case["findings"][0]["reasons"] != []
    assert (case["images"][0]["width"], case["images"][0]["height"]) == (90, 80)
    assert site.client.get(answer.headers["Location"]).json() == case
    assert site.verdict().fault is None


def test_what_is_answered_is_what_is_stored_and_a_finding_as_everywhere(site: Site) -> None:
    case = site.case()
    with site.server.database.reading() as session:
        stored = cases.findings(cases.get(session, case["id"]))
    assert [Finding.model_validate(one) for one in case["findings"]] == stored
    assert stored[0].id == f"{case['id']}-0"
    assert stored[0].predicted == "MEL"


def test_an_answered_image_is_not_written_but_can_be_looked_at_for_a_while(site: Site) -> None:
    case = site.case(image(LIGHT))
    assert (case["state"], case["decision"], case["images_kept"]) == ("answered", "answer", False)
    assert case["images"][0]["available"] is True
    assert list(site.server.store.digests()) == []
    assert site.client.get(case["images"][0]["original"]).status_code == 200
    site.server.recent.forget(case["id"])
    later = site.client.get(f"/v1/findings/{case['id']}").json()
    assert later["images"] == [
        {"width": 90, "height": 80, "available": False, "original": None, "seen": None}
    ]
    gone = site.client.get(case["images"][0]["original"])
    assert gone.status_code == 404
    assert "not kept" in gone.json()["error"]["message"]


def test_views_of_a_lesion_that_disagree_are_referred(site: Site) -> None:
    case = site.case(image(LIGHT), image(DARK))
    assert [finding["predicted"] for finding in case["findings"]] == ["NV", "MEL"]
    assert all(DISAGREE in finding["reasons"] for finding in case["findings"])
    assert case["reasons"].count(DISAGREE) == 1


def test_age_is_capped_and_empty_fields_tell_nothing(site: Site) -> None:
    case = site.case(age="97", sex="", site=" ")
    assert (case["age"], case["sex"], case["site"]) == (90, None, None)


def test_a_dicom_file_tells_age_sex_and_site_unless_the_form_does(site: Site) -> None:
    content = written(photograph(sample(), BodyPartExamined="HEAD"))
    case = site.case(content, sex="male")
    assert (case["age"], case["sex"], case["site"]) == (62, "male", "head/neck")


def test_nothing_of_a_file_but_its_pixels_is_stored_or_answered(site: Site, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x013B], exif[0x010E] = "Aldonza Quixote", "MRN-4711"
    jpeg = image(DARK, "JPEG", exif=exif)
    assert b"Quixote" in jpeg
    first = site.send(jpeg)
    second = site.send(written(photograph(sample())))
    assert (first.status_code, second.status_code) == (201, 201)
    original = site.client.get(first.json()["images"][0]["original"]).content
    assert not Image.open(io.BytesIO(original)).getexif()
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (*SECRETS, "Mrs Miller"):
        assert secret.encode() not in everything + original + first.content + second.content


def test_uploads_are_not_put_into_temporary_files(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an upload was about to be written to the disk")

    monkeypatch.setattr(tempfile, "_TemporaryFileWrapper", refuse)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    content = image(DARK, "BMP", side=780)
    assert len(content) > 1_800_000  # the usual parser writes from 1 MB on
    assert site.send(content).status_code == 201


def test_the_name_of_a_file_may_be_left_out(site: Site) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="images"\r\n\r\n'
    headers = {"Content-Type": 'multipart/form-data; boundary="b"'}
    answer = site.client.post("/v1/findings", content=head + image() + b"\r\n--b--\r\n", headers=headers)
    assert answer.status_code == 201


def test_keeping_nothing_and_keeping_all(open_site: Open) -> None:
    nothing = open_site(keep="nothing").case(image(DARK))
    everything = open_site(keep="all").case(image(LIGHT))
    assert (nothing["images_kept"], everything["images_kept"]) == (False, True)


def test_erasing_leaves_nothing_to_see(site: Site, tmp_path: Path) -> None:
    case = site.case()
    place = f"/v1/findings/{case['id']}"
    assert site.client.delete(place).status_code == 204
    for address in (place, f"{place}/fhir", case["images"][0]["seen"]):
        gone = site.client.get(address)
        assert (gone.status_code, gone.json()["error"]["kind"]) == (404, "NotFound")
    assert site.client.delete(place).status_code == 404
    assert not list((tmp_path / "images").glob("*.png"))
    assert site.verdict().fault is None


@pytest.mark.parametrize("case_id", ["0" * 32, "x", "..%2f..%2fetc", "%00"])
def test_there_is_no_such_case(site: Site, case_id: str) -> None:
    answer = site.client.get(f"/v1/findings/{case_id}")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("details", "word"),
    [
        ({"age": "old"}, "age"),
        ({"age": "121"}, "age"),
        ({"age": "5.5"}, "age"),
        ({"sex": "other"}, "sex"),
        ({"site": "Mrs Miller's arm"}, "site"),
        ({"name": "Mrs Miller"}, "field"),
    ],
)
def test_details_that_cannot_be_taken(site: Site, details: dict[str, Any], word: str) -> None:
    answer = site.send(**details)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "Input")
    assert word in answer.json()["error"]["message"]
    assert "Miller" not in answer.text
    assert site.workers.calls == []


def test_a_form_must_hold_images_in_their_field(site: Site) -> None:
    post = site.client.post
    for answer in (
        post("/v1/findings"),
        post("/v1/findings", json={"images": "x"}),
        post("/v1/findings", content=b"x", headers={"Content-Type": "multipart/form-data"}),
        post("/v1/findings", files={"image": image()}),
        post("/v1/findings", data={"age": ["1", "2"]}, files={"images": image()}),
    ):
        assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "Input")
        assert "images" in answer.json()["error"]["message"]
    assert site.workers.calls == []


def test_too_many_images_of_one_lesion(open_site: Open) -> None:
    site = open_site(max_images_per_case=2)
    assert site.send(image(), image()).status_code == 201
    answer = site.send(image(), image(), image())
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "Input")
    assert "1 to 2 images" in answer.json()["error"]["message"]


def test_one_bad_image_among_good_ones_is_named_and_nothing_is_stored(site: Site) -> None:
    answer = site.send(image(), b"no image", image())
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "Image")
    assert answer.json()["error"]["message"].startswith("Image 2: ")
    assert site.client.get("/v1/worklist").json()["waiting"] == 0
