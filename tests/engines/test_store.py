"""Files of engines are made once and whole, whoever asks first, and never changed afterwards."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines.networks import SMALL, checkpoint, squares
from transxv2s import cluster, engines
from transxv2s.bench.contenders import our_engines
from transxv2s.engines import quantised, store
from transxv2s.engines.engine import EngineError, parse
from transxv2s.engines.store import exact, folder, prepared
from transxv2s.errors import ConfigError

CPU = torch.device("cpu")
HERE = checkpoint(SMALL)
INT8 = parse("openvino-int8")


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made, by writers that are slow and write nothing but what they were given."""
    names: list[str] = []

    def write_onnx(_: object, path: Path) -> None:
        names.append(path.name)
        time.sleep(0.2)
        path.write_text("exported")

    def openvino(onnx_file: Path, images: Any, path: Path) -> None:
        names.append(path.name)
        told = f"{onnx_file.read_text()} {None if images is None else int(images.sum())}"
        path.with_suffix(".bin").write_text(told)
        path.write_text(told)

    monkeypatch.setattr("transxv2s.engines.portable.write_onnx", write_onnx)
    monkeypatch.setattr(quantised, "openvino", openvino)
    return names


def test_those_who_ask_at_once_share_what_is_made(made: list[str]) -> None:
    asked = [parse(name) for name in ("openvino", "onnxruntime", "openvino-bfloat16", "openvino")]
    with ThreadPoolExecutor(len(asked)) as pool:
        files = list(pool.map(lambda chosen: prepared(HERE, chosen), asked))

    assert sorted(made) == ["onnxruntime-float32.onnx", "openvino-float32.xml"]
    assert {file.name for file in files} == set(made)
    left = {path.name for path in folder(HERE.digest).iterdir()}
    assert left == {*made, "openvino-float32.bin", "making.lock"}


def test_another_calibration_leaves_the_first_as_it_is(made: list[str]) -> None:
    first = prepared(HERE, INT8, squares(2, 1))
    before = first.read_text()
    assert prepared(HERE, INT8) == first

    second = prepared(HERE, INT8, squares(2, 2))
    assert first != second == prepared(HERE, INT8)
    for path in (first, second):
        assert path.read_text() == path.with_suffix(".bin").read_text()
    assert first.read_text() == before != second.read_text()
    assert prepared(HERE, exact(HERE.digest, INT8)) == second
    assert prepared(HERE, parse(f"openvino-int8@{store.calibration_of(first)}")) == first


def test_a_cluster_is_told_the_calibration_of_the_machine_that_asks(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "read_config", lambda _: (HERE.config, HERE.digest))
    there = cluster.There("auto", tmp_path, 2, "openvino-int8")
    with pytest.raises(ConfigError, match=r"not calibrated on this machine.*openvino-int8@DIGEST"):
        _ = there.maker
    assert replace(there, engine="openvino-int8@0123").maker["engine"] == "openvino-int8@0123"

    path = prepared(HERE, INT8, squares(2))
    assert there.maker["engine"] == f"openvino-int8@{store.calibration_of(path)}"


def test_the_same_images_are_the_same_calibration(made: list[str]) -> None:
    images = squares(2, 1)
    paths = {prepared(HERE, INT8, images), prepared(HERE, INT8, images.copy())}

    assert len(paths) == 1
    assert made.count(paths.pop().name) == 1
    assert prepared(HERE, INT8, images[:, ::-1]) not in paths
    assert prepared(HERE, INT8, np.ascontiguousarray(images.reshape(4, -1, 64, 3))).name not in made[:-1]


def test_a_writer_that_fails_leaves_nothing(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    working: Callable[..., None] = quantised.openvino
    monkeypatch.setattr(quantised, "openvino", fails)
    with pytest.raises(MemoryError):
        prepared(HERE, parse("openvino"))
    assert {path.name for path in folder(HERE.digest).iterdir()} == {made[0], "making.lock"}

    monkeypatch.setattr(quantised, "openvino", working)
    assert prepared(HERE, parse("openvino")).exists()


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("package", ["onnx", "onnxscript", "its own"])
def test_an_empty_cache_and_a_missing_package_make_one_sentence(
    name: str, package: str, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    package = name if package == "its own" else package
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(EngineError, match=rf"needs {package}, .*pip install 'transxv2s\[engines\]'"):
        engines.load(name, HERE, CPU)
    assert not made


def test_int8_of_openvino_needs_its_quantiser(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)

    with pytest.raises(EngineError, match=r"openvino-int8 needs nncf"):
        prepared(HERE, INT8, squares(2))
    assert not made


def test_an_engine_that_fails_at_its_first_image_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def run(self, _: object) -> None:
            raise RuntimeError(reason)

    reason, whole = "Python.h: no such file", engines.load
    monkeypatch.setattr(
        engines, "load", lambda name, *rest: Failing() if name == "compiled" else whole(name, *rest)
    )
    found, missing = our_engines(HERE, ["compiled"], CPU)
    assert [one.name for one in found] == ["eager"]
    assert missing == {"compiled": f"it failed at its first image (RuntimeError: {reason})"}


def test_a_plain_installation_measures_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime", "openvino", "nncf"):
        monkeypatch.setitem(sys.modules, package, None)
    found, missing = our_engines(HERE, ["eager", "onnxruntime", "openvino"], CPU)

    assert [one.name for one in found] == ["eager"]
    assert list(missing) == ["onnxruntime", "openvino"]
    assert all("pip install 'transxv2s[engines]'" in why for why in missing.values())
