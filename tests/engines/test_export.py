"""An exported file classifies where this project is not: the snippets of the documentation, as they stand."""

import json
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from engines.networks import squares
from transxv2s import NOTICE
from transxv2s.checkpoint import Checkpoint
from transxv2s.classifier import Classifier
from transxv2s.engines.engine import EngineError, Precision
from transxv2s.engines.export import SUFFIXES, Format, agreement, export, verified
from transxv2s.engines.portable import OPSET, Calibration, metadata, steps_before
from transxv2s.errors import InputError
from transxv2s.imaging.colour import GWSD
from transxv2s.imaging.hair import HairRemoval
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.trust.scaling import Dirichlet, Scaling, Temperature, Vector

DOCS = Path(__file__).parents[2] / "docs" / "export.md"
SAMPLES = Path(__file__).parents[2] / "samples"
SNIPPETS = dict(
    zip(("onnx", "openvino"), re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL), strict=True)
)
ASKED = squares(4, 3)
FORMATS: list[tuple[Format, Precision]] = [
    ("onnx", "float32"),
    ("onnx", "int8"),
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("openvino", "int8"),
]
# an interpreter that starts outside the repository and refuses to find the project even where it is installed
ALONE = "import sys; sys.modules['transxv2s'] = None; sys.modules['torch'] = None; exec(sys.stdin.read())"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{i}.png" for i in range(len(ASKED))]
    for path, square in zip(paths, ASKED, strict=True):
        Image.fromarray(square).save(path)
    return paths


def said(format_: Format, model: Path, pictures: list[Path]) -> list[str]:
    """Lines that the snippet prints."""
    done = subprocess.run(  # noqa: S603 - our own documentation
        [sys.executable, "-I", "-c", ALONE, str(model), *map(str, pictures)],
        input=SNIPPETS[format_],
        capture_output=True,
        text=True,
        check=False,
        cwd=model.parent,
    )
    assert done.returncode == 0, done.stderr
    lines: list[str] = done.stdout.splitlines()
    return lines


@pytest.mark.parametrize(("format_", "precision"), FORMATS)
def test_the_snippet_says_what_the_checkpoint_says(
    format_: Format, precision: Precision, small: Checkpoint, pictures: list[Path], tmp_path: Path
) -> None:
    model = (tmp_path / "model").with_suffix(SUFFIXES[format_])
    export(small, format_, precision, model, squares(16, 5) if precision == "int8" else None)
    *lines, notice = said(format_, model, pictures)

    found = agreement(small, format_, precision, model, ASKED)
    trust, codes = small.config.trust, small.config.classes
    assert trust is not None
    expected = trust.scaling.probabilities(_logits(small))
    named = trust.adjusted(expected)
    tolerance = found.largest_difference + 5e-5  # what was verified, and the digits that are printed
    assert notice == NOTICE
    for line, path, row, scores in zip(lines, pictures, expected, named, strict=True):
        file, code, probability = line.split(" ")
        assert file == str(path)
        assert precision != "float32" or codes[scores.argmax()] == code
        assert abs(float(probability) - row[codes.index(code)]) <= tolerance
    assert precision != "float32" or found.same_class == 1
    assert found.largest_difference < {"float32": 1e-5, "bfloat16": 0.02, "int8": 0.1}[precision]


