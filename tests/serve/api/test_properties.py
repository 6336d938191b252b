"""Whatever is sent to the described interface: no 500, and every answer as described (schemathesis)."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.api.conftest import HERE, add_user
from serve.api.tiny import DARK, LIGHT, Inline, examiner, image, write_config
from serve.formats.dicom_files import photograph, sample, written
from transxv2s.serve.app import create_app
from transxv2s.serve.settings import Settings

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")

for kind, files in {
    "image/png": [image(DARK), image(LIGHT)],
    "image/jpeg": [image(DARK, "JPEG")],
    "application/dicom": [written(photograph(sample()))],
}.items():
    schemathesis.openapi.media_type(kind, st.sampled_from(files))


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The interface with users, as an administrator meets it."""
    folder = tmp_path_factory.mktemp("data")
    given = Settings(data_dir=folder, checkpoint=write_config(folder / "checkpoint"))
    app = create_app(given, Inline(examiner()))
    app.state.token = add_user(app.state.server, "ada", "admin")
    return schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "localhost"})


NOTHING_TO_NEGATE = ("GET /health", "GET /ready")  # they take nothing
SOME = settings(
    max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_every_operation(described: Any, subtests: pytest.Subtests, mode: str) -> None:
    """With requests as described, and with such as are not."""
    headers = {"Authorization": f"Bearer {described.app.state.token}"}

    def check(case: Any) -> None:
        case.call_and_validate(base_url=HERE, headers=headers)

    for result in described.get_all_operations():
        operation = result.ok()
        if mode == "NEGATIVE" and operation.label in NOTHING_TO_NEGATE:
            continue
        with subtests.test(operation.label):
            cases = operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode])
            SOME(given(case=cases)(check))()
