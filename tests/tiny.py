"""Models too small to be of any use: a Llama as GGUF, an embedder and a cross-encoder as ONNX."""

from pathlib import Path

import gguf
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# A byte-level vocabulary: three special tokens, 256 bytes, printable ASCII with the mark that stands for a space.
_PIECES = [chr(n) for n in range(33, 127)] + ["\u2581"]
_SPECIAL = ["<unk>", "<s>", "</s>"]
_BYTES = [f"<0x{n:02X}>" for n in range(256)]
_TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
_LLAMA_WIDTH, _FEED, _LAYERS, _HEADS, _KEY_HEADS = 256, 768, 4, 4, 2  # quantised are blocks of 256
WINDOW = 4096


def write_gguf(path: Path, *, seed: int = 0) -> Path:
    """3.3 million random weights in F32, in the shape of LlamaForCausalLM. It speaks printable ASCII only."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(WINDOW)
    writer.add_embedding_length(_LLAMA_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KEY_HEADS)
    writer.add_rope_dimension_count(_LLAMA_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    tokens = _SPECIAL + _BYTES + _PIECES
    types = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    types += [gguf.TokenType.BYTE] * len(_BYTES) + [gguf.TokenType.NORMAL] * len(_PIECES)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(_TEMPLATE)

    def weights(rows: int, columns: int, scale: float = 1.0) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * scale / np.sqrt(columns)).astype(np.float32)

    writer.add_tensor("token_embd.weight", weights(len(tokens), _LLAMA_WIDTH, 16))
    writer.add_tensor("output_norm.weight", np.ones(_LLAMA_WIDTH, np.float32))
    output = weights(len(tokens), _LLAMA_WIDTH, 4)
    output[: len(_SPECIAL + _BYTES)] = 0  # never the likeliest
    writer.add_tensor("output.weight", output)
    keys = _LLAMA_WIDTH // _HEADS * _KEY_HEADS
    for layer in range(_LAYERS):
        block = f"blk.{layer}."
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}{name}.weight", np.ones(_LLAMA_WIDTH, np.float32))
        for name, rows, columns in (
            ("attn_q", _LLAMA_WIDTH, _LLAMA_WIDTH),
            ("attn_k", keys, _LLAMA_WIDTH),
            ("attn_v", keys, _LLAMA_WIDTH),
            ("attn_output", _LLAMA_WIDTH, _LLAMA_WIDTH),
            ("ffn_gate", _FEED, _LLAMA_WIDTH),
            ("ffn_up", _FEED, _LLAMA_WIDTH),
            ("ffn_down", _LLAMA_WIDTH, _FEED),
        ):
            writer.add_tensor(f"{block}{name}.weight", weights(rows, columns))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


WIDTH, _VOCABULARY = 32, 30522  # tokens of MiniLM's tokenizer


def write_onnx(path: Path, *, pairs: bool = False) -> None:
    """Mean of token vectors through one layer; for pairs its sum with those of the types, as one number a text."""
    random = np.random.default_rng(7)
    weights = {
        "table": random.standard_normal((_VOCABULARY, WIDTH)),
        "layer": random.standard_normal((WIDTH, 1 if pairs else WIDTH)),
    }
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("ReduceMean", ["tokens", "axis"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "layer"], ["projected"]),
    ]
    inputs = ["input_ids", "attention_mask"] + (["token_type_ids"] if pairs else [])
    if pairs:
        nodes.append(helper.make_node("Squeeze", ["projected", "axis"], ["logit"]))
        output = helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["batch"])
    else:
        nodes.append(helper.make_node("Tanh", ["projected"], ["embedding"]))
        output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"]) for n in inputs],
        [output],
        [axis, *(numpy_helper.from_array(w.astype(np.float32), n) for n, w in weights.items())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
