"""What a stranger may not do: other sites' pages, forged hosts, floods, trickles; and what nobody is told."""

import json
import logging
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve.api.conftest import Open, Site, add_user, kind
from serve.api.serving import head, serving, talk
from serve.api.tiny import DARK, Inline, examiner, image
from serve.test_worker import until
from transxv2s import __version__
from transxv2s.serve import running
from transxv2s.serve.api.errors import INTERNAL
from transxv2s.serve.app import create_app
from transxv2s.serve.settings import FORM_BYTES, Settings


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST", "127.0.0.1", "127.0.0.1:1", "[::1]:8000", "192.0.2.1"],
)
def test_names_and_addresses_of_this_machine(site: Site, host: str) -> None:
    assert site.client.get("/v1/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "a b",
        "localhost:x",
        "[::1",
        "0x7f.1",
    ],
)
def test_other_names_are_refused_so_that_no_site_can_lend_us_its_own(site: Site, host: str) -> None:
    answer = site.client.get("/", headers={"Host": host})
    assert kind(answer) == (421, "ForeignHost")


def test_names_can_be_listed(open_site: Open) -> None:
    add_user(open_site().server, "ada", "admin")
    client = open_site(hosts=("derma.example",)).client
    assert client.get("/health", headers={"Host": "Derma.Example:443"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8001"},
        {"Origin": "http://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_sites_pages_can_neither_change_nor_read(site: Site, headers: dict[str, str]) -> None:
    assert kind(site.send(headers=headers)) == (403, "NotAllowed")
    assert kind(site.client.get("/v1/worklist", headers=headers)) == (403, "NotAllowed")
    assert site.client.get("/", headers=headers).status_code == 200  # a link from elsewhere
    assert site.workers.calls == []


def test_our_own_pages_can(site: Site) -> None:
    headers = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert site.send(headers=headers).status_code == 201


@pytest.mark.parametrize("path", ["/", "/health", "/v1/about", "/nowhere", "/v1/findings/x"])
def test_every_answer_is_sealed(site: Site, path: str) -> None:
    headers = site.client.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Server" not in headers


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nowhere", (404, "NotFound")),
        ("GET", "/docs", (404, "NotFound")),
        ("PUT", "/v1/findings", (405, "MethodNotAllowed")),
        ("GET", "/v1/worklist?limit=0", (422, "Input")),
        ("GET", "/v1/findings/%2e%2e%2f%2e%2e%2fetc%2fpasswd", (404, "NotFound")),
        ("GET", "/static/%2e%2e/%2e%2e/pages.py", (404, "NotFound")),
    ],
)
def test_every_error_has_a_kind_and_a_sentence(
    site: Site, method: str, path: str, expected: tuple[int, str]
) -> None:
    answer = site.client.request(method, path)
    assert kind(answer) == expected
    assert re.fullmatch(r"[A-Z].*\.", answer.json()["error"]["message"])


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b'{"diagnosis": 1}', b"null"])
def test_a_body_that_is_not_what_it_should_be(site: Site, body: bytes) -> None:
    place = f"/v1/findings/{site.case()['id']}/reviews"
    answer = site.client.post(place, content=body, headers={"Content-Type": "application/json"})
    assert kind(answer) == (422, "Input")


def test_a_mistake_of_ours_tells_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.workers.error = ZeroDivisionError("/secret/path.py of torch 2.15")
    answer = site.send()
    assert kind(answer) == (500, "Internal")
    assert answer.json()["error"]["message"] == INTERNAL
    assert "Content-Security-Policy" in answer.headers
    assert "ZeroDivisionError" in caplog.text


def test_the_interface_is_described_without_the_programs_version(site: Site) -> None:
    described = site.client.get("/openapi.json")
    assert described.status_code == 200
    assert __version__ not in described.text


def test_the_log_holds_no_ids_queries_or_names(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "transxv2s")
    case = site.case(age="44")
    site.client.get(f"/v1/findings/{case['id']}?name=Miller")
    assert "GET /v1/findings/{case_id} 200" in caplog.text
    assert case["id"] not in caplog.text
    assert "Miller" not in caplog.text


def test_metrics(site: Site) -> None:
    site.case(image(DARK))
    site.client.request("BREW", "/v1/about")
    site.workers.waiting, site.workers.restarts = 3, 2
    text = site.client.get("/metrics").text
    assert 'transxv2s_requests_total{method="POST",route="/v1/findings",status="201"} 1.0' in text
    assert 'transxv2s_findings_total{decision="expert_review"} 1.0' in text
    assert 'method="other"' in text
    for line in ("queue_length 3.0", "worker_restarts 2.0", "waiting_cases 1.0"):
        assert f"transxv2s_{line}" in text


def test_an_image_may_have_so_many_bytes(open_site: Open) -> None:
    content = image()
    enough = open_site(max_upload_bytes=len(content), max_images_per_case=2)
    assert enough.send(content).status_code == 201
    answer = open_site(max_upload_bytes=len(content) - 1, max_images_per_case=2).send(content)
    assert kind(answer) == (413, "UploadTooLarge")


@pytest.mark.parametrize("announced", [True, False])
def test_a_request_is_cut_off_where_it_becomes_too_large(open_site: Open, announced: bool) -> None:
    site = open_site(max_upload_bytes=1000, max_images_per_case=1)
    body = b"x" * (1000 + FORM_BYTES + 1)
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = site.client.post("/v1/findings", content=body if announced else iter([body]), headers=headers)
    assert kind(answer) == (413, "UploadTooLarge")
    small = site.client.post("/v1/session", content=b" " * (FORM_BYTES + 1))
    assert kind(small) == (413, "UploadTooLarge")


