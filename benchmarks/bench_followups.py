"""Follow-ups made to stand alone: what search finds for the turn as it is, by rules, by the regressions, by people.

CANARD's conversations; a passage is an answer, under the title of its article, and the right one is the answer to the
turn. Weights and threshold are those of `training/train_followup` with the conversation's article held out.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from zuinig.core.db import Database, migrate
from zuinig.memory.conversation import Model, Turn, standalone
from zuinig.retrieval import embed, lexical
from zuinig.retrieval.search import fuse
from zuinig.training import train_followup
from zuinig.training.train_followup import Dialog

_WAYS = ("the turn as it is", "rules", "**learned (used)**", "rewritten by people")
_NO_ANSWER = "I don't know."
_HELPDESK = Path(__file__).parent / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds canard_dev and trec_cast")
    args = parser.parse_args()
    dialogs, written = train_followup.read(args.data), train_followup.written_questions()
    held_out = train_followup.crossed(dialogs, written)
    train_followup.report(held_out)
    asked = [row for model, fold in held_out for row in _asked(model, fold)]
    ranks = _ranks([d for _, fold in held_out for d in fold if d.source == "CANARD"], asked)
    print(f"\n{len(asked)} turns\n\n| | recall@1 | @5 | @10 |\n| --- | --- | --- | --- |")
    for way, found in zip(_WAYS, ranks, strict=True):
        print(f"| {way} | " + " | ".join(f"{sum(r < k for r in found) / len(found):.1%}" for k in (1, 5, 10)) + " |")
    _helpdesk(train_followup.shipped_with(held_out, dialogs, written))


def _asked(model: Model, dialogs: Sequence[Dialog]) -> Iterator[tuple[tuple[str, ...], tuple[str, str]]]:
    """(a form for each of _WAYS, (title, answer))"""
    for dialog in dialogs:
        if dialog.source != "CANARD":
            continue
        learned = train_followup.examples([dialog], model)
        ruled = train_followup.ruled([dialog])
        for e, (_, _, by_rule) in zip(learned, ruled, strict=True):
            if e.said.answer not in ("", _NO_ANSWER):
                form = standalone(e.said.question, e.history, model=model).question
                yield (e.said.question, by_rule, form, e.said.rewrite), (dialog.group, e.said.answer)


def _ranks(dialogs: Sequence[Dialog], asked: Sequence[tuple[tuple[str, ...], tuple[str, str]]]) -> list[list[int]]:
    """For each of _WAYS the place of the right passage, from 0."""
    passages = list(dict.fromkeys((d.group, s.answer) for d in dialogs for s in d.said if s.answer))
    place = {passage: n for n, passage in enumerate(passages)}
    embedder = embed.load("all-MiniLM-L6-v2-int8")
    vectors = embedder.embed([f"{title}\n{text}" for title, text in passages])
    ranks: list[list[int]] = []
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        migrate(url)
        db = Database(url)
        with db.write() as session:
            lexical.add(session, [(n, 1, title, text) for n, (title, text) in enumerate(passages, 1)])
        with db.read() as session:
            for way in range(len(_WAYS)):
                queries = [forms[way] for forms, _ in asked]
                ranks.append([])
                for query, vector, (_, right) in zip(queries, embedder.embed(queries), asked, strict=True):
                    bm25 = {n - 1: s for n, s in lexical.search(session, query, 50, None).items()}
                    cosines = vectors @ vector
                    union = list(dict.fromkeys([*bm25, *map(int, (-cosines).argsort()[:50])]))
                    scores = fuse([float(cosines[n]) for n in union], [bm25.get(n, 0.0) for n in union])
                    order = [n for _, n in sorted(zip(scores, union, strict=True), reverse=True)]
                    ranks[-1].append(order.index(place[right]) if place[right] in order else len(passages))
        db.close()
    return ranks


def _helpdesk(model: Model) -> None:
    """How many questions of a helpdesk, each asked after another, are taken for follow-ups; none is one."""
    rows = [json.loads(line) for name in ("memory", "novel") for line in (_HELPDESK / f"helpdesk_{name}.jsonl").open()]
    print("\n| standalone questions of a helpdesk, taken for dependent | rules | learned |\n| --- | --- | --- |")
    for language, name in (("en", "English"), ("nl", "Dutch")):
        questions = [q for r in rows if r["language"] == language for q in (r["question"], *r.get("repeats", ()))]
        before = questions[-7:] + questions[:-7]
        learned = [standalone(q, [Turn(b, "")], model=model).depends for q, b in zip(questions, before, strict=True)]
        ruled = [train_followup.rules(q, b)[0] for q, b in zip(questions, before, strict=True)]
        print(f"| {name} ({len(questions)}) | {_share(ruled)} | {_share(learned)} |")


def _share(found: Sequence[bool]) -> str:
    return f"{sum(found) / len(found):.1%}"


if __name__ == "__main__":
    main()
