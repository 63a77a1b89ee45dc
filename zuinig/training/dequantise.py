"""Back from int8: the weights of a model that `quantise` made small, as what training may go on from.

A quantised weight is (q - zero point) * scale, a scale for each output (onnxruntime.quantization, per channel), so that
what comes out computes what the small model does, but for the rounding of activations.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[np.float32]]

_QUANTISED = "_quantized"
_FURTHEST = 8  # nodes between a product and the sum with its bias
# The width of an attention head, which no weight tells: that of all-MiniLM-L6-v2, from which all shipped models come.
_HEAD = 32
_MOST_POSITIONS_NAMED = "embeddings.position_embeddings.weight"


@dataclass(frozen=True, slots=True)
class Weights:
    """By the names that they had in torch. steps: (outputs, 1), how far apart the values lie that a product's weight
    may take.
    """

    values: Arrays
    steps: Arrays


def exported(folder: Path) -> bool:
    """Whether it holds a model of the service, and not a checkpoint of torch."""
    return (folder / "model.onnx").is_file()


def tokenizer(folder: Path) -> Any:
    """The words of a model of the service, as transformers takes them."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )


def weights(model: Path) -> Weights:
    """Raises ValueError for a file that `quantise` did not make."""
    import onnx

    graph = onnx.load(str(model)).graph
    found = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    consumers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    values: Arrays = {name: a for name, a in found.items() if name.endswith((".weight", ".bias"))}
    steps: Arrays = {}
    for name in [n.removesuffix(_QUANTISED) for n in found if n.endswith(_QUANTISED) and "MatMul" not in n]:
        values[name] = _whole(found, name)
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            base = node.input[1].removesuffix(_QUANTISED)
            values.pop(base, None)
            name = _bias(node, consumers, found).removesuffix("bias") + "weight"
            values[name] = _whole(found, base).T.copy()
            steps[name] = np.asarray(found[f"{base}_scale"], np.float32).reshape(-1, 1)
    if not steps:
        raise ValueError(f"{model} holds no quantised weights")
    return Weights(values, steps)


def _whole(found: dict[str, npt.NDArray[Any]], name: str) -> npt.NDArray[np.float32]:
    quantised, zero = (found[name + end].astype(np.float32) for end in (_QUANTISED, "_zero_point"))
    return np.asarray((quantised - zero) * found[f"{name}_scale"], np.float32)


def _bias(node: Any, consumers: dict[str, list[Any]], found: dict[str, npt.NDArray[Any]]) -> str:
    """A product lost its weight's name; the bias that is added to it kept its own. Raises ValueError."""
    reached = [node]
    for _ in range(_FURTHEST):
        reached = [c for n in reached for o in n.output for c in consumers.get(o, ())]
        for bias in (i for n in reached if n.op_type == "Add" for i in n.input if i in found and i.endswith("bias")):
            return str(bias)
    raise ValueError(f"{node.name} has no bias by which to tell its weight")


def load(module: Any, folder: Path) -> Any:
    """Give a torch module the weights of the model in that folder. Raises ValueError where one is missing."""
    import torch

    found = weights(folder / "model.onnx").values
    own = module.state_dict()
    missing = [name for name in own if name not in found]
    if missing:
        raise ValueError(f"{folder} lacks {', '.join(missing[:3])}")
    module.load_state_dict({name: torch.from_numpy(np.array(found[name])) for name in own})
    return module


def encoder(folder: Path, *, prefix: str) -> Any:
    """A BertModel of the shape of the weights in that folder, with fresh weights. prefix: before their names."""
    from transformers import BertConfig, BertModel

    shapes = {name.removeprefix(prefix): a.shape for name, a in weights(folder / "model.onnx").values.items()}
    words, width = shapes["embeddings.word_embeddings.weight"]
    config = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=1 + max(_layers(shapes)),
        num_attention_heads=width // _HEAD,
        intermediate_size=shapes["encoder.layer.0.intermediate.dense.bias"][0],
        max_position_embeddings=shapes[_MOST_POSITIONS_NAMED][0],
        # Drawing their masks takes a third of the time of a step on a CPU.
        attention_probs_dropout_prob=0.0,
        hidden_dropout_prob=0.0,
        attn_implementation="eager",
    )
    return BertModel(config, add_pooling_layer=False)


def _layers(names: Iterable[str]) -> Iterable[int]:
    return (int(name.split(".")[2]) for name in names if name.startswith("encoder.layer."))
