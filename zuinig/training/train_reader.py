"""Train the reader: a cross-encoder over question and passage with heads for relevance, answerability, the sentences to
keep and the span of the answer.

    python -m zuinig.training.train_reader SOURCE reading.jsonl CHECKPOINTS [--minutes 100]

SOURCE: a folder in the sentence-transformers layout (all-MiniLM-L6-v2, or the `final` of `train_verifier`, whose layers
compare two texts already), or a reader that `export_reader` wrote, which is trained further; reading.jsonl: from
`reading_pairs`. Runs on a GPU where there is one, else on the CPU. A checkpoint is written every 200 steps, and a run
that finds one goes on from it; CHECKPOINTS/final is what `export_reader` reads.

Where it is not known which span answers which question, the spans are shared out among the questions of the paragraph
by what the model itself believes (EM; the shares balanced as in Sinkhorn and Knopp 1967), and one cut parts the
answerable questions from those after them that are not.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, pad
from transformers import AutoModel, AutoTokenizer

from zuinig.retrieval.sentences import split
from zuinig.training import dequantise, steps, unanswerable

MAX_TOKENS = 256
_MOST_QUESTIONS = 8
_NEAR_SHARE = 0.4
_ALTERED_SHARE = 0.3
_TITLED = 0.6
_MASKED = -1e4
_ROWS_AT_ONCE = 12
_KNOWN_AGAIN = 6
_WRITTEN_AGAIN = 8
_WARMUP = 100  # steps
_HEADS_FASTER = 5


class Reader(torch.nn.Module):  # type: ignore[misc]
    """passages (n, 2): logits of relevant and answerable; tokens (n, length, 3): of start, end and keep.

    A sentence's logit to be kept is the mean over its tokens.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.of_passage = torch.nn.Linear(2 * encoder.config.hidden_size, 2)
        self.of_tokens = torch.nn.Linear(encoder.config.hidden_size, 3)

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> tuple[Any, Any]:
        states = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1)
        return self.of_passage(torch.cat([states[:, 0], mean], dim=1).float()), self.of_tokens(states.float())


@dataclass(frozen=True, slots=True)
class Row:
    """A question beside a paragraph. own: whether the question was asked of it, word for word where it is not altered;
    at: its place among the group's.
    """

    group: int
    at: int
    question: str
    text: str
    offset: int  # of the paragraph in text
    own: bool
    altered: bool = False


def rows_of(paragraphs: Sequence[dict[str, Any]], batch: Sequence[int], chance: random.Random) -> list[Row]:
    rows = []
    for n, group in enumerate(batch):
        paragraph = paragraphs[group]
        text, offset = _titled(paragraph, chance)
        for at in asked_of(paragraph):
            question = paragraph["questions"][at]
            rows.append(Row(n, at, question, text, offset, True))
            if paragraph["near"][at] and chance.random() < _NEAR_SHARE:
                other = paragraphs[chance.choice(paragraph["near"][at])]
                rows.append(Row(n, at, question, *_titled(other, chance), False))
            if chance.random() < _ALTERED_SHARE:
                near = [paragraphs[i]["text"] for i in paragraph["near"][at]]
                made = unanswerable.altered(question, paragraph["text"], near, chance)
                if made is not None:
                    rows.append(Row(n, at, made, text, offset, True, altered=True))
    return rows


def asked_of(paragraph: dict[str, Any]) -> range:
    """Some paragraphs have thirty questions; their first are enough."""
    return range(min(len(paragraph["questions"]), 2 * _MOST_QUESTIONS))


def _titled(paragraph: dict[str, Any], chance: random.Random) -> tuple[str, int]:
    title = f"{paragraph['title']}\n" if chance.random() < _TITLED else ""
    return title + paragraph["text"], len(title)


