"""The exported network in ONNX Runtime, on the processor."""

from pathlib import Path

from transxv2s.engines.engine import INPUT, Chosen, Floats, Precision, Squares, required
from transxv2s.engines.store import calibration_of


class OnnxRuntime:
    """An ONNX file at work.

    Args:
        path: The file, as `portable` writes it.
        precision: Of the file.
        threads: Of one call; 0 takes all cores.

    Raises:
        EngineError: ONNX Runtime is not installed.
    """

    def __init__(self, path: Path, precision: Precision, threads: int = 0) -> None:
        self.name, self.precision = Chosen("onnxruntime", precision, calibration_of(path)).name, precision
        onnxruntime = required("onnxruntime", self.name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, squares: Squares) -> tuple[Floats, Floats]:
        """As Engine."""
        logits, features = self._session.run(["logits", "features"], {INPUT: squares})
        return logits, features
