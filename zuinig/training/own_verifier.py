"""A verifier fine-tuned on which questions a service's people say are the same, and how it is compared."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np

from zuinig.app.services import Services
from zuinig.memory.verify import Verifier, Wording
from zuinig.training import helpdesk_questions, roles
from zuinig.training.compare import Budget, Measure
from zuinig.training.dialogs import Weighed, pairs
from zuinig.training.near_misses import near_misses
from zuinig.training.question_pairs import written_groups

_GENERAL_FOR_EACH = 3
_LEAST_GENERAL = 600
_BESIDE = 7
_GUARDS = 150
_USUAL_BUDGET = 0.01


class VerifierCourse:
    noun = "pairs of questions of which somebody said whether they ask the same"

    def __init__(self, services: Services) -> None:
        self._services = services
        with services.db.read() as session:
            self._pairs = pairs(session)
        self._held = [p for p in self._pairs if p.part == "held out"]
        self.known, self.held = len(self._pairs), len(self._held)

    def taught(self, part: str) -> list[Weighed]:
        """The service's own, near misses of them made by rule, and general ones, so that nothing is forgotten."""
        chance = Random(1)
        own = [Weighed(p.a, p.b, p.same, 1.0) for p in self._pairs if p.part == part]
        questions = dict.fromkeys(p.a for p in own)
        made = [Weighed(q, miss, False, 0.5) for q in questions for _, miss in [*near_misses(q, chance)][:1]]
        count = max(_LEAST_GENERAL, _GENERAL_FOR_EACH * len(own)) if part == "train" else len(own)
        return [*own, *made, *_general(count, chance, held_out=part != "train")]

    def calibrate(self, base: Path, made: Path) -> str:
        config = json.loads((base / "config.json").read_text())
        (made / "config.json").write_text(json.dumps(config | {"id": made.name}) + "\n")
        return "how sure it may be is as before"

    def compare(self, base: Path, made: Path) -> tuple[list[Measure], Budget | None]:
        """On the held-out pairs as memory meets them, among the nearest other questions; and on general ones."""
        old, new = (Verifier(folder) for folder in (base, made))
        own = [(p.a, p.b, p.same) for p in self._held]
        stored = [p.a for p in self._held]
        different = [x for x in own if not x[2]]
        groups = Random(2).sample(written_groups(held_out=True), _GUARDS)
        guards = [(row["question"], row["repeats"][0], True) for row in groups]
        guards += [(row["question"], _text(row["near_misses"][0]), False) for row in groups]
        beside = [row["question"] for row in groups]
        both = (old, new)
        return [
            self._measure("your own questions judged right", both, own, stored),
            self._measure("of those, different ones", both, different, stored, decides=False),
            self._measure("general questions judged right", both, guards, beside, decides=False),
        ], None

    def _measure(
        self,
        name: str,
        verifiers: Sequence[Verifier],
        asked: Sequence[tuple[str, str, bool]],
        among: Sequence[str],
        *,
        decides: bool = True,
    ) -> Measure:
        old, new = self._right(verifiers, asked, among)
        return Measure(name, old, new, decides)

    def _right(
        self, verifiers: Sequence[Verifier], asked: Sequence[tuple[str, str, bool]], among: Sequence[str]
    ) -> Iterator[list[float]]:
        """For each verifier and (stored, asked, same) whether it serves what is the same, and nothing else."""
        stored = list(dict.fromkeys(among))
        place = {q: n for n, q in enumerate(stored)}
        embed = self._services.embedder.embed
        cosines = embed([b for _, b, _ in asked]) @ embed(stored).T
        near = []
        for (a, _, _), row in zip(asked, cosines, strict=True):
            others = [i for i in np.argsort(-row).tolist() if i != place[a]][:_BESIDE]
            near.append([Wording(stored[i], float(row[i])) for i in (place[a], *others)])
        budget = self._services.settings.memory_wrong_budget or _USUAL_BUDGET
        for verifier in verifiers:
            least = verifier.threshold(budget)
            judged = verifier.judge([b for _, b, _ in asked], near)
            yield [float((p[0] >= max(least, *p)) == same) for p, (_, _, same) in zip(judged, asked, strict=True)]

    def take_over(self, made: Path) -> str:
        return "A running service takes it over within a minute."

    def close(self) -> None: ...


def _general(count: int, chance: Random, *, held_out: bool) -> list[Weighed]:
    """Out of the groups of questions that come with Zuinig, and those made by rule."""
    found = []
    groups = written_groups(held_out=held_out)
    for row in chance.sample(groups, min(len(groups), count // 4 + 1)):
        found.append(Weighed(row["question"], chance.choice(row["repeats"]), True, 1.0))
        found.append(Weighed(row["question"], _text(chance.choice(row["near_misses"])), False, 1.0))
    for made in (roles.pairs(count // 4, chance), helpdesk_questions.pairs(count // 4, chance)):
        found += [Weighed(a, b, bool(same), 0.5) for a, b, same in made]
    return found


def _text(miss: str | dict[str, str]) -> str:
    return miss if isinstance(miss, str) else miss["question"]
