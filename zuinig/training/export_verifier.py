"""Export a trained verifier to ONNX and quantise it to int8.

    python -m zuinig.training.export_verifier CHECKPOINTS/final TARGET

TARGET gets model.onnx and tokenizer.json; `fit_verifier` adds config.json with the calibration. The graph takes a batch
of pairs, (n, tokens) of ids, mask and token types, and gives logits (n,).
"""

from pathlib import Path

from zuinig.training import to_onnx


def export(source: Path, target: Path, *, int8: bool = True) -> None:
    """Write the folder. Raises OSError when source lacks weights or target cannot be written."""
    import torch
    from transformers import AutoModel

    from zuinig.training.train_verifier import Verifier

    model = Verifier(AutoModel.from_pretrained(source, attn_implementation="eager")).eval()
    model.head.load_state_dict(torch.load(source / "head.pt"))
    to_onnx.write(model, source, target, {"logit": ["batch"]}, int8=int8)


if __name__ == "__main__":
    to_onnx.command(__doc__, export)
