"""From the exported float32 network to other files: OpenVINO's own format, and int8 in both formats.

Post-training quantisation, symmetric: a scale a channel for weights, a scale a tensor for activations, from
what training images excite. Weights take 7 of the 8 bits: processors without VNNI add two products in 16
bits, where full weights overflow and half of the answers would be others. Convolutions, skip connections and
linear layers are quantised; attention, normalisation, masks, fusion and the classifier are not: they are
small, and the answer hangs on them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from transxv2s.engines.engine import INPUT, Squares
from transxv2s.engines.quiet import quiet


def openvino(onnx_file: Path, images: Squares | None, path: Path) -> None:
    """Write OpenVINO's .xml and .bin, in int8 if there are images.

    Args:
        onnx_file: As `portable` writes it.
        images: Squares uint8 (N, S, S, 3) to calibrate on; None leaves the model in float32.
        path: The .xml.
    """
    import openvino as ov

    model = ov.convert_model(onnx_file)
    told = _metadata(onnx_file)
    if images is not None:
        model, told["precision"] = _openvino_int8(model, images), "int8"
    for key, value in told.items():
        model.set_rt_info(value, ["transxv2s", key])
    ov.save_model(model, path, compress_to_fp16=False)


def onnx(onnx_file: Path, images: Squares, path: Path) -> None:
    """Write an ONNX file in int8, in the form that says where values are rounded (QDQ).

    Args:
        onnx_file: As `portable` writes it.
        images: Squares uint8 (N, S, S, 3) to calibrate on.
        path: The file.
    """
    import onnx as onnx_package
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Images(CalibrationDataReader):  # type: ignore[misc]
        """One image at a time, once."""

        def __init__(self) -> None:
            self._rest: Iterator[Squares] = iter(images)

        def get_next(self) -> Mapping[str, Squares] | None:
            image = next(self._rest, None)
            return None if image is None else {INPUT: image[None]}

    model = onnx_package.load(onnx_file)
    with quiet():
        quantize_static(
            model,
            path,
            Images(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,
            nodes_to_quantize=_products(model),
        )
    written = onnx_package.load(path)
    onnx_package.helper.set_model_props(written, _metadata(onnx_file) | {"precision": "int8"})
    path.write_bytes(written.SerializeToString())


def _metadata(onnx_file: Path) -> dict[str, str]:
    import onnx as onnx_package

    model = onnx_package.load(onnx_file, load_external_data=False)
    return {prop.key: prop.value for prop in model.metadata_props}


def _openvino_int8(model: Any, images: Squares) -> Any:
    import nncf

    kept = [node.get_friendly_name() for node in model.get_ordered_ops() if not _is_quantised(node)]
    with quiet():
        return nncf.quantize(
            model,
            nncf.Dataset([image[None] for image in images]),
            subset_size=len(images),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
            ignored_scope=nncf.IgnoredScope(names=kept, validate=False),
        )


def _is_quantised(node: Any) -> bool:
    """A convolution of a map, a sum of two maps (a skip connection) or a linear layer on tokens."""
    kind = node.get_type_name()
    if kind not in ("Convolution", "GroupConvolution", "Add", "MatMul"):
        return False
    shape, second = node.get_input_partial_shape(0), node.input_value(1).get_node()
    if kind == "MatMul":
        return len(shape) == 3 and second.get_type_name() in ("Constant", "Convert", "Transpose")
    if kind == "Add" and len(node.get_input_partial_shape(1)) < 4:
        return False
    return len(shape) == 4 and not _is_constant(second, kind) and bool(shape[2].get_length() > 1)


def _is_constant(node: Any, kind: str) -> bool:
    """Whether a sum is with a bias; a convolution's second input always is constant."""
    return kind == "Add" and node.get_type_name() == "Constant"


def _products(model: Any) -> list[str]:
    """Names of the convolutions of maps and of the linear layers on tokens, of ONNX' graph."""
    import onnx as onnx_package

    inferred = onnx_package.shape_inference.infer_shapes(model)
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in inferred.graph.value_info
    }
    weights = {tensor.name for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if (node.op_type == "Conv" and shapes[node.input[0]][2] > 1)
        or (node.op_type == "MatMul" and node.input[1] in weights and len(shapes.get(node.input[0], ())) == 3)
    ]
