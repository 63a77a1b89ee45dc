"""A reader fine-tuned on a service's own dialogs: what it is taught, and how it is compared with the one in use."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zuinig.app.services import Services, load_reader
from zuinig.core.types import Hit
from zuinig.retrieval.read import Reading, Specialist
from zuinig.training.compare import Budget, Measure
from zuinig.training.dialogs import Dialog, Lesson, dialogs, lessons

_OTHERS = 2
# Fewer than these say too little of how sure it may be: the scale that it came with is kept.
_LEAST_TO_SCALE = 60
_PATIENT_MS = 60_000.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A dialog, and what search finds for it."""

    dialog: Dialog
    hits: tuple[Hit, ...]

    def right(self, reading: Reading) -> bool:
        """Whether the likeliest sentence is one that answers."""
        if not reading.sentences:
            return False
        s = reading.sentences[0]
        return any(p.holds(s.hit.version_id, s.start, s.end, s.text) for p in self.dialog.answered_at)


class ReaderCourse:
    """Of the questions in English, which is what the reader reads, for which search finds something to read."""

    noun = "questions of which memory knows whether and where the documents answer them"

    def __init__(self, services: Services) -> None:
        self._services = services
        with services.db.read() as session:
            found = dialogs(session)
        limit = services.specialist.passages
        asked = [Asked(d, tuple(services.search.search(d.question, limit))) for d in found]
        self._asked = [a for a in asked if a.hits]
        self.known = sum(a.dialog.known for a in self._asked)
        self._held, self._tune = self._compared_on("held out"), self._compared_on("tune")
        self.held = len(self._held)

    def taught(self, part: str) -> list[Lesson]:
        chosen = [a for a in self._asked if a.dialog.part == part]
        return [x for a in chosen for x in lessons(a.dialog, a.hits, most_others=_OTHERS)]

    def _compared_on(self, part: str) -> list[Asked]:
        return [a for a in self._asked if a.dialog.part == part and a.dialog.known]

    def calibrate(self, base: Path, made: Path) -> str:
        """Write config.json: the base's trees, and its scale fitted anew where there is enough to do so."""
        from zuinig.training.fit_reader import scale  # scikit-learn, in the extra

        config = json.loads((base / "config.json").read_text()) | {"id": made.name}
        if len(self._tune) < _LEAST_TO_SCALE:
            _write(made, config)
            return f"how sure it may be is as before: {_LEAST_TO_SCALE} questions are needed to fit it"
        # What is read by a scale that changes nothing is the score itself.
        _write(made, config | {"scale": [(0.0, 0.0), (1.0, 1.0)]})
        readings = self._read(made, self._tune)
        scores = np.array([r.confidence for r in readings])
        right = np.array([a.right(r) for a, r in zip(self._tune, readings, strict=True)])
        _write(made, config | {"scale": scale(scores, right, np.ones(len(right)))})
        return f"how sure it may be was fitted on {len(self._tune)} questions"

    def compare(self, base: Path, made: Path) -> tuple[list[Measure], Budget | None]:
        """Both read the same passages for the same questions, through the service's own code."""
        held = self._held
        old, new = (self._read(folder, held) for folder in (base, made))
        answerable = [n for n, a in enumerate(held) if a.dialog.answered_at]

        def first(readings: Sequence[Reading]) -> list[float]:
            return [float(held[n].right(readings[n])) for n in answerable]

        def alone(readings: Sequence[Reading]) -> list[float]:
            return [float(bool(readings[n].quotes) and held[n].right(readings[n])) for n in answerable]

        given = [n for n, r in enumerate(new) if r.quotes]
        wrong = sum(not held[n].right(new[n]) for n in given)
        return [
            Measure("the likeliest sentence answers", first(old), first(new)),
            Measure("answered alone and right", alone(old), alone(new)),
        ], Budget(wrong, len(given), self._services.settings.specialist_wrong_budget)

    def _read(self, folder: Path, found: Sequence[Asked]) -> list[Reading]:
        """By that reader, given all the time it needs."""
        settings = self._services.settings.model_copy(update={"reader_timeout_ms": _PATIENT_MS})
        specialist = Specialist(
            load_reader(settings, folder),
            wrong_budget=settings.specialist_wrong_budget,
            passages=settings.reader_passages,
        )
        return [specialist.read(a.dialog.question, a.hits) for a in found]

    def take_over(self, made: Path) -> str:
        return "A running service takes it over within a minute."

    def close(self) -> None: ...


def _write(folder: Path, config: dict[str, object]) -> None:
    (folder / "config.json").write_text(json.dumps(config) + "\n")
