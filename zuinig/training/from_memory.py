"""Fine-tune a small model on a service's own memory, and switch over to it if it is better.

    zuinig train reader|verifier|embedder --from-memory, which starts: python -m zuinig.training.from_memory KIND

Questions are parted by their own words: three fifths are trained on, a fifth says when to stop and how sure the model
may be, a fifth is held out, and never trained on by any later training either. Old and new answer the held-out ones
through the service's own code; the new one is taken only if it is better by more than chance (`compare`). Until then
nothing but DATA/models/KIND/training is written; a training that broke off goes on from there.
"""

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from zuinig.app import logs
from zuinig.app import models as own
from zuinig.app.models import KINDS, Kind, OwnModels
from zuinig.app.services import Services, build
from zuinig.core import settings
from zuinig.core.errors import BadRequest, ConfigurationError, ZuinigError
from zuinig.training.compare import Budget, Measure, Verdict, verdict
from zuinig.training.dialogs import Evident, Lesson, Weighed
from zuinig.training.own_embedder import EmbedderCourse
from zuinig.training.own_reader import ReaderCourse
from zuinig.training.own_verifier import VerifierCourse

LEAST_HELD_OUT = 30
_HELD_OUT_OF = 5


class Course(Protocol):
    """What a model of one kind is taught. known: how many examples there are; held: of those, to compare on."""

    noun: str
    known: int
    held: int

    def taught(self, part: str) -> Sequence[Any]:
        """part: train or tune."""
        ...

    def calibrate(self, base: Path, made: Path) -> str:
        """Complete the folder made, so that the service can use it; returns a line for people."""
        ...

    def compare(self, base: Path, made: Path) -> tuple[list[Measure], Budget | None]: ...

    def take_over(self, made: Path) -> str:
        """What the service needs beside the folder itself; returns what remains to do."""
        ...

    def close(self) -> None: ...


COURSES: dict[Kind, Callable[[Services], Course]] = {
    "reader": ReaderCourse,
    "verifier": VerifierCourse,
    "embedder": EmbedderCourse,
}
_EXAMPLES: dict[Kind, type[Any]] = {"reader": Lesson, "verifier": Weighed, "embedder": Evident}


@dataclass(frozen=True, slots=True)
class Trained:
    """name: of the new model where it was taken."""

    verdict: Verdict
    name: str | None
    measures: tuple[Measure, ...]


# Writes model.onnx and tokenizer.json into the last folder: (kind, base, examples, others to stop by, work, made).
Trainer = Callable[[Kind, Path, Sequence[Any], Sequence[Any], Path, Path], None]


def by_torch(minutes: float, threads: int) -> Trainer:
    def train(kind: Kind, base: Path, taught: Sequence[Any], tune: Sequence[Any], work: Path, made: Path) -> None:
        import torch
        from transformers.utils.logging import disable_progress_bar, set_verbosity_error

        from zuinig.training import pupils
        from zuinig.training.fine_tune import fine_tune

        disable_progress_bar()
        set_verbosity_error()
        torch.set_num_threads(threads)
        pupil = pupils.of(kind, base)
        fine_tune(pupil.model, taught, tune, pupil.loss, pupil.plan(minutes), work / "state.pt", _told)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, to those who maintain it
            pupil.write(work, made)

    return train


def run(services: Services, kind: Kind, train: Trainer) -> Trained:
    """Raises BadRequest where there is too little to learn from, ConfigurationError where a setting names the model."""
    if own.named(services.settings, kind) is not None:
        raise ConfigurationError(f"ZUINIG_{kind.upper()} names a model; unset it, so that a trained one can be used.")
    models = OwnModels(services.settings.data_dir)
    base = own.folder(services.settings, kind)
    _told("reading what memory knows")
    course = COURSES[kind](services)
    try:
        _check(course)
        work = models.training(kind)
        name, taught, tune = _begun(models, kind, course, work, base)
        made = work / name
        if not (made / "model.onnx").exists():
            fresh = work / "making" / name
            fresh.mkdir(parents=True, exist_ok=True)
            train(kind, base, taught, tune, work, fresh)
            fresh.rename(made)
        _told(course.calibrate(base, made))
        _told(f"comparing both on {course.held} held-out {course.noun}")
        measures, budget = course.compare(base, made)
        for line in (*measures, *([budget] if budget is not None else [])):
            _told(f"  {line}")
        found = verdict(measures, budget)
        if found.better:
            models.add(kind, name, made)
            remains = course.take_over(models.folder(kind, name))
            models.use(kind, name)
            _told(f"Switched to {name}: {found.why}. {remains}")
            _told(f"`zuinig model rollback {kind}` goes back.")
        else:
            _told(f"The {kind} in use stays: {found.why}.")
    finally:
        course.close()
    models.forget_training(kind)
    return Trained(found, name if found.better else None, tuple(measures))


def _check(course: Course) -> None:
    if course.held < LEAST_HELD_OUT:
        raise BadRequest(
            f"There are {course.known} {course.noun}, of which {course.held} are held out to compare on. "
            f"{LEAST_HELD_OUT} are needed to tell whether a new model is better, so about "
            f"{LEAST_HELD_OUT * _HELD_OUT_OF} in all; nothing was changed."
        )


def _begun(
    models: OwnModels, kind: Kind, course: Course, work: Path, base: Path
) -> tuple[str, Sequence[Any], Sequence[Any]]:
    """(name, examples, others to stop by) of the training that broke off, if it went out from the same base."""
    kept = work / "examples.json"
    if kept.exists():
        found = json.loads(kept.read_text())
        if found["base"] == str(base):
            _told(f"going on with the training of {found['name']}")
            taught, tune = ([_EXAMPLES[kind](**x) for x in found[part]] for part in ("train", "tune"))
            return found["name"], taught, tune
        models.forget_training(kind)
        models.training(kind)
    name, parts = models.new_name(kind), {part: course.taught(part) for part in ("train", "tune")}
    if not all(parts.values()):
        raise BadRequest(f"There is too little to learn from: no {course.noun} beside the held-out ones.")
    fresh = kept.with_suffix(".new")
    rows = {part: [asdict(x) for x in examples] for part, examples in parts.items()}
    fresh.write_text(json.dumps({"name": name, "base": str(base), **rows}))
    fresh.replace(kept)
    return name, parts["train"], parts["tune"]


def _told(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--minutes", type=float, default=60, help="the longest that training itself may take")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    try:
        loaded = settings.load()
        logs.configure(loaded.model_copy(update={"log_level": "warning"}))
        services = build(loaded)
        try:
            run(services, args.kind, by_torch(args.minutes, args.threads))
        finally:
            services.close()
    except ZuinigError as error:
        sys.exit(f"zuinig: {error.message}")
    except KeyboardInterrupt:
        print("Stopped; the model in use stays. The same command goes on from the last checkpoint.")
        sys.exit(130)


if __name__ == "__main__":
    main()
