"""int8 out of fp32: dynamic quantisation of an ONNX graph, weights per channel (onnxruntime.quantization).

Weights keep seven bits: on processors without VNNI eight-bit products saturate, and the outputs would differ from one
machine to the next. Needs the extra `onnx`.
"""

import tempfile
from pathlib import Path
from types import ModuleType

from zuinig.core.errors import BadRequest, ConfigurationError

_QUANTISED = ["MatMul", "Gemm", "Gather"]
_SMALL_OPERATORS = {"DynamicQuantizeLinear", "QuantizeLinear", "MatMulInteger", "MatMulNBits", "QLinearMatMul"}


def check(source: Path) -> None:
    """Raises BadRequest for what is no ONNX graph, keeps its weights in other files, or is quantised already."""
    onnx = _library()
    try:
        graph = onnx.load(source, load_external_data=False).graph
    except Exception as error:  # protobuf's own, of which there are several
        raise BadRequest(f"{source.name} is neither GGUF nor ONNX; name a .gguf, a .onnx or its folder.") from error
    if not graph.node:
        raise BadRequest(f"{source.name} is neither GGUF nor ONNX; name a .gguf, a .onnx or its folder.")
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in graph.initializer):
        raise BadRequest(f"{source.name} keeps its weights in other files; save it as one file first (onnx.save).")
    if _SMALL_OPERATORS & {n.op_type for n in graph.node}:
        raise BadRequest(f"{source.name} is quantised already; quantise the fp32 model that it was made of.")


def quantise(plain: Path, target: Path) -> None:
    """Raises ConfigurationError where the package onnx is not installed."""
    _library()
    from onnxruntime.quantization import QuantType, quantize_dynamic  # imports onnx: an extra
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".prepared-") as folder:
        prepared = Path(folder, "prepared.onnx")
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_dynamic(
            prepared,
            target,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )


def _library() -> ModuleType:
    try:
        import onnx  # an extra
    except ImportError as error:
        raise ConfigurationError("Quantising ONNX needs the package onnx: pip install 'zuinig[onnx]'.") from error
    found: ModuleType = onnx
    return found
