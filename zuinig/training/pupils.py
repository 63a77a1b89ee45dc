"""The small models as what training goes on from: out of a shipped folder, and back into one."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zuinig.app.models import Kind
from zuinig.training import (
    dequantise,
    export_embedder,
    export_reader,
    export_verifier,
    grid,
    losses,
    train_reader,
    train_verifier,
)
from zuinig.training.fine_tune import Plan

# Passes, examples in a batch, rate.
_PLANS = {"reader": (4, 16, 1e-4), "verifier": (2, 16, 3e-5), "embedder": (4, 32, 2e-5)}
_MAX_TOKENS = {"reader": train_reader.MAX_TOKENS, "verifier": train_verifier.MAX_TOKENS, "embedder": 256}


@dataclass(frozen=True, slots=True)
class Pupil:
    """loss: of some examples of its kind."""

    kind: Kind
    base: Path
    model: Any
    loss: Callable[[Any, Sequence[Any]], Any]

    def plan(self, minutes: float) -> Plan:
        return Plan(*_PLANS[self.kind], minutes)

    def write(self, work: Path, made: Path) -> None:
        """model.onnx and tokenizer.json, int8, in made; the calibration is whoever compares them's. work: scratch."""
        final = work / "final"
        grid.leave(self.model)
        final.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.base / "tokenizer.json", final)
        if self.kind == "reader":
            train_reader.save(self.model, final)
            export_reader.export(final, made)
        elif self.kind == "verifier":
            train_verifier.save(self.model, final)
            export_verifier.export(final, made)
        else:
            self.model.model.save_pretrained(final)
            export_embedder.export(final, made)
            config = json.loads((self.base / "config.json").read_text()) | {"id": made.name}
            (made / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def of(kind: Kind, base: Path) -> Pupil:
    """Raises ValueError for a base that is not quantised as the shipped ones are."""
    words = losses.tokenizer(base, _MAX_TOKENS[kind])
    encoder = dequantise.encoder(base, prefix="model." if kind == "embedder" else "encoder.")
    model: Any
    loss: Callable[[Any, Sequence[Any]], Any]
    if kind == "reader":
        model, loss = train_reader.Reader(encoder), losses.reading(words)
    elif kind == "verifier":
        model, loss = train_verifier.Verifier(encoder), losses.judging(words)
    else:
        model, loss = losses.Embedding(encoder), losses.finding(words)
    dequantise.load(model, base)
    grid.keep_to(model, base)
    return Pupil(kind, base, model, loss)
