"""Every engine says what the reference says, as far as its precision goes, or what it lacks."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from engines.networks import squares
from transxv2s import engines
from transxv2s.checkpoint import Checkpoint
from transxv2s.classifier import Classifier
from transxv2s.engines.engine import ENGINES, Chosen, parse
from transxv2s.engines.onnx_runtime import OnnxRuntime
from transxv2s.engines.openvino import OpenVino
from transxv2s.engines.store import prepared
from transxv2s.errors import CheckpointError, InputError
from transxv2s.hardware import computes_in_bfloat16

CPU = torch.device("cpu")
CALIBRATED_ON, ASKED = squares(24, 5), squares(20)
EXACT = ["onnxruntime", "openvino"]
ROUNDED = ["eager-bfloat16", "openvino-bfloat16", "onnxruntime-int8", "openvino-int8"]

# of the logits to those in float32. Random weights hardly tell pictures apart: this asks only whether it is
# the same network; what a precision costs is measured by `bench throughput` on labelled images
LIKENESS = {"bfloat16": 0.99, "int8": 0.85}

if not computes_in_bfloat16(CPU):
    ROUNDED.remove("openvino-bfloat16")

pytestmark = pytest.mark.usefixtures("with_bfloat16")


@pytest.fixture(scope="module")
def ready(small: Checkpoint) -> Checkpoint:
    """With int8 calibrated."""
    for kind in EXACT:
        prepared(small, Chosen(kind, "int8"), CALIBRATED_ON)
    return small


def test_eager_is_the_network_itself(small: Checkpoint) -> None:
    logits, features = engines.load("eager", small, CPU).run(ASKED)
    pictures = torch.from_numpy(ASKED).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        expected = small.model(pictures)

    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert logits.dtype == features.dtype == np.float32
    assert features.shape == (len(ASKED), 512)


@pytest.mark.parametrize("name", EXACT)
def test_float32_is_the_reference(name: str, ready: Checkpoint) -> None:
    engine = engines.load(name, ready, CPU)

    for mine, theirs in zip(engine.run(ASKED), engines.load("eager", ready, CPU).run(ASKED), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
    assert (engine.name, engine.precision) == (name, "float32")


@pytest.mark.parametrize("name", EXACT)
def test_the_whole_network_runs_in_every_format(name: str, full: Checkpoint) -> None:
    asked = ASKED[:3]

    for mine, theirs in zip(
        engines.load(name, full, CPU).run(asked), engines.load("eager", full, CPU).run(asked), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


@pytest.mark.parametrize("name", ROUNDED)
def test_a_shorter_precision_stays_close(name: str, ready: Checkpoint) -> None:
    engine = engines.load(name, ready, CPU)
    logits, features = engine.run(ASKED)
    expected = engines.load("eager", ready, CPU).run(ASKED)[0]

    assert np.abs(logits - expected).max() > 0  # another precision …
    same = np.corrcoef((logits - logits.mean(0)).ravel(), (expected - expected.mean(0)).ravel())[0, 1]
    assert same > LIKENESS[engine.precision]  # … and the same function
    assert parse(engine.name)[:2] == parse(name)[:2]
    assert engine.precision == parse(name).precision
    assert logits.dtype == features.dtype == np.float32


@pytest.mark.parametrize("name", ["eager-bfloat16", "onnxruntime", "openvino"])
def test_an_answer_does_not_depend_on_batch_or_thread(name: str, ready: Checkpoint) -> None:
    engine = engines.load(name, ready, CPU)
    whole = engine.run(np.concatenate([ASKED, ASKED]))[0]  # enough to be split over cores
    parts = [ASKED[:1], ASKED[1:4], ASKED[4:]]
    with ThreadPoolExecutor(3) as pool:
        apart = np.concatenate([logits for logits, _ in pool.map(engine.run, parts)])

    atol = 0.1 if engine.precision == "bfloat16" else 1e-4
    np.testing.assert_allclose(whole[: len(ASKED)], apart, atol=atol)
    np.testing.assert_allclose(whole[len(ASKED) :], apart, atol=atol)


def test_int8_is_named_with_its_calibration(ready: Checkpoint) -> None:
    assert ready.directory is not None
    name = Classifier.load(ready.directory, "cpu", engine="onnxruntime-int8").engine

    path = prepared(ready, Chosen("onnxruntime", "int8"))
    assert name == f"onnxruntime-int8@{path.stem.rpartition('-')[2]}"
    assert Classifier.load(ready.directory, "cpu", engine=name).engine == name


def test_threads_are_limited(small: Checkpoint) -> None:
    onnxruntime, openvino = (engines.load(name, small, CPU, threads=1) for name in EXACT)
    assert isinstance(onnxruntime, OnnxRuntime)
    assert isinstance(openvino, OpenVino)

    assert onnxruntime._session.get_session_options().intra_op_num_threads == 1
    openvino.run(np.concatenate([ASKED, ASKED]))  # enough to be split
    assert openvino._split
    for model in (openvino._whole, openvino._split[0]):
        assert model.compiled.get_property("INFERENCE_NUM_THREADS") == 1
        assert not model.compiled.get_property("ENABLE_CPU_PINNING")  # or all processes were on one core


def test_the_classifier_runs_the_engine_of_its_name(ready: Checkpoint) -> None:
    assert ready.directory is not None
    reference = Classifier.load(ready.directory, "cpu")
    other = Classifier.load(ready.directory, "cpu", engine="openvino")

    assert (reference.engine, other.engine) == ("eager", "openvino")
    for mine, theirs in zip(
        other.classify(list(ASKED[:3])), reference.classify(list(ASKED[:3])), strict=True
    ):
        assert mine.predicted == theirs.predicted
        assert mine.probabilities == pytest.approx(theirs.probabilities, abs=1e-4)


WITHOUT_NETWORKS = """
import sys
from transxv2s.classifier import Classifier
import transxv2s.cli.batch, transxv2s.cli.outputs
found = Classifier.load(sys.argv[1], "cpu", engine=sys.argv[3]).classify(sys.argv[2])
heavy = {"timm", "torchvision", "huggingface_hub", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
print(found.predicted)
"""


@pytest.mark.parametrize("name", EXACT)
def test_an_engine_with_a_file_of_its_own_loads_neither_weights_nor_their_library(
    name: str, ready: Checkpoint, tmp_path: Path
) -> None:
    """That takes seconds at every start."""
    assert ready.directory is not None
    prepared(ready, parse(name))
    picture, damaged = tmp_path / "picture.png", tmp_path / "damaged"
    cv2.imwrite(str(picture), cv2.resize(ASKED[0], (256, 192), interpolation=cv2.INTER_CUBIC))
    shutil.copytree(ready.directory, damaged)
    for file in damaged.glob("model*.safetensors"):
        file.write_bytes(b"not read")
    command = [sys.executable, "-c", WITHOUT_NETWORKS, str(damaged), str(picture), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == Classifier(ready, "cpu").classify(picture).predicted

    classifier = Classifier.load(damaged, "cpu", engine=name)
    with pytest.raises(CheckpointError, match=r"damaged \(its sha256 differs\)"):
        classifier.heat_maps([classifier.prepare(picture)], ["MEL"], ["hirescam"])
    with pytest.raises(CheckpointError, match="damaged"):
        Classifier.load(damaged, "cpu")


def test_a_name_without_meaning_lists_those_with_one() -> None:
    with pytest.raises(InputError, match="no engine 'fast'; choose auto or one of eager, eager-bfloat16"):
        parse("fast")
    assert parse("openvino-float32") == parse("openvino") == Chosen("openvino", "float32")
    assert all(parse(name).name == name for name in ENGINES)
    assert parse("openvino-int8@3f2a").name == "openvino-int8@3f2a"
    with pytest.raises(InputError, match="no engine 'openvino@3f2a'"):
        parse("openvino@3f2a")


@pytest.mark.parametrize("package", ["openvino", "onnxruntime"])
def test_a_package_that_is_missing_is_named(
    package: str, ready: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(InputError, match=rf"needs {package}, .*pip install 'transxv2s\[engines\]'"):
        engines.load(package, ready, CPU)


def test_int8_without_calibration_says_how_to_calibrate(full: Checkpoint) -> None:
    with pytest.raises(InputError, match=r"not calibrated .* export openvino OUT --precision int8 --images"):
        engines.load("openvino-int8", full, CPU)


def test_calibrating_again_takes_the_new_images(small: Checkpoint) -> None:
    chosen = Chosen("onnxruntime", "int8")
    first = prepared(small, chosen, CALIBRATED_ON).read_bytes()
    again = prepared(small, chosen, CALIBRATED_ON // 2).read_bytes()
    prepared(small, chosen, CALIBRATED_ON)

    assert first != again
    assert prepared(small, chosen).read_bytes() == first