def batches(paragraphs: Sequence[dict[str, Any]], chosen: Sequence[int], size: int, seed: int) -> Iterator[list[int]]:
    """Paragraphs of about one length, with about size rows together."""
    chance = random.Random(seed)
    order = list(chosen)
    chance.shuffle(order)
    made: list[list[int]] = []
    for start in range(0, len(order), 512):
        pool = sorted(order[start : start + 512], key=lambda i: len(paragraphs[i]["text"]))
        batch: list[int] = []
        rows = 0.0
        for i in pool:
            batch.append(i)
            rows += len(asked_of(paragraphs[i])) * (1 + _NEAR_SHARE + _ALTERED_SHARE)
            if rows >= size:
                made.append(batch)
                batch, rows = [], 0.0
        if batch:
            made.append(batch)
    chance.shuffle(made)
    yield from made


def cut_prior(n: int) -> Any:
    """(n + 1,) log chance that the first k of a paragraph's n questions can be answered, and no others.

    Paragraphs were given up to five questions for SQuAD 1.1; for 2.0 unanswerable ones were put after them.
    """
    chance = torch.full((n + 1,), 0.02)
    if n <= 5:
        chance[n] += 1
    else:
        chance[3], chance[4], chance[5], chance[n] = 0.15, 0.25, 0.6, 0.2
    return (chance / chance.sum()).log()


def answerable_shares(logits: Any) -> Any:
    """(n,) chance of each of a paragraph's questions, in their order, to be before the cut. logits (n,), answerable.

    Only how the questions compare counts: a model that believes them all would else teach itself to.
    """
    logits = logits - logits.mean()
    before = torch.cat([logits.new_zeros(1), logsigmoid(logits).cumsum(0)])
    after = torch.cat([logsigmoid(-logits).flip(0).cumsum(0).flip(0), logits.new_zeros(1)])
    cut = torch.softmax(cut_prior(len(logits)).to(logits.device) + before + after, 0)
    return cut.flip(0).cumsum(0).flip(0)[1:]


def shared_out(scores: Any) -> Any:
    """(n, m) shares of m spans for each of n questions, each row summing to 1; every span is some question's answer."""
    shares = torch.softmax(scores, 1)
    for _ in range(4):
        share_of_each = len(shares) / shares.shape[1]
        shares = shares * (share_of_each / shares.sum(0, keepdim=True).clamp_min(1e-6)).clamp(0.05, 20) ** 0.7
        shares = shares / shares.sum(1, keepdim=True).clamp_min(1e-9)
    return shares