class Slow(Inline):
    """Takes a while for each image, and tells when it has begun."""

    def __init__(self, seconds: float) -> None:
        super().__init__(examiner())
        self.begun = threading.Event()
        self.seconds = seconds

    def run(self, calls: Any, unwanted: Any = None) -> list[Any]:
        self.begun.set()
        time.sleep(self.seconds)
        return super().run(calls)


@pytest.fixture
def settings(tmp_path: Path, config_only: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        checkpoint=config_only,
        port=0,
        upload_seconds=1,
        max_upload_bytes=200_000,
        max_images_per_case=1,
        upload_memory=1,  # that is one case
    )


def test_an_upload_that_trickles_in_is_given_up(settings: Settings) -> None:
    with serving(create_app(settings, Inline(examiner())), settings) as (port, _):
        answer = talk(port, head("/v1/findings", 1000), b"--b\r\n", b"x", pause=0.7)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"kind":"UploadTooSlow"' in answer
        json_too = talk(port, head("/v1/session", 1000, kind="application/json"), b"{", pause=1.2)
        assert json_too.startswith(b"HTTP/1.1 408 ")


def test_an_upload_that_its_sender_gives_up_is_no_fault(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(create_app(settings, Inline(examiner())), settings) as (port, _):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head("/v1/findings", 1000) + b"--b\r\n")
        place, given_up = f"http://127.0.0.1:{port}/metrics", 'route="/v1/findings",status="499"'
        until(lambda: given_up in httpx.get(place).text)
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_head_that_never_ends_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "HEADER_SECONDS", 0.5)
    with serving(create_app(settings, Inline(examiner())), settings) as (port, _):
        assert talk(port, b"GET / HTTP/1.1\r\nHost: local") == b""
        assert talk(port) == b""
        whole = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = talk(port, whole, b"GET / HTTP/1.1\r\nHost: local", pause=0.2)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1") == 1


def test_a_huge_head_is_refused(settings: Settings) -> None:
    with serving(create_app(settings, Inline(examiner())), settings) as (port, _):
        answer = talk(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"h11" not in answer
        assert httpx.get(f"http://localhost:{port}/health").status_code == 200


def test_who_sends_too_much_can_still_read_why(settings: Settings) -> None:
    """Many senders read nothing before all is sent: the answer must not be lost in a reset connection."""
    with serving(create_app(settings, Inline(examiner())), settings) as (port, _):
        body = b"x" * 250_000
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/session", content=body)
        assert kind(answer) == (413, "UploadTooLarge")
        told_before = talk(port, head("/v1/findings", 10**12, "Expect: 100-continue"))
        assert told_before.startswith(b"HTTP/1.1 413 ")
        assert b"100 Continue" not in told_before


def test_uploads_beyond_the_memory_for_them_are_told_to_come_again(settings: Settings) -> None:
    workers = Slow(2)
    with serving(create_app(settings, workers), settings) as (port, _), ThreadPoolExecutor() as pool:
        place, content = f"http://127.0.0.1:{port}/v1/findings", image(DARK, "BMP", side=210)
        assert 130_000 < len(content) < 200_000
        first = pool.submit(httpx.post, place, files={"images": content}, timeout=30)
        workers.begun.wait(30)
        second = httpx.post(place, files={"images": content}, timeout=30)
        assert kind(second) == (503, "Busy")
        assert int(second.headers["Retry-After"]) > 0
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
        assert first.result().status_code == 201
        assert httpx.post(place, files={"images": content}, timeout=30).status_code == 201


def test_the_end_waits_for_answers_that_are_under_way(settings: Settings) -> None:
    workers = Slow(1.5)
    with serving(create_app(settings, workers), settings) as (port, ending), ThreadPoolExecutor() as pool:
        place = f"http://127.0.0.1:{port}/v1/findings"
        answer = pool.submit(httpx.post, place, files={"images": image()}, timeout=30)
        workers.begun.wait(30)
        ending.set()
        assert answer.result().status_code == 201
        assert json.loads(answer.result().text)["state"] == "waiting"


@pytest.mark.parametrize(("proxies", "apart"), [(("127.0.0.1",), True), (("192.0.2.9",), False)])
def test_who_asks_is_believed_of_our_proxies_alone(
    open_site: Open, proxies: tuple[str, ...], apart: bool
) -> None:
    """Attempts to log in are counted for the address that a proxy of ours tells, else for the proxy's."""
    server = open_site().server
    add_user(server, "ada", "admin")
    more = {"hosts": ("derma.example",), "proxies": proxies, "attempts_per_address": 2, "port": 0}
    settings = Settings(**server.settings.model_dump() | more)
    with serving(create_app(settings, Inline(examiner())), settings) as (port, _):

        def attempt(address: str) -> int:
            return httpx.post(
                f"http://127.0.0.1:{port}/v1/session",
                json={"name": f"of {address}", "password": "wrong"},
                headers={"X-Forwarded-For": address},
            ).status_code

        assert [attempt("203.0.113.5") for _ in range(3)] == [401, 401, 429]
        assert attempt("203.0.113.6") == (401 if apart else 429)
