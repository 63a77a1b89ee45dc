"""A trained cross-encoder to a folder of model.onnx and tokenizer.json, int8 unless asked otherwise."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zuinig.quantise.onnx import quantise

_INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


def write(model: Any, source: Path, target: Path, outputs: Mapping[str, list[str]], *, int8: bool = True) -> None:
    """model: takes (n, tokens) of ids, mask and token types. outputs: name -> names of its axes that vary.

    Raises OSError when source lacks the tokenizer or target cannot be written.
    """
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    target.mkdir(parents=True, exist_ok=True)
    sample = tokenizer(["a question", "one more"], ["another text", "and one"], padding=True, return_tensors="pt")
    varying = {name: {0: "batch", 1: "length"} for name in _INPUTS}
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.onnx")
        torch.onnx.export(
            model,
            tuple(sample[n] for n in _INPUTS),
            plain,
            input_names=_INPUTS,
            output_names=list(outputs),
            dynamic_axes={**varying, **{name: dict(enumerate(axes)) for name, axes in outputs.items()}},
            opset_version=17,
            dynamo=False,
        )
        if int8:
            quantise(plain, target / "model.onnx")
        else:
            shutil.copy(plain, target / "model.onnx")
    shutil.copy(source / "tokenizer.json", target / "tokenizer.json")
