"""The exported network in OpenVINO: small batches over all cores at once, large ones a core each."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from transxv2s.engines.engine import Chosen, EngineError, Floats, Precision, Squares, required
from transxv2s.engines.store import calibration_of

AT_ONCE = 16  # images that one core works on: more would not stay in its cache, fewer would not fill it
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "bf16"}  # what int8 leaves out runs in bfloat16


class OpenVino:
    """An OpenVINO model at work.

    Args:
        path: The model, .xml.
        precision: float32, bfloat16 for a model in float32, or int8 for one that was quantised.
        cache: Folder for what compiling gives, which makes the next start quick.
        threads: Of all calls together; 0 takes all cores.

    Raises:
        EngineError: OpenVINO is not installed, or the processor has no bfloat16.
    """

    def __init__(self, path: Path, precision: Precision, cache: Path, threads: int = 0) -> None:
        self.name, self.precision = Chosen("openvino", precision, calibration_of(path)).name, precision
        openvino = required("openvino", self.name)
        self._core, self._path, self._cache = openvino.Core(), path, cache
        self._limits = _limits(threads)
        self._hint = self._inference_precision()
        self._whole = self._compiled("LATENCY")
        self._lock = threading.Lock()
        self._split: tuple[_Model, ThreadPoolExecutor, int] | None = None

    def run(self, squares: Squares) -> tuple[Floats, Floats]:
        """As Engine."""
        if len(squares) < AT_ONCE:
            return self._whole.infer(squares)
        model, pool, streams = self._throughput()
        found = list(pool.map(model.infer, np.array_split(squares, _parts(len(squares), streams))))
        return np.concatenate([logits for logits, _ in found]), np.concatenate([f for _, f in found])

    def _inference_precision(self) -> str:
        has_bfloat16 = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if self.precision == "bfloat16" and not has_bfloat16:
            raise EngineError(
                "This processor does not compute in bfloat16: take the engine openvino or openvino-int8."
            )
        return HINTS[self.precision] if has_bfloat16 else "f32"

    def _compiled(self, aim: str) -> "_Model":
        properties = {
            "PERFORMANCE_HINT": aim,
            "INFERENCE_PRECISION_HINT": self._hint,
            "CACHE_DIR": str(self._cache),
            **self._limits,
        }
        return _Model(self._core.compile_model(self._path, "CPU", properties))

    def _throughput(self) -> "tuple[_Model, ThreadPoolExecutor, int]":
        """A second copy for large batches, made when the first of them comes."""
        with self._lock:
            if self._split is None:
                model = self._compiled("THROUGHPUT")
                streams = model.compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
                self._split = model, ThreadPoolExecutor(streams, "openvino"), streams
        return self._split


class _Model:
    """A compiled model with a request for each thread that calls it."""

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled
        self._local = threading.local()

    def infer(self, squares: Squares) -> tuple[Floats, Floats]:
        if not hasattr(self._local, "request"):
            self._local.request = self.compiled.create_infer_request()
        found = self._local.request.infer({0: squares})
        return np.array(found["logits"]), np.array(found["features"])


def _limits(threads: int) -> dict[str, Any]:
    """Several processes with few threads each would all be pinned to the same first cores."""
    return {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False} if threads else {}


def _parts(images: int, streams: int) -> int:
    """As many parts as keep every stream busy to the end, none of them empty or larger than AT_ONCE."""
    rounds = -(-images // (AT_ONCE * streams))
    return min(rounds * streams, images)
