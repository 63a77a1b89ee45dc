"""Export a trained reader to ONNX and quantise it to int8.

    python -m zuinig.training.export_reader CHECKPOINTS/final TARGET

TARGET gets model.onnx and tokenizer.json; `fit_reader` adds config.json with the calibration. The graph takes a batch
of questions beside passages, (n, tokens) of ids, mask and token types, and gives `passages` (n, 2), the logits of
relevant and answerable, and `tokens` (n, tokens, 3), those of start, end and keep.
"""

from pathlib import Path

from zuinig.training import to_onnx

OUTPUTS = {"passages": ["batch"], "tokens": ["batch", "length"]}


def export(source: Path, target: Path, *, int8: bool = True) -> None:
    """Write the folder. Raises OSError when source lacks weights or target cannot be written."""
    from zuinig.training import train_reader

    to_onnx.write(train_reader.load(source), source, target, OUTPUTS, int8=int8)


if __name__ == "__main__":
    to_onnx.command(__doc__, export)
