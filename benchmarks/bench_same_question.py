"""The same question, or not: repeats served and wrong answers, by cosine rules, known caches' defaults, and Zuinig.

All embed with the same MiniLM. For each rule: its own default; and with the best threshold picked afterwards, the share
of repeats it serves at 1 % and 2 % wrong. On a stream of questions against 50,000 stored ones (labels as they are, and
with the verdicts of whoever looked at apparent errors again), and on the helpdesk set beside this file.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zuinig.memory.verify import MODELS, Verifier
from zuinig.retrieval import embed
from zuinig.training import streams

DATA = Path(__file__).parent / "data"
# What each serves at its defaults, as a cosine: GPTCache's distance evaluation accepts a squared distance up to 0.8;
# RedisVL a cosine distance up to 0.1; LangChain's Redis cache and LiteLLM one up to 0.2.
_DEFAULTS = {"GPTCache": 0.6, "RedisVL": 0.9, "LangChain Redis, LiteLLM": 0.8}
_SHORTLIST = 8


@dataclass(frozen=True)
class Traffic:
    name: str
    stream: streams.Stream
    right: npt.NDArray[np.bool_]
    chosen: npt.NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", type=Path, help="a stream file, such as qqp/stream_cal.json.gz")
    parser.add_argument("--every", type=int, default=1, help="take each n-th query of the stream")
    parser.add_argument("--model", type=Path, default=MODELS / "same-question-int8")
    parser.add_argument("--errors", type=int, default=0, help="list so many apparent errors of the stream")
    args = parser.parse_args()
    embedder, verifier = embed.load("all-MiniLM-L6-v2-int8"), Verifier(args.model)
    for traffic in [*helpdesk(embedder), *(quora(args.stream, embedder, args.every) if args.stream else ())]:
        measure(traffic, verifier, args.errors if "verdicts" in traffic.name else 0)


def quora(path: Path, embedder: embed.Embedder, every: int) -> list[Traffic]:
    found = streams.read(path, embedder, shortlist=_SHORTLIST, every=every)
    everything = np.ones(len(found.queries), bool)
    verdicts = streams.read_verdicts(DATA / "quora_verdicts.jsonl")
    return [
        Traffic("stream, labels as they are", found, found.same, everything),
        Traffic("stream, with verdicts", found, streams.adjudicated(found, verdicts), everything),
    ]


def helpdesk(embedder: embed.Embedder) -> list[Traffic]:
    """Repeats and novel questions are traffic; near misses are counted apart, and all together."""
    rows = [json.loads(line) for line in (DATA / "helpdesk_memory.jsonl").open()]
    novel = [json.loads(line)["question"] for line in (DATA / "helpdesk_novel.jsonl").open()]
    found = []
    for language in ("en", "nl"):
        asked: list[tuple[str, int, str]] = []
        for n, row in enumerate(rows):
            if row["language"] == language:
                asked += [(q, n, "repeat") for q in row["repeats"]]
                asked += [(m["question"], -1, "near miss") for m in row["near_misses"]]
        if language == "en":
            asked += [(q, -1, "novel") for q in novel]
        stream = streams.make(
            [(row["question"], n) for n, row in enumerate(rows)], asked, embedder, shortlist=_SHORTLIST
        )
        kinds = np.array([kind for *_, kind in asked])
        found.append(Traffic(f"helpdesk {language}, repeats and novel", stream, stream.same, kinds != "near miss"))
        found.append(Traffic(f"helpdesk {language}, near misses", stream, stream.same, kinds == "near miss"))
    return found


def measure(traffic: Traffic, verifier: Verifier, errors: int) -> None:
    stream, chosen = traffic.stream, traffic.chosen
    ours = np.array(verifier.judge(stream.queries, streams.wordings(stream)))
    repeats = int(stream.repeat[chosen].sum())
    print(f"\n{traffic.name}: {chosen.sum()} asked, {repeats} of them repeats")
    print("| rule | served | of repeats, rightly | wrong of served | at 1 % wrong | at 2 % wrong |")
    print("| --- | --- | --- | --- | --- | --- |")
    shipped = {f"Zuinig, budget {b:.1%}": verifier.threshold(b) for b in (0.01, 0.02)}
    for name, least, scores in (
        *((name, least, stream.cosines) for name, least in _DEFAULTS.items()),
        *((name, least, ours) for name, least in shipped.items()),
    ):
        best = scores.argmax(1)
        rows = np.flatnonzero(chosen)
        score, right = scores[rows, best[rows]], traffic.right[rows, best[rows]]
        served = score >= least
        wrong = f"{1 - right[served].mean():.1%}" if served.any() else "none"
        hits = f"{right[served].sum() / repeats:.1%}" if repeats else "none"
        after = [f"{streams.served_at(score, right, repeats, b)[0]:.1%}" if repeats else "" for b in (0.01, 0.02)]
        print(f"| {name} | {served.mean():.1%} | {hits} | {wrong} | {after[0]} | {after[1]} |")
    if errors:
        best = ours.argmax(1)
        wrong_rows = [i for i in np.argsort(-ours.max(1)) if chosen[i] and not traffic.right[i, best[i]]][:errors]
        for i in wrong_rows:
            stored = stream.near[i][best[i]]
            print(streams.pair_id(stream.queries[i], stored), f"{ours[i].max():.3f}", stream.queries[i], "|", stored)


if __name__ == "__main__":
    main()
