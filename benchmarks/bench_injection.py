"""Instructions to a model in documents: how many are found, and how often ordinary passages are taken for one.

The shipped detector of `ingestion/suspicion` beside plain regular expressions, as they are used against injections, on
what the detector was not fitted on (`training/train_injection`). "In a passage": the attack stands as a sentence in
the middle of a passage of the handbook.
"""

import argparse
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from zuinig.ingestion.suspicion import Detector
from zuinig.retrieval.sentences import split
from zuinig.training import train_injection
from zuinig.training.train_injection import DOCUMENTS, Text

_PLAIN = re.compile(
    r"(?i)(ignore|disregard|forget|override|negeer|vergeet|vergiss|ignoriere)\w* .{0,40}(instruction|prompt|rules|"
    r"above|previous|everything|instructies|regels|opdrachten|alles|anweisung|vorherig)|system prompt|systeemprompt|"
    r"you are now|je bent nu|do anything now|<\|im_start\|>|\[INST\]|act as (an?|the) |pretend (to be|you)|jailbreak"
)
_HOST = "docs_handbook_18f"
_LEAST_SENTENCES = 4

Judge = Callable[[str], bool]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder of {', '.join(DOCUMENTS)}, squad_dev, ...")
    args = parser.parse_args()
    texts = [t for t in train_injection.read(args.data) if not t.fit]
    detector = Detector.shipped()
    judges: dict[str, Judge] = {
        "plain regular expressions": lambda text: bool(_PLAIN.search(text)),
        "**detector (used)**": lambda text: bool(detector.spans(text)),
    }
    hosts = [t.text for t in texts if t.source == _HOST and len(split(t.text)) >= _LEAST_SENTENCES]
    inside = [Text(f"{t.source}, in a passage", _put_into(hosts[n], t.text), True, False) for n, t in _written(texts)]
    print(f"| flagged, of texts not fitted on | {' | '.join(judges)} |\n| --- | --- | --- |")
    for attack in (True, False):
        chosen = [t for t in (*texts, *inside) if t.attack == attack]
        for source in sorted({t.source for t in chosen}):
            rows = [t.text for t in chosen if t.source == source]
            print(f"| {source} ({len(rows)}) | {' | '.join(_share(j, rows) for j in judges.values())} |", flush=True)
    _timed(judges, hosts)


def _written(texts: Sequence[Text]) -> list[tuple[int, Text]]:
    return list(enumerate(t for t in texts if t.attack and t.source.startswith("written")))


def _put_into(host: str, attack: str) -> str:
    spans = split(host)
    at = spans[len(spans) // 2][0]
    return f"{host[:at]}{attack} {host[at:]}"


def _share(judge: Judge, texts: Sequence[str]) -> str:
    found = sum(map(judge, texts))
    return f"{found} ({found / len(texts):.2%})"


def _timed(judges: dict[str, Judge], texts: Sequence[str]) -> None:
    for name, judge in judges.items():
        begun = time.process_time()
        for text in texts[:200]:
            judge(text)
        print(f"{name}: {(time.process_time() - begun) / len(texts[:200]) * 1000:.2f} ms of CPU a passage")


if __name__ == "__main__":
    main()