class Losses:
    """Of one batch. Tokens of the question and padding have no start and no end."""

    def __init__(
        self, paragraphs: Sequence[dict[str, Any]], batch: Sequence[int], rows: Sequence[Row], encoded: Any, out: Any
    ) -> None:
        self._paragraphs, self._batch, self._rows = paragraphs, batch, rows
        self._passages, self._tokens = out
        inside = encoded["token_type_ids"].bool() & (encoded["offset_mapping"][..., 1] > 0)
        self._first, self._last = encoded["offset_mapping"].unbind(-1)
        self._inside = inside
        self._start = self._tokens[..., 0].masked_fill(~inside, _MASKED).log_softmax(1)
        self._end = self._tokens[..., 1].masked_fill(~inside, _MASKED).log_softmax(1)

    def total(self) -> Any:
        spans: list[Any] = []
        keeps: list[Any] = []
        answerable, answerable_weight = self._passages.new_zeros(len(self._rows)), torch.ones(len(self._rows))
        by_group: dict[int, list[int]] = {}
        for i, row in enumerate(self._rows):
            if row.own and not row.altered:
                by_group.setdefault(row.group, []).append(i)
            else:
                keeps.append(self._keep(i, None))
        for group, own in by_group.items():
            paragraph = self._paragraphs[self._batch[group]]
            scores, usable = self._scores(own, paragraph["spans"])
            gold = [paragraph["gold"][self._rows[i].at] for i in own]
            if gold[0] is None:
                can = answerable_shares(self._passages[own, 1].detach())
                shares = shared_out(scores.detach()) if scores.shape[1] else scores
                answerable_weight[own] = 0.7
            else:
                can = self._passages.new_tensor([float(bool(g)) for g in gold])
                shares = torch.zeros_like(scores)
                place = {span: n for n, span in enumerate(usable)}
                for n, spans_of in enumerate(gold):
                    for g in (g for g in spans_of if g in place):
                        shares[n, place[g]] = 1 / len(spans_of)
            answerable[own] = can
            if not scores.shape[1]:
                continue
            weight = can.unsqueeze(1) * shares
            spans.append(-(weight * scores).sum() / 2)
            for n, i in enumerate(own):
                if can[n] > 0.05:
                    held = [(paragraph["spans"][s], float(shares[n, m])) for m, s in enumerate(usable)]
                    keeps.append(can[n] * self._keep(i, held))
        count = len(self._rows)
        relevant = self._passages.new_tensor([float(row.own) for row in self._rows])
        return (
            torch.stack(spans).sum() / count
            + 0.7 * torch.stack(keeps).sum() / count
            + 0.7 * binary_cross_entropy_with_logits(self._passages[:, 0], relevant)
            + binary_cross_entropy_with_logits(self._passages[:, 1], answerable, answerable_weight)
        )

    def _scores(self, own: Sequence[int], spans: Sequence[Sequence[int]]) -> tuple[Any, list[int]]:
        """(questions, usable spans) log chance of each span, and which spans the window holds whole."""
        first, last, inside = (t[own[0]] for t in (self._first, self._last, self._inside))
        offset = self._rows[own[0]].offset
        found: list[tuple[int, int, int]] = []
        for n, (start, end) in enumerate(spans):
            begins = torch.nonzero(inside & (last > start + offset) & (first <= start + offset))
            ends = torch.nonzero(inside & (first < end + offset) & (last >= end + offset))
            if len(begins) and len(ends):
                found.append((n, int(begins[0]), int(ends[0])))
        if not found:
            return self._start.new_zeros((len(own), 0)), []
        columns = []
        for i in own:
            # Questions differ in length, so that the same place of the passage is another token.
            shift = int(self._inside[i].nonzero()[0]) - int(inside.nonzero()[0])
            starts = torch.tensor([s + shift for _, s, _ in found]).clamp(max=self._start.shape[1] - 1)
            ends_at = torch.tensor([e + shift for _, _, e in found]).clamp(max=self._end.shape[1] - 1)
            columns.append(self._start[i, starts] + self._end[i, ends_at])
        return torch.stack(columns).clamp_min(-40), [n for n, _, _ in found]

    def _keep(self, i: int, held: Sequence[tuple[Sequence[int], float]] | None) -> Any:
        """Cross entropy of the sentences; held: the spans with the chance of each, None where none answers."""
        row = self._rows[i]
        losses = []
        for start, end in split(row.text):
            tokens = self._inside[i] & (self._first[i] >= start) & (self._last[i] <= end)
            if not bool(tokens.any()):
                continue
            logit = self._tokens[i, tokens, 2].mean()
            inside = sum(chance for (s, e), chance in held or () if s + row.offset < end and e + row.offset > start)
            losses.append(binary_cross_entropy_with_logits(logit, logit.new_tensor(min(float(inside), 1.0))))
        return torch.stack(losses).sum() if losses else self._tokens.new_zeros(())


def run(model: Reader, encoded: Any, device: str) -> tuple[Any, Any]:
    """What the model gives for all rows, a few rows of about one length at a time: next to nothing is padding."""
    lengths = encoded["attention_mask"].sum(1)
    order = lengths.argsort()
    passages, tokens = [], []
    for rows in order.split(_ROWS_AT_ONCE):
        longest = int(lengths[rows].max())
        inputs = {
            name: encoded[name][rows, :longest].to(device) for name in ("input_ids", "attention_mask", "token_type_ids")
        }
        with steps.halved(device):
            of_passages, of_tokens = model(**inputs)
        passages.append(of_passages.float().cpu())
        tokens.append(pad(of_tokens.float().cpu(), (0, 0, 0, encoded["input_ids"].shape[1] - longest)))
    back = order.argsort()
    return torch.cat(passages)[back], torch.cat(tokens)[back]


def main() -> None:
    args = steps.arguments(__doc__, "reading", batch=32, rate=1e-4)
    device = steps.device()
    paragraphs = [json.loads(line) for line in args.reading.open()]
    tokenizer, model = _source(args.source)
    model = model.to(device).train()
    model.encoder.embeddings.requires_grad_(False)
    heads = [*model.of_passage.parameters(), *model.of_tokens.parameters()]
    layers = [p for p in model.encoder.parameters() if p.requires_grad]
    groups = [{"params": layers, "lr": args.rate}, {"params": heads, "lr": _HEADS_FASTER * args.rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    plan = planned(paragraphs, args.epochs, args.batch, believes=dequantise.exported(args.source))

    def loss(step: int) -> Any:
        rows = rows_of(paragraphs, plan[step], random.Random(step))
        encoded = tokenizer(
            [r.question for r in rows],
            [r.text for r in rows],
            truncation="only_second",
            max_length=MAX_TOKENS,
            padding=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        return Losses(paragraphs, plan[step], rows, encoded, run(model, encoded, device)).total()

    steps.train(model, optimizer, loss, len(plan), args.checkpoints, minutes=args.minutes, warmup=_WARMUP)
    save(model, args.checkpoints / "final")
    tokenizer.save_pretrained(args.checkpoints / "final")


def _source(folder: Path) -> tuple[Any, Reader]:
    """The tokenizer, and the model to begin with."""
    if dequantise.exported(folder):
        model = Reader(dequantise.encoder(folder, prefix="encoder."))
        return dequantise.tokenizer(folder), dequantise.load(model, folder)
    encoder = AutoModel.from_pretrained(
        folder,
        attn_implementation="eager",
        # Drawing their masks takes a third of the time of a step on a CPU, and one pass over the text overfits little.
        attention_probs_dropout_prob=0.0,
        hidden_dropout_prob=0.0,
    )
    return AutoTokenizer.from_pretrained(folder), Reader(encoder)


def planned(
    paragraphs: Sequence[dict[str, Any]], epochs: int, batch: int, *, believes: bool = False
) -> list[list[int]]:
    """The batches, in their order. believes: the model has learnt to read before."""
    asked = [i for i, p in enumerate(paragraphs) if p["questions"]]
    known = [i for i in asked if paragraphs[i]["gold"][0] is not None]
    # Of the documents that a helpdesk has there is least.
    known += [i for i in known if paragraphs[i].get("written") for _ in range(_WRITTEN_AGAIN)]
    # What is certain comes first, so that the model has a belief by which to share out the rest.
    plan = [] if believes else list(batches(paragraphs, known, batch, seed=0))
    for epoch in range(1, epochs + 1):
        # What people wrote and marked as unanswerable is little, and comes again.
        mixed = list(batches(paragraphs, asked, batch, seed=epoch))
        for again in range(_KNOWN_AGAIN):
            mixed += batches(paragraphs, known, batch, seed=100 * epoch + again)
        random.Random(epoch).shuffle(mixed)
        plan += mixed
    return plan


def save(model: Reader, folder: Path) -> None:
    """The weights; `export_reader` wants the tokenizer's files beside them."""
    model.encoder.save_pretrained(folder)
    torch.save(
        {"of_passage": model.of_passage.state_dict(), "of_tokens": model.of_tokens.state_dict()}, folder / "heads.pt"
    )


def load(folder: Path) -> Reader:
    model = Reader(AutoModel.from_pretrained(folder, attn_implementation="eager"))
    heads = torch.load(folder / "heads.pt", map_location="cpu")
    model.of_passage.load_state_dict(heads["of_passage"])
    model.of_tokens.load_state_dict(heads["of_tokens"])
    model.eval()
    return model


if __name__ == "__main__":
    main()
