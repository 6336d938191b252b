"""The plug is pulled while people upload and review: nothing that was acknowledged is lost."""

import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from serve.api.conftest import Open
from serve.api.tiny import image
from transxv2s.cli import main

PROGRAM = [sys.executable, "-m", "serve.api.program"]
TESTS = Path(__file__).parents[2]
CLIENTS = 4
ENOUGH = 24  # acknowledged cases before the plug is pulled
OPINION = {"diagnosis": "BCC", "confidence": "high", "comment": "seen"}


class Visitor:
    """Sends and reviews, one after the other, until the server is gone."""

    def __init__(self, place: str, enough: threading.Semaphore) -> None:
        self.place = place
        self.enough = enough
        self.cases: list[str] = []
        self.reviews: list[str] = []

    def visit(self, number: int) -> None:
        with httpx.Client(base_url=self.place, timeout=60) as client:
            for n in range(1000):
                try:
                    sent = client.post("/v1/findings", files={"images": image(40 + number, side=80 + n)})
                    assert sent.status_code == 201, sent.text
                    self.cases.append(sent.json()["id"])
                    said = client.post(f"/v1/findings/{self.cases[-1]}/reviews", json=OPINION)
                    assert said.status_code == 201, said.text
                    self.reviews.append(self.cases[-1])
                except httpx.TransportError:
                    return
                self.enough.release()


def test_nothing_acknowledged_is_lost(tmp_path: Path, open_site: Open) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    command = [*PROGRAM, str(folder)]
    with subprocess.Popen(command, cwd=TESTS, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stderr
        place = next(m[0] for line in server.stderr if (m := re.search(r"http://[\d.:]+", line)))
        threading.Thread(target=server.stderr.read, daemon=True).start()
        enough = threading.Semaphore(0)
        visitors = [Visitor(place, enough) for _ in range(CLIENTS)]
        with ThreadPoolExecutor() as pool:
            visits = [pool.submit(visitor.visit, n) for n, visitor in enumerate(visitors)]
            for _ in range(ENOUGH):
                assert enough.acquire(timeout=120)
            server.kill()
        for visit in visits:
            visit.result()
    with pytest.raises(SystemExit) as leaving:
        main(["records", "verify", "--data-dir", str(folder)])
    assert leaving.value.code == 0
    after = open_site(data_dir=folder)
    for visitor in visitors:
        for case_id in visitor.cases:
            case = after.client.get(f"/v1/findings/{case_id}").json()
            assert case["images_kept"] is True
            assert after.client.get(case["images"][0]["original"]).status_code == 200
            assert [r["diagnosis"] for r in case["reviews"]] in ([], ["BCC"])
            assert case["reviews"] or case_id not in visitor.reviews
    assert after.send().status_code == 201
    assert after.verdict().fault is None
