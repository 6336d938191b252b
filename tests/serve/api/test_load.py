"""32 clients at once, against worker processes with a short queue: answered, or told to come again."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from serve.api.serving import serving
from serve.api.tiny import DARK, image
from transxv2s.serve.app import create_app
from transxv2s.serve.settings import Settings
from transxv2s.serve.worker import Workers

CLIENTS = 32
EACH = 4  # requests


def test_nobody_meets_anything_but_an_answer_or_a_request_to_wait(
    tmp_path: Path, config_only: Path, processes: Workers
) -> None:
    settings = Settings(data_dir=tmp_path, checkpoint=config_only, port=0)
    app = create_app(settings, processes)
    with serving(app, settings) as (port, _):

        def visit(number: int) -> list[httpx.Response]:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
                return [_send(client, 100 * number + n) for n in range(EACH)]

        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = [answer for found in pool.map(visit, range(CLIENTS)) for answer in found]
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {201, 503}
        assert 201 in statuses
        for answer in answers:
            if answer.status_code == 503:
                assert answer.json()["error"]["kind"] == "Busy"
                assert int(answer.headers["Retry-After"]) > 0
            else:
                place = f"http://127.0.0.1:{port}{answer.headers['Location']}"
                assert httpx.get(place, timeout=60).json() == answer.json()
        waiting = httpx.get(f"http://127.0.0.1:{port}/v1/worklist").json()["waiting"]
        assert waiting == statuses.count(201)


def _send(client: httpx.Client, seed: int) -> httpx.Response:
    answer = client.post("/v1/findings", files={"images": image(DARK, side=60 + seed % 40)})
    if answer.status_code == 503:
        time.sleep(0.05)
    return answer
