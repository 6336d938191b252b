"""Pictures, heat maps and attention: what is asked of the workers, and what is there no more."""

import io
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np
import pytest
from PIL import Image

from serve.api.conftest import Open, Site
from serve.api.serving import serving
from serve.api.tiny import DARK, LIGHT, Inline, examiner, image
from transxv2s.explain import SIX
from transxv2s.imaging.decode import decode
from transxv2s.serve.app import create_app
from transxv2s.serve.worker_process import Call


def pixels(content: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.mark.parametrize("level", [DARK, LIGHT])
def test_pictures_hold_the_pixels_that_were_sent_and_seen(site: Site, level: int) -> None:
    sent = image(level)
    case = site.case(sent)
    original, seen = (site.client.get(case["images"][0][key]) for key in ("original", "seen"))
    assert original.headers["Content-Type"] == seen.headers["Content-Type"] == "image/png"
    assert original.headers["Cache-Control"] == "no-store"
    np.testing.assert_array_equal(pixels(original.content), decode(sent))
    assert pixels(seen.content).shape == (64, 64, 3)


def test_stored_pictures_outlive_a_restart_and_others_do_not(open_site: Open) -> None:
    before = open_site()
    kept, answered = before.case(image(DARK)), before.case(image(LIGHT))
    after = open_site()
    assert after.client.get(kept["images"][0]["original"]).status_code == 200
    assert after.client.get(answered["images"][0]["original"]).status_code == 404


def test_a_damaged_file_is_the_servers_fault(site: Site) -> None:
    case = site.case()
    site.server.recent.forget(case["id"])
    for path in site.server.store.folder.glob("*.png"):
        path.write_bytes(b"x")
    answer = site.client.get(case["images"][0]["seen"])
    assert (answer.status_code, answer.json()["error"]["kind"]) == (500, "DamagedImage")


@pytest.mark.parametrize("number", ["1", "-1", "99999999999999999999"])
def test_there_is_no_image_of_this_number(site: Site, number: str) -> None:
    answer = site.client.get(f"/v1/findings/{site.case()['id']}/images/{number}/seen.png")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "NotFound")


@pytest.mark.parametrize("method", SIX)
def test_a_heat_map_of_each_method_is_asked_for_the_class(site: Site, method: str) -> None:
    case = site.case()
    base = f"/v1/findings/{case['id']}/images/0"
    for query, code in (("", "MEL"), ("?class=BCC", "BCC")):
        answer = site.client.get(f"{base}/heat-maps/{method}.png{query}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/png"
        seen = site.client.get(f"{base}/seen.png").content
        assert site.workers.calls[-1].arguments == (seen, code, method)


class Patient(Inline):
    """Makes no heat map before the client has gone, or for a minute."""

    def __init__(self) -> None:
        super().__init__(examiner())
        self.asked, self.cancelled = threading.Event(), threading.Event()

    def run(self, calls: Sequence[Call], unwanted: Future[None] | None = None) -> list[Any]:
        if unwanted is None:
            return super().run(calls)
        self.asked.set()
        unwanted.result(60)
        self.cancelled.set()
        raise CancelledError


def test_a_heat_map_becomes_unwanted_when_its_client_hangs_up(open_site: Open) -> None:
    before = open_site()
    case, settings = before.case(), before.server.settings.model_copy(update={"port": 0})
    workers = Patient()
    path = f"/v1/findings/{case['id']}/images/0/heat-maps/hirescam.png"
    with serving(create_app(settings, workers), settings) as (port, _):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert workers.asked.wait(60)
            assert not workers.cancelled.is_set()
        assert workers.cancelled.wait(60)


def test_a_method_or_class_that_is_not_there(site: Site) -> None:
    base = f"/v1/findings/{site.case()['id']}/images/0/heat-maps"
    method = site.client.get(f"{base}/scorecam.png")  # the exact one, which takes minutes
    code = site.client.get(f"{base}/hirescam.png?class=Mrs%20Miller")
    assert (method.status_code, method.json()["error"]["kind"]) == (404, "NotFound")
    assert (code.status_code, code.json()["error"]["kind"]) == (422, "Input")
    assert "Miller" not in code.text


def test_a_picture_that_another_network_has_seen_is_not_explained(site: Site) -> None:
    case = site.case()
    object.__setattr__(site.server.model, "digest", "another")
    answer = site.client.get(f"/v1/findings/{case['id']}/images/0/attention")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "Conflict")


def test_a_network_without_graph_modules_attends_to_nothing(site: Site) -> None:
    answer = site.client.get(f"/v1/findings/{site.case()['id']}/images/0/attention")
    assert answer.json() == {"modules": []}


def test_about_tells_what_may_be_asked_and_sent(site: Site) -> None:
    about = site.client.get("/v1/about").json()
    assert [one["name"] for one in about["methods"]] == list(SIX)
    assert [one["name"] for one in about["methods"] if one["default"]] == ["hirescam"]
    assert [one["name"] for one in about["methods"] if not one["per_class"]] == ["eigencam"]
    assert [one["code"] for one in about["diagnoses"]][-1] == "UNK"
    assert len(about["classes"]) == 8
    assert about["limits"]["max_images_per_case"] == site.server.settings.max_images_per_case
    assert (about["keep"], about["calibrated"], about["age_cap"]) == ("referred", True, 90)
