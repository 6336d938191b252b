"""200 malformed uploads: each has its typed error, and one and the same worker survives them all."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serve.api.conftest import HERE, kind
from serve.api.malformed import all_of_them
from serve.api.tiny import BUDGET, DARK, image
from transxv2s.serve.app import create_app
from transxv2s.serve.settings import Settings
from transxv2s.serve.worker import Workers

LEAKS = re.compile(r"0x[0-9a-f]{6}|Traceback|\.py\b|<_io|/(work|usr|home|tmp)/|Miller|passwd|object at", re.I)


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, config_only: Path, processes: Workers
) -> Iterator[TestClient]:
    """With a real worker process."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), checkpoint=config_only)
    with TestClient(create_app(settings, processes), base_url=HERE) as made:
        yield made


def memory(workers: Workers, what: str) -> int:
    """Bytes that the only worker has, or has had at most."""
    [pid] = workers.pids
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return 1024 * int(found[1])


def send(client: TestClient, content: bytes) -> tuple[int, str, str]:
    answer = client.post("/v1/findings", files={"images": ("x.png", content, "image/png")})
    if answer.status_code == 201:
        return 201, "", answer.text
    return *kind(answer), answer.json()["error"]["message"]


def test_every_one_has_its_error_and_the_worker_survives(client: TestClient) -> None:
    workers = client.app.state.server.workers  # type: ignore[attr-defined]
    assert send(client, image(DARK))[0] == 201
    before, [pid] = memory(workers, "VmRSS"), workers.pids
    wrong = all_of_them()
    assert len(wrong) >= 200
    answers = {name: send(client, content) for name, content in wrong.items()}
    assert {name: a for name, a in answers.items() if a[:2] != (422, "Image")} == {}
    messages = {message for _, _, message in answers.values()}
    assert [message for message in messages if LEAKS.search(message)] == []
    assert [message for message in messages if not re.fullmatch(r"The image: .*\.", message)] == []
    assert workers.pids == [pid]
    assert workers.restarts == 0
    assert memory(workers, "VmHWM") < before + BUDGET
    assert send(client, image(DARK))[0] == 201


HEAD = b'Content-Disposition: form-data; name="images"; filename="x.png"\r\n'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"--b--",
        b"--b\r\n",
        b"--c\r\n" + HEAD + b"\r\nx\r\n--c--",
        b"--b\r\n" + HEAD,
        b"--b\r\n" + HEAD + b"\r\nx",
        b"--b\r\n\r\nx\r\n--b--",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
        b"--b\r\n" + HEAD + b"X: " + b"x" * 60_000 + b"\r\n\r\nx\r\n--b--",
        b"--b\r\n" + HEAD + b"X: x\r\n" * 9_000 + b"\r\nx\r\n--b--",
        b'--b\r\nContent-Disposition: form-data; name="' + b"x" * 50_000 + b'"\r\n\r\nx\r\n--b--',
        b'--b\r\nContent-Disposition: form-data; name="age"\r\n\r\n' + b"9" * 60_000 + b"\r\n--b--",
        b"--b\r\n" * 10_000,
        b'--b\r\nContent-Disposition: form-data; name="age"\r\n\r\n1\r\n' * 700 + b"--b--",
        b"\0" * 1000,
    ],
    ids=range(16),
)
def test_forms_that_are_none(client: TestClient, body: bytes) -> None:
    answer = client.post(
        "/v1/findings", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert kind(answer) in ((422, "Input"), (422, "Image"))
    assert not LEAKS.search(answer.text)


@pytest.mark.parametrize(
    "boundary", ["", "; boundary=", "; boundary=" + "b" * 5000, "; boundary=\xff", "; charset=x"]
)
def test_content_types_that_are_none(client: TestClient, boundary: str) -> None:
    headers = {b"Content-Type": f"multipart/form-data{boundary}".encode("latin-1")}
    assert kind(client.post("/v1/findings", content=b"--b--", headers=headers)) == (422, "Input")
