"""What the pages say when something is wrong: one clear sentence, and a way on."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from serve.web.browsing import UNREACHABLE, draw, examine
from serve.web.conftest import OpenPage, Start
from serve.web.serving import Running

BUSY = "Too many images are being examined; try again soon."
STORAGE = "The storage does not answer or is full, so nothing was changed; try again later."


def refuse_once(page: Page, path: str, kind: str, message: str, wait: str | None = None) -> None:
    """Answers 503 instead of the server."""
    body = json.dumps({"error": {"kind": kind, "message": message}})
    headers = {"Retry-After": wait} if wait else {}

    def handle(route: Route) -> None:
        route.fulfill(status=503, body=body, content_type="application/json", headers=headers)

    page.route(path, handle, times=1)


def choose(page: Page, url: str, *images: Path) -> None:
    page.goto(url)
    expect(page.locator("#limits")).to_contain_text("at most")
    page.locator("#images").set_input_files(list(images))


def test_waits_and_tries_again_when_the_server_is_busy(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("desktop", 503)
    refuse_once(page, "**/v1/findings", "Busy", BUSY, wait="2")
    choose(page, server.url, draw(tmp_path / "a.png"))
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_role("alert").filter(has_text=BUSY)).to_be_visible()
    expect(page.get_by_text("Trying again in")).to_be_visible()
    page.wait_for_url("**/cases/*")


def test_a_refused_image_is_named_with_the_reason(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("phone", 422)
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8\xff\xe0 not the rest of a JPEG")
    choose(page, server.url, damaged)
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_role("alert").filter(has_text="This did not work")).to_contain_text(
        "the file is damaged"
    )
    expect(page.get_by_role("button", name="Remove damaged.jpg")).to_be_enabled()


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        (lambda route: route.abort(), "The server cannot be reached."),
        (lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"), "cannot be read"),
    ],
    ids=["gone", "a proxy answers"],
)
def test_no_answer_of_the_server(
    server: Running, open_page: OpenPage, tmp_path: Path, handle: Callable[[Route], None], words: str
) -> None:
    page = open_page("desktop", UNREACHABLE, 502)
    choose(page, server.url, draw(tmp_path / "a.png"))
    page.route("**/v1/findings", handle)
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
    page.unroute("**/v1/findings")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url("**/cases/*")


def test_what_cannot_be_sent_is_said_before(start: Start, open_page: OpenPage, tmp_path: Path) -> None:
    server = start(max_upload_bytes=100_000, max_images_per_case=2)
    page = open_page()
    (tmp_path / "empty.png").touch()
    (tmp_path / "large.bin").write_bytes(np.random.default_rng(0).bytes(100_001))
    choose(page, server.url, tmp_path / "empty.png", tmp_path / "large.bin")
    expect(page.get_by_text("This file is empty.")).to_be_visible()
    expect(page.get_by_text("at most 100 kB can be sent")).to_be_visible()
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_role("button", name="Remove empty.png")).to_be_focused()
    page.locator("#images").set_input_files([draw(tmp_path / "a.png", good=False)])
    expect(page.get_by_text("At most 2 images of one lesion can be sent together.")).to_be_visible()
    for name in ("empty.png", "large.bin"):
        page.get_by_role("button", name=f"Remove {name}").click()
    page.get_by_label("Age in years").fill("old")
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_text("Enter the age in whole years")).to_be_visible()
    expect(page.get_by_label("Age in years")).to_be_focused()


def test_nothing_chosen(server: Running, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(server.url)
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_role("alert").filter(has_text="Choose at least one image first.")).to_be_visible()
    expect(page.locator("#images")).to_be_focused()


def test_sending_can_be_cancelled(server: Running, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    page.route("**/v1/findings", lambda route: None)  # never answered
    choose(page, server.url, draw(tmp_path / "a.png"))
    page.get_by_role("button", name="Examine").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was examined.")).to_be_visible()
    expect(page.get_by_role("button", name="Examine")).to_be_focused()
    page.unroute_all(behavior="ignoreErrors")


def test_cancelling_after_all_was_sent_promises_nothing(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    """Told to the page as a browser tells it: here the whole upload is over at once."""
    page = open_page()
    page.route("**/v1/findings", lambda route: None)
    choose(page, server.url, draw(tmp_path / "a.png"))
    page.evaluate(
        """() => {
          const send = XMLHttpRequest.prototype.send;
          XMLHttpRequest.prototype.send = function (data) {
            send.call(this, data);
            this.upload.dispatchEvent(new ProgressEvent("load"));
          };
        }"""
    )
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_text("Sent. The network is looking")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("had been sent and may be examined and stored all the same")).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("path", ["**/v1/worklist*", "**/v1/about"])
def test_storage_that_comes_back(server: Running, open_page: OpenPage, path: str) -> None:
    page = open_page("phone", 503)
    refuse_once(page, path, "StorageUnavailable", STORAGE, wait="1")
    page.goto(f"{server.url}/worklist")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The storage is not available")
    expect(alert).to_contain_text(STORAGE)
    expect(page.get_by_text("No case waits for an expert.")).to_be_visible()
    expect(alert).to_have_count(0)


def test_a_review_that_is_not_stored_is_not_lost(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("desktop", 503)
    examine(page, server.url, draw(tmp_path / "bad.png", good=False))
    refuse_once(page, "**/reviews", "StorageUnavailable", STORAGE)
    page.get_by_label("Comment").fill("Blue veil.")
    page.get_by_role("radio", name="high").check()
    page.get_by_role("button", name="Agree: ").click()
    expect(page.locator("#review-problem")).to_contain_text(STORAGE)
    expect(page.locator("#history li")).to_have_count(0)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#history")).to_contain_text("Blue veil.")


@pytest.mark.parametrize("path", ["**/v1/findings/*", "**/v1/worklist*"])
def test_a_review_that_is_stored_is_not_sent_again(
    server: Running, open_page: OpenPage, tmp_path: Path, path: str
) -> None:
    page = open_page("desktop", 503)
    case = examine(page, server.url, draw(tmp_path / "bad.png", good=False))
    page.get_by_label("Comment").fill("Blue veil.")
    page.get_by_role("radio", name="high").check()
    refuse_once(page, path, "StorageUnavailable", STORAGE)
    page.get_by_role("button", name="Agree: ").click()
    expect(page.locator("#review-problem")).to_contain_text(STORAGE)
    expect(page.locator("#review-done")).to_contain_text("Recorded: ")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#review-done")).to_contain_text("No other case waits.")
    expect(page.locator("#history li")).to_have_count(1)
    [review] = page.request.get(f"{server.url}/v1/findings/{case}").json()["reviews"]
    assert (review["comment"], review["confidence"]) == ("Blue veil.", "high")


def test_a_heat_map_that_fails_can_be_asked_for_again(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("desktop", 503)
    examine(page, server.url, draw(tmp_path / "a.png"))
    refuse_once(page, "**/heat-maps/**", "Busy", BUSY)
    page.get_by_role("radio", name="HiResCAM").check()
    expect(page.locator("#map-problem")).to_contain_text(BUSY)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("img.heat")).to_be_visible()


def test_pictures_that_are_no_longer_kept(start: Start, open_page: OpenPage, tmp_path: Path) -> None:
    server = start(recent_minutes=0)
    page = open_page("phone")
    examine(page, server.url, draw(tmp_path / "a.png"))
    expect(page.get_by_text("This picture is no longer kept.")).to_have_count(2)
    expect(page.get_by_role("heading", name="Where the network looked")).to_be_hidden()
    expect(page.locator("#probabilities tbody tr")).to_have_count(8)


def test_an_address_without_a_case(server: Running, open_page: OpenPage) -> None:
    page = open_page("desktop", 404)
    page.goto(f"{server.url}/cases/{'0' * 32}")
    expect(page.get_by_role("alert")).to_contain_text("There is no such case")
    expect(page.get_by_role("link", name="Examine another lesion")).to_be_visible()


def test_nothing_to_export(server: Running, open_page: OpenPage) -> None:
    page = open_page("desktop", 409)
    page.goto(f"{server.url}/worklist")
    page.get_by_role("button", name="Export reviewed cases").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no reviewed case with an image to export")
