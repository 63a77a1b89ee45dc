"""A trained model to a folder of model.onnx and tokenizer.json, int8 unless asked otherwise."""

import argparse
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from zuinig.quantise.onnx import quantise

PAIRS = ("input_ids", "attention_mask", "token_type_ids")


class Export(Protocol):
    """Write the folder target. Raises OSError when source lacks weights or target cannot be written."""

    def __call__(self, source: Path, target: Path, *, int8: bool) -> None: ...


def command(description: str | None, export: Export) -> None:
    """The command line of an export: SOURCE TARGET [--fp32]."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--fp32", action="store_true", help="leave the weights as they are, to compare with")
    args = parser.parse_args()
    export(args.source, args.target, int8=not args.fp32)


def write(
    model: Any,
    source: Path,
    target: Path,
    outputs: Mapping[str, list[str]],
    *,
    int8: bool = True,
    inputs: Sequence[str] = PAIRS,
) -> None:
    """model: takes (n, tokens) of each of the inputs. outputs: name -> names of its axes that vary.

    Raises OSError when source lacks the tokenizer or target cannot be written.
    """
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    target.mkdir(parents=True, exist_ok=True)
    sample = tokenizer(["a question", "one more"], ["another text", "and one"], padding=True, return_tensors="pt")
    varying = {name: {0: "batch", 1: "length"} for name in inputs}
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.onnx")
        torch.onnx.export(
            model,
            tuple(sample[n] for n in inputs),
            plain,
            input_names=list(inputs),
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
