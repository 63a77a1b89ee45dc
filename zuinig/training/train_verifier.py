"""Train the same-question verifier: a cross-encoder over two questions, started from all-MiniLM-L6-v2.

    python -m zuinig.training.train_verifier SOURCE pairs.jsonl CHECKPOINTS [--minutes 100]

SOURCE: a folder in the sentence-transformers layout; or, to go on from, the `final` of an earlier run or an exported
verifier. pairs.jsonl: from `question_pairs`. Runs on a GPU where there is one, else on the CPU (bfloat16 where the
processor has it, which doubles the speed). A checkpoint is written every 200 steps, and a run that finds one goes on
from it; CHECKPOINTS/final is what `export_verifier` reads.
"""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

from zuinig.training import dequantise, steps

MAX_TOKENS = 96
_WARMUP, _WARMUP_AGAIN = 150, 20  # steps; what has learnt before is not thrown off so easily


class Verifier(torch.nn.Module):  # type: ignore[misc]
    """logit (n,) that two questions are the same: a linear layer over the first state beside the mean of all."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = torch.nn.Linear(2 * encoder.config.hidden_size, 1)

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
        states = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1)
        return self.head(torch.cat([states[:, 0], mean], dim=1).float()).squeeze(-1)


def batches(lengths: Sequence[int], size: int, epoch: int) -> Iterator[list[int]]:
    """Of pairs of about one length, so that next to nothing is padding, in an order drawn for the epoch."""
    chance = random.Random(epoch)
    order = list(range(len(lengths)))
    chance.shuffle(order)
    made: list[list[int]] = []
    for start in range(0, len(order), size * 50):
        pool = sorted(order[start : start + size * 50], key=lambda i: lengths[i])
        made += [pool[i : i + size] for i in range(0, len(pool), size)]
    chance.shuffle(made)
    yield from made


def main() -> None:
    args = steps.arguments(__doc__, "pairs", batch=128, rate=8e-5)
    device = steps.device()
    tokenizer, model = _source(args.source)
    rows = [json.loads(line) for line in args.pairs.open()]
    encoded = tokenizer([r["a"] for r in rows], [r["b"] for r in rows], truncation=True, max_length=MAX_TOKENS)
    model = model.to(device).train()
    # The vectors of words stay as they were pretrained: a tenth faster, and rare words keep their meaning.
    model.encoder.embeddings.requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, args.rate, weight_decay=0.01, fused=True)
    plan = [
        batch
        for epoch in range(args.epochs)
        for batch in batches([len(i) for i in encoded["input_ids"]], args.batch, epoch)
    ]

    def loss(step: int) -> Any:
        batch = plan[step]
        inputs = tokenizer.pad(
            {name: [encoded[name][i] for i in batch] for name in ("input_ids", "attention_mask", "token_type_ids")},
            return_tensors="pt",
        ).to(device)
        labels = torch.tensor([float(rows[i]["label"]) for i in batch], device=device)
        weights = torch.tensor([rows[i]["weight"] for i in batch], device=device)
        with steps.halved(device):
            logits = model(**inputs)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, weights)

    warmup = _WARMUP_AGAIN if _learnt(args.source) else _WARMUP
    steps.train(model, optimizer, loss, len(plan), args.checkpoints, minutes=args.minutes, warmup=warmup)
    save(model, args.checkpoints / "final")
    tokenizer.save_pretrained(args.checkpoints / "final")


def _source(folder: Path) -> tuple[Any, Verifier]:
    """The tokenizer, and the model to begin with."""
    if dequantise.exported(folder):
        model = Verifier(dequantise.encoder(folder, prefix="encoder."))
        return dequantise.tokenizer(folder), dequantise.load(model, folder)
    model = Verifier(AutoModel.from_pretrained(folder, attn_implementation="eager"))
    if _learnt(folder):
        model.head.load_state_dict(torch.load(folder / "head.pt", map_location="cpu"))
    return AutoTokenizer.from_pretrained(folder), model


def _learnt(folder: Path) -> bool:
    """Whether it holds a verifier, and not what one starts from."""
    return dequantise.exported(folder) or (folder / "head.pt").exists()


def save(model: Verifier, folder: Path) -> None:
    """The weights; `export_verifier` wants the tokenizer's files beside them."""
    model.encoder.save_pretrained(folder)
    torch.save(model.head.state_dict(), folder / "head.pt")


if __name__ == "__main__":
    main()
