"""Export a trained verifier to ONNX and quantise it to int8.

    python -m zuinig.training.export_verifier CHECKPOINTS/final TARGET

TARGET gets model.onnx and tokenizer.json; `fit_verifier` adds config.json with the calibration. The graph takes a batch
of pairs, (n, tokens) of ids, mask and token types, and gives logits (n,).
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from zuinig.training.quantise import quantise


def export(source: Path, target: Path, *, int8: bool = True) -> None:
    """Write the folder. Raises OSError when source lacks weights or target cannot be written."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from zuinig.training.train_verifier import Verifier

    model = Verifier(AutoModel.from_pretrained(source, attn_implementation="eager")).eval()
    model.head.load_state_dict(torch.load(source / "head.pt"))
    tokenizer = AutoTokenizer.from_pretrained(source)
    target.mkdir(parents=True, exist_ok=True)
    sample = tokenizer(["a question", "one more"], ["another question", "and one"], padding=True, return_tensors="pt")
    names = ["input_ids", "attention_mask", "token_type_ids"]
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.onnx")
        torch.onnx.export(
            model,
            tuple(sample[n] for n in names),
            plain,
            input_names=names,
            output_names=["logit"],
            dynamic_axes={**{n: {0: "batch", 1: "length"} for n in names}, "logit": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
        if int8:
            quantise(plain, target / "model.onnx")
        else:
            shutil.copy(plain, target / "model.onnx")
    shutil.copy(source / "tokenizer.json", target / "tokenizer.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--fp32", action="store_true", help="leave the weights as they are, to compare with")
    args = parser.parse_args()
    export(args.source, args.target, int8=not args.fp32)


if __name__ == "__main__":
    main()
