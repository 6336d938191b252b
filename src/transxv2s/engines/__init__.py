"""Engines: ways to run the network of a checkpoint, chosen by name.

eager, compiled, cudagraphs, onnxruntime, openvino      in float32; eager is the reference
eager-bfloat16, openvino-int8, …                        in another precision
auto                                                    the fastest that keeps the accuracy, see `choice`
"""

import torch

from transxv2s.checkpoint import Checkpoint
from transxv2s.engines.engine import (
    AUTO,
    ENGINES,
    FILE_SUFFIXES,
    REFERENCE,
    Chosen,
    Engine,
    EngineError,
    parse,
)

__all__ = ["AUTO", "ENGINES", "REFERENCE", "Engine", "EngineError", "load"]


def load(name: str, checkpoint: Checkpoint, device: torch.device, threads: int = 0) -> Engine:
    """The engine of this name with the network of a checkpoint.

    Args:
        name: Of `ENGINES`, or "auto"; int8 may name a calibration after @.
        checkpoint: Its network is moved to the device if the engine is `eager`, and left alone otherwise.
        device: Where PyTorch's engines run; the others know only the processor.
        threads: That ONNX Runtime and OpenVINO take; 0 is all cores. PyTorch has its own setting for the
            whole process.

    Raises:
        EngineError: What the engine needs is not installed, not prepared, or not in this processor.
        InputError: There is no such engine.
    """
    if name == AUTO:
        from transxv2s.engines.choice import choose

        name = choose(checkpoint, device)
    chosen = parse(name)
    if chosen.kind in FILE_SUFFIXES:
        return _of_a_file(chosen, checkpoint, device, threads)
    if chosen.kind == "eager":
        from transxv2s.engines.eager import Eager

        return Eager(checkpoint.model.eval(), device, chosen.precision)
    from transxv2s.engines.compiled import Compiled

    return Compiled(checkpoint.model.eval(), device, chosen.precision, graphs=chosen.kind == "cudagraphs")


def _of_a_file(chosen: Chosen, checkpoint: Checkpoint, device: torch.device, threads: int) -> Engine:
    if device.type != "cpu":
        raise EngineError(
            f"The engine {chosen.name} runs on the processor: take it with --device cpu, or an eager one."
        )
    from transxv2s.engines.store import COMPILED, folder, prepared

    path = prepared(checkpoint, chosen)
    if chosen.kind == "onnxruntime":
        from transxv2s.engines.onnx_runtime import OnnxRuntime

        return OnnxRuntime(path, chosen.precision, threads)
    from transxv2s.engines.openvino import OpenVino

    return OpenVino(path, chosen.precision, folder(checkpoint.digest) / COMPILED, threads)
