"""int8 out of fp32: dynamic quantisation of an ONNX graph, weights per channel (onnxruntime.quantization).

Weights keep seven bits: on processors without VNNI eight-bit products saturate, and the outputs would differ from one
machine to the next.
"""

from pathlib import Path

_QUANTISED = ["MatMul", "Gemm", "Gather"]


def quantise(plain: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = plain.with_name("prepared.onnx")
    quant_pre_process(plain, prepared, skip_symbolic_shape=True)
    quantize_dynamic(
        prepared,
        target,
        op_types_to_quantize=_QUANTISED,
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )
