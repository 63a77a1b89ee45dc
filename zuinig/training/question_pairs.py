"""Training pairs for the same-question verifier, out of people's pairs, mined neighbours and generated ones.

    python -m zuinig.training.question_pairs DATA pairs.jsonl [--embedder all-MiniLM-L6-v2-int8]

DATA: a folder of qqp/pairs_train.jsonl.gz, insuranceqa_questions, covid_qa, banking77, clinc150 and sick_nl; what is
missing is left out. `written/` beside this file is taken too, and verdicts.jsonl: of the pairs whose label a trained
model found least likely, what whoever read them again said. Each line of the output: a, b, label, weight, source.
Mined neighbours are the nearest questions by the embedder that no chain of people's labels joins: what a lookup meets.
The nearest of them may ask the same without a label, so those of the same words are left out and the others weigh less.
"""

import argparse
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from zuinig.core.types import Codec
from zuinig.memory.questions import normal_form
from zuinig.retrieval import embed
from zuinig.retrieval.stores import faiss
from zuinig.retrieval.words import stem
from zuinig.training import helpdesk_questions, roles
from zuinig.training.near_misses import near_misses, rewordings
from zuinig.training.streams import pair_id, read_verdicts

WRITTEN = Path(__file__).parent / "written"
VERDICTS = Path(__file__).parent / "verdicts.jsonl"
_KEPT = ("written", "banking", "clinc", "insurance", "covid")
_MINED_SHARE = 0.15
_SURELY_OTHER = 0.7  # the cosine below which two groups of different files ask different things
_NUMBERS = re.compile(r"\d+")


class Pair(NamedTuple):
    a: str
    b: str
    label: int
    weight: float
    source: str


def lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return [json.loads(line) for line in file]


def clusters(pairs: Sequence[dict[str, Any]]) -> dict[str, str]:
    """question -> the representative of all that a chain of "same" labels joins it to."""
    parent: dict[str, str] = {}

    def root(q: str) -> str:
        while parent.setdefault(q, q) != q:
            parent[q] = parent[parent[q]]
            q = parent[q]
        return q

    for pair in pairs:
        a, b = root(pair["a"]), root(pair["b"])
        if pair["label"] == 1:
            parent[a] = b
    return {q: root(q) for q in parent}


def neighbours(embedder: embed.Embedder, questions: Sequence[str], k: int) -> Iterator[tuple[str, str, float, int]]:
    """(question, neighbour, cosine, rank 1..k)"""
    vectors = embedder.embed(questions)
    index = faiss.create(vectors.shape[1], Codec.FLOAT32)
    index.add(np.arange(len(questions)), vectors)
    for start in range(0, len(questions), 4096):
        found, scores = index.search(vectors[start : start + 4096], k + 1)
        for row in range(len(found)):
            others = [(int(i), float(s)) for i, s in zip(found[row], scores[row], strict=True) if i != start + row]
            for rank, (i, score) in enumerate(others[:k], 1):
                yield questions[start + row], questions[i], score, rank


def _words(question: str) -> frozenset[str]:
    return frozenset(stem(w) for w in normal_form(question).split())


def quora(data: Path, embedder: embed.Embedder, chance: random.Random) -> Iterator[Pair]:
    rows = lines(data / "qqp/pairs_train.jsonl.gz")
    verdicts = read_verdicts(VERDICTS)
    cluster = clusters(rows)
    near = list(neighbours(embedder, list(cluster), 3))
    # What was found to ask the same joins what people never compared.
    cluster = clusters(rows + [{"a": a, "b": b, "label": 1} for a, b, *_ in near if verdicts.get(unordered(a, b))])
    known = {frozenset((r["a"], r["b"])) for r in rows}
    for r in rows:
        yield Pair(r["a"], r["b"], r["label"], 1.0, "quora")
    members: dict[str, list[str]] = {}
    for question, head in cluster.items():
        members.setdefault(head, []).append(question)
    for group in members.values():
        if 3 <= len(group) <= 8:
            for _ in range(len(group) - 2):
                a, b = chance.sample(group, 2)
                if frozenset((a, b)) not in known:
                    yield Pair(a, b, 1, 0.7, "quora chain")
    for a, b, cosine, rank in near:
        pair = frozenset((a, b))
        seen = unordered(a, b) in verdicts
        if pair in known or cosine <= 0.55:
            continue
        if not seen and (cluster[a] == cluster[b] or _words(a) == _words(b)):
            continue
        if seen or rank == 1 or chance.random() < 0.35:
            known.add(pair)
            # Of the very close ones many ask the same and were never put before a person.
            yield Pair(a, b, 0, 1.0 if cosine < 0.85 else 0.5, "quora mined")


def insurance(data: Path, embedder: embed.Embedder, chance: random.Random) -> Iterator[Pair]:
    rows = lines(data / "insuranceqa_questions/questions.jsonl.gz")
    answers = {r["question"]: frozenset(r["answer_ids"]) for r in rows}
    for r in lines(data / "insuranceqa_questions/same_answer_pairs.jsonl"):
        yield Pair(r["a"], r["b"], 1, 0.7, "insurance")
    questions = list(answers)
    for a, b, cosine, rank in neighbours(embedder, questions, 2):
        if not answers[a] & answers[b] and 0.6 < cosine < 0.9 and chance.random() < (0.5 if rank == 1 else 0.2):
            yield Pair(a, b, 0, 0.7, "insurance mined")


# Requests of CLINC150 whose intent alone says what is asked; others hold a date, a place or a name that decides.
_WHOLE_INTENTS = frozenset(
    """account_blocked bill_due card_declined credit_limit_change damaged_card direct_deposit expiration_date find_phone
    freeze_account improve_credit_score insurance_change international_fees jump_start last_maintenance lost_luggage
    new_card oil_change_how oil_change_when order_checks pay_bill payday pin_change pto_balance pto_used redeem_rewards
    replacement_card_duration report_fraud report_lost_card rollover_401k routing sync_device taxes tire_change
    tire_pressure user_name w2""".split()
)


def intents(data: Path, embedder: embed.Embedder, chance: random.Random) -> Iterator[Pair]:
    """Requests of one intent, where the intent is as narrow as a question; neighbours of another intent."""
    banking = {r["text"]: r["intent"] for r in lines(data / "banking77/banking77.jsonl.gz") if r["split"] == "train"}
    clinc = {r["text"]: r["intent"] for r in lines(data / "clinc150/clinc150.jsonl.gz") if r["split"] == "train"}
    clinc = {text: intent for text, intent in clinc.items() if intent in _WHOLE_INTENTS}
    for source, intent, share in (("banking", banking, 0.25), ("clinc", clinc, 0.5)):
        by_intent: dict[str, list[str]] = {}
        for text, name in intent.items():
            by_intent.setdefault(name, []).append(text)
        for a, b, cosine, _ in neighbours(embedder, list(intent), 12) if intent else ():
            if intent[a] != intent[b]:
                if chance.random() < share:
                    yield Pair(a, b, 0, 1.0, f"{source} mined")
            elif cosine > 0.6 and _NUMBERS.findall(a) == _NUMBERS.findall(b) and chance.random() < share / 6:
                yield Pair(a, b, 1, 0.6 if cosine > 0.75 else 0.4, source)
        for group in by_intent.values():
            # Far apart in words: what a shortlist brings up last, and what teaches most.
            for _ in range(len(group) // 6):
                a, b = chance.sample(group, 2)
                yield Pair(a, b, 1, 0.3, f"{source} far")


def written_groups(*, held_out: bool) -> list[dict[str, Any]]:
    """`question`, `repeats` from close to far, `near_misses`, `file`. About an eighth is held out, for `fit_verifier`.

    Which, a hash of the question says, so that it stays so when groups are added.
    """
    rows = [row | {"file": path.stem} for path in sorted(WRITTEN.glob("*.jsonl")) for row in lines(path)]
    return [row for row in rows if (crc32(row["question"].encode()) % 8 == 0) == held_out]


def written(embedder: embed.Embedder, chance: random.Random) -> Iterator[Pair]:
    """Questions written for this purpose: rewordings from close to far, and near misses of them."""
    groups = written_groups(held_out=False)
    group_of: dict[str, int] = {}
    for n, row in enumerate(groups):
        question, repeats, misses = row["question"], row["repeats"], row["near_misses"]
        group_of |= dict.fromkeys((question, *repeats, *misses), n)
        for n_th, repeat in enumerate(repeats):
            yield Pair(question, repeat, 1, 1.0, "written")
            yield Pair(repeat, repeats[(n_th + 1) % len(repeats)], 1, 0.8, "written")
        for n_th, miss in enumerate(misses):
            yield Pair(question, miss, 0, 1.0, "written near miss")
            yield Pair(repeats[n_th % len(repeats)], miss, 0, 1.0, "written near miss")
    for a, b, cosine, _ in neighbours(embedder, list(group_of), 12) if groups else ():
        n, m = group_of[a], group_of[b]
        # Nobody asks the same twice in one file. Two files may hold what two people would both ask.
        apart = n != m and (cosine < _SURELY_OTHER or groups[n]["file"] == groups[m]["file"])
        if apart and chance.random() < _MINED_SHARE:
            yield Pair(a, b, 0, 0.9, "written mined")


def small(data: Path) -> Iterator[Pair]:
    for r in lines(data / "covid_qa/faq_question_pairs.jsonl"):
        if r["lang"] == "en":
            yield Pair(r["a"], r["b"], r["label"], 1.0, "covid")
    for r in lines(data / "sick_nl/sick_nl.jsonl.gz"):
        if r["split"] != "test":
            same = r["nli"] == "ENTAILMENT" and r["score"] >= 4.7
            if same or r["nli"] == "CONTRADICTION" or r["score"] < 3.7:
                yield Pair(r["a_en"], r["b_en"], int(same), 0.5, "sick")
                yield Pair(r["a"], r["b"], int(same), 0.5, "sick dutch")


def generated(data: Path, chance: random.Random, per_kind: int) -> Iterator[Pair]:
    seeds = [r[side] for r in lines(data / "qqp/pairs_train.jsonl.gz") for side in "ab"]
    seeds += [r["question"].capitalize() for r in lines(data / "insuranceqa_questions/questions.jsonl.gz")] * 2
    same = [(r["a"], r["b"]) for r in lines(data / "qqp/pairs_train.jsonl.gz") if r["label"] == 1]
    chance.shuffle(seeds)
    made: Counter[str] = Counter()
    for question in seeds:
        if len(question.split()) > 30:
            continue
        for make, label in ((near_misses, 0), (rewordings, 1)):
            found = [(kind, b) for kind, b in make(question, chance) if made[kind] < per_kind]
            for kind, b in chance.sample(found, min(2, len(found))):
                made[kind] += 1
                a, b = (question, b) if chance.random() < 0.5 else (b, question)
                yield Pair(a, b, label, 0.9, f"made {kind}")
    # A near miss of a rewording: the difference among other differences.
    chance.shuffle(same)
    for a, b in same:
        found = [(kind, q) for kind, q in near_misses(b, chance) if made[f"far {kind}"] < per_kind // 2]
        if found:
            kind, other = chance.choice(found)
            made[f"far {kind}"] += 1
            yield Pair(a, other, 0, 0.9, f"made far {kind}")
    for a, b, label in helpdesk_questions.pairs(per_kind * 4, chance):
        reworded = list(rewordings(b, chance)) if chance.random() < 0.2 else []
        yield Pair(a, chance.choice(reworded)[1] if reworded else b, label, 0.9, "helpdesk")
    for a, b, label in roles.pairs(per_kind * 2, chance):
        yield Pair(a, b, label, 0.9, "roles")


def checked(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """With the verdicts of whoever read them again; what could not be decided is left out."""
    verdicts = read_verdicts(VERDICTS)
    for p in pairs:
        said = verdicts.get(unordered(p.a, p.b), bool(p.label))
        if said is not None:
            read = unordered(p.a, p.b) in verdicts
            yield p._replace(label=int(said), weight=1.0, source=f"{p.source} read") if read else p


def unordered(a: str, b: str) -> str:
    """How a pair is named without its text, which may not be ours to publish."""
    return pair_id(*sorted((a, b)))


def build(data: Path, embedder: embed.Embedder, *, per_kind: int, seed: int = 1) -> list[Pair]:
    chance = random.Random(seed)
    pairs = [
        *written(embedder, chance),
        *checked(quora(data, embedder, chance)),
        *checked(insurance(data, embedder, chance)),
        *intents(data, embedder, chance),
        *small(data),
        *generated(data, chance, per_kind),
    ]
    pairs = [p if chance.random() < 0.5 else p._replace(a=p.b, b=p.a) for p in pairs]
    chance.shuffle(pairs)
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--embedder", default="all-MiniLM-L6-v2-int8")
    parser.add_argument("--per-kind", type=int, default=6000, help="generated pairs of each kind")
    parser.add_argument("--most", type=int, help="of the pairs; for a second, short training on what matters most")
    args = parser.parse_args()
    pairs = build(args.data, embed.load(args.embedder), per_kind=args.per_kind)
    if args.most:
        # What was written or said by people stays whole; of the rest a sample keeps the count down.
        kept = [p for p in pairs if p.source.startswith(_KEPT)]
        rest = [p for p in pairs if not p.source.startswith(_KEPT)]
        pairs = kept + rest[: max(0, args.most - len(kept))]
        random.Random(2).shuffle(pairs)
    with args.output.open("w") as file:
        file.writelines(json.dumps(p._asdict()) + "\n" for p in pairs)
    for (source, label), count in sorted(Counter((p.source, p.label) for p in pairs).items()):
        print(f"{count:7d} {source} ({'same' if label else 'other'})")
    print(f"{len(pairs):7d} in all")


if __name__ == "__main__":
    main()