@pytest.mark.parametrize("size", [(84, 84), (200, 150), (600, 450)], ids=str)
def test_the_snippet_makes_squares_of_pictures_of_any_size(
    size: tuple[int, int], small: Checkpoint, tmp_path: Path
) -> None:
    pictures = []
    for path in sorted(SAMPLES.glob("*.jpg"))[:3]:
        with Image.open(path) as picture:
            picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(tmp_path / f"{path.stem}.png")
        pictures.append(tmp_path / f"{path.stem}.png")
    export(small, "onnx", "float32", tmp_path / "model.onnx")
    *lines, _ = said("onnx", tmp_path / "model.onnx", pictures)
    plain = Preprocessing(field_of_view=False, size=small.config.preprocessing.size)
    classifier = Classifier(replace(small, config=small.config.model_copy(update={"preprocessing": plain})))
    adjusted = small.config.trust.adjusted if small.config.trust else np.asarray
    for line, finding in zip(lines, classifier.classify(pictures), strict=True):
        _, code, probability = line.split(" ")
        assert float(probability) == pytest.approx(finding.probabilities[code], abs=0.01)
        chances = adjusted(np.array([list(finding.probabilities.values())]))[0]
        named = list(finding.probabilities).index(code)
        assert chances[named] == pytest.approx(chances.max(), rel=0.1)  # random weights: nearly a draw


def _logits(checkpoint: Checkpoint) -> NDArray[np.float32]:

    with torch.inference_mode():
        logits = checkpoint.model(torch.from_numpy(ASKED).permute(0, 3, 1, 2) / 127.5 - 1)
    return np.asarray(logits)


def test_the_file_tells_what_it_is(small: Checkpoint, tmp_path: Path) -> None:
    import onnx

    export(small, "onnx", "float32", tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    told = {prop.key: prop.value for prop in model.metadata_props}

    onnx.checker.check_model(model, full_check=True)
    assert {opset.version for opset in model.opset_import if not opset.domain} == {OPSET}
    assert json.loads(told["classes"]) == small.config.classes
    assert told["checkpoint"] == small.digest
    assert told["preprocessing"] == small.config.preprocessing.digest()
    assert json.loads(told["calibrated"]) is True
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(
    "scaling",
    [
        Temperature(temperature=1.7),
        Vector(weights=(0.5, 1.0, 2.0), bias=(0.1, -0.2, 0.3), intercept_penalty=0.1),
        Dirichlet(
            weights=((1.0, 0.2, -0.1), (0.3, 0.8, 0.0), (0.1, -0.4, 1.2)),
            bias=(0.1, -0.2, 0.3),
            intercept_penalty=0.1,
            off_diagonal_penalty=0.1,
        ),
    ],
    ids=lambda scaling: scaling.kind,
)
def test_calibration_is_that_of_the_checkpoint(scaling: Scaling) -> None:

    logits = np.random.default_rng(0).normal(0, 3, (5, 3)).astype(np.float32)

    found = Calibration(scaling)(torch.from_numpy(logits))
    np.testing.assert_allclose(found, scaling.probabilities(logits), atol=1e-6)


def test_a_file_that_says_something_else_is_removed(
    small: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = export(small, "onnx", "float32", tmp_path / "good.onnx")
    assert verified(small, "onnx", "float32", files, ASKED).largest_difference < 1e-4

    torch.manual_seed(1)
    classifier: Any = deepcopy(small.model)
    nn.init.normal_(classifier.trunk.get_classifier().weight)
    with pytest.raises(
        EngineError, match=r"good.onnx was removed: .* more than rounding; delete .* and export"
    ):
        verified(replace(small, make_model=lambda: classifier), "onnx", "float32", files, ASKED)
    assert not any(file.exists() for file in files)


def test_the_file_tells_what_must_be_done_before_it(small: Checkpoint) -> None:
    plain = Preprocessing(field_of_view=False, size=64)
    assert steps_before(plain) == []
    whole = Preprocessing(hair_removal=HairRemoval(), crop_fraction=0.8, colour=GWSD(), size=64)
    assert steps_before(whole) == [
        "cutting off a dark surround",
        "removing hair",
        "keeping the central 80% of each side",
        "colours by gwsd",
    ]
    changed = replace(small, config=small.config.model_copy(update={"preprocessing": whole}))
    assert json.loads(metadata(changed, "float32")["steps_before"]) == steps_before(whole)


def test_what_cannot_be_exported_is_refused(small: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ONNX Runtime has no bfloat16"):
        export(small, "onnx", "bfloat16", tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"must end in \.xml"):
        export(small, "openvino", "float32", tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
