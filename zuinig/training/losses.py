"""What each of the small models is to learn from one example of a service's own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Encoding, Tokenizer
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize

from zuinig.retrieval.sentences import split
from zuinig.training.dialogs import Evident, Lesson, Weighed
from zuinig.training.steps import halved

_MASKED = -1e4
# Cosines become logits: as all-MiniLM-L6-v2 was trained (sentence-transformers, MultipleNegativesRankingLoss).
_SHARPNESS = 20.0


def tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    found = Tokenizer.from_file(str(folder / "tokenizer.json"))
    found.enable_truncation(max_tokens)
    found.enable_padding()
    return found


def _inputs(encoded: Sequence[Encoding]) -> dict[str, Any]:
    names = (("input_ids", "ids"), ("attention_mask", "attention_mask"), ("token_type_ids", "type_ids"))
    return {name: torch.tensor([getattr(e, of) for e in encoded]) for name, of in names}


def reading(words: Tokenizer) -> Callable[[Any, Sequence[Lesson]], Any]:
    """Which sentences to keep, whether the passage answers, and that the answer lies in a held sentence, wherever."""

    def loss(model: Any, lessons: Sequence[Lesson]) -> Any:
        encoded = words.encode_batch([(x.question, x.text) for x in lessons])
        inputs = _inputs(encoded)
        with halved("cpu"):
            passages, tokens = model(**inputs)
        passages, tokens = passages.float(), tokens.float()
        places = torch.tensor([e.offsets for e in encoded])
        inside = inputs["token_type_ids"].bool() & (places[..., 1] > places[..., 0])
        start, end = (tokens[..., n].masked_fill(~inside, _MASKED).log_softmax(1) for n in (0, 1))
        total = tokens.new_zeros(())
        for i, lesson in enumerate(lessons):
            held = inside[i] & _within(places[i], lesson.held)
            if held.any():
                total = total - (start[i][held].logsumexp(0) + end[i][held].logsumexp(0)) / 2
            total = total + 0.7 * _keep(lesson, tokens[i, :, 2], places[i], inside[i])
        known = torch.tensor([x.holds is not None for x in lessons])
        labels = torch.tensor([float(bool(x.holds)) for x in lessons])
        for n in (0, 1):
            each = binary_cross_entropy_with_logits(passages[:, n], labels, reduction="none")
            total = total + 0.7 * each[known].sum()
        return total / len(lessons)

    return loss


def _within(places: Any, spans: Sequence[tuple[int, int]]) -> Any:
    found = torch.zeros(len(places), dtype=torch.bool)
    for start, end in spans:
        found |= (places[:, 0] >= start) & (places[:, 1] <= end)
    return found


def _keep(lesson: Lesson, logits: Any, places: Any, inside: Any) -> Any:
    """Cross entropy of the sentences of which something is known."""
    total = logits.new_zeros(())
    for start, end in split(lesson.text) if lesson.holds is not None else lesson.denied:
        tokens = inside & _within(places, [(start, end)])
        if tokens.any():
            label = float(any(s < end and e > start for s, e in lesson.held))
            total = total + binary_cross_entropy_with_logits(logits[tokens].mean(), logits.new_tensor(label))
    return total


def judging(words: Tokenizer) -> Callable[[Any, Sequence[Weighed]], Any]:
    def loss(model: Any, pairs: Sequence[Weighed]) -> Any:
        inputs = _inputs(words.encode_batch([(x.a, x.b) for x in pairs]))
        with halved("cpu"):
            logits = model(**inputs)
        labels, weights = torch.tensor([float(x.same) for x in pairs]), torch.tensor([x.weight for x in pairs])
        return binary_cross_entropy_with_logits(logits.float(), labels, weights)

    return loss


class Embedding(torch.nn.Module):  # type: ignore[misc]
    """(n, d) unit rows: the mean of the states, as `export_embedder` writes it. model: its encoder's name there."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.model = encoder

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return normalize((states * mask).sum(1) / mask.sum(1).clamp(min=1), dim=1)


def finding(words: Tokenizer) -> Callable[[Any, Sequence[Evident]], Any]:
    """Each question is to be nearest to its own passage among those of the batch (van den Oord et al. 2018)."""

    def embed(model: Any, texts: Sequence[str]) -> Any:
        inputs = _inputs(words.encode_batch(list(texts)))
        with halved("cpu"):
            return model(inputs["input_ids"], inputs["attention_mask"]).float()

    def loss(model: Any, lessons: Sequence[Evident]) -> Any:
        passages = [x.passage for x in lessons]
        scores = _SHARPNESS * embed(model, [x.question for x in lessons]) @ embed(model, passages).T
        # Another question's passage may be the very same.
        twice = torch.tensor([[a == b and i != j for j, b in enumerate(passages)] for i, a in enumerate(passages)])
        return cross_entropy(scores.masked_fill(twice, _MASKED), torch.arange(len(lessons)))

    return loss
