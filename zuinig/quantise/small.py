"""make: the small form of a GGUF or an ONNX model, beside it. compare: both read the same questions."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from zuinig.core.errors import BadRequest, Conflict, Unprocessable
from zuinig.quantise import gguf, header, onnx, texts
from zuinig.quantise.report import Agreement, Asked, Compared, Progress, Speed

_MODEL = "model.onnx"
_BESIDE = ("tokenizer.json", "config.json")
_FULL = re.compile(r"[-_.]?(bf16|f16|f32|fp16|fp32)$", re.IGNORECASE)
_ANSWER_TOKENS = 32
_PAIRS = 4  # for each question

Stage = Callable[[str], Progress]


@dataclass(frozen=True, slots=True)
class Small:
    """source, target: the files with the weights, of bytes_before and bytes_after."""

    source: Path
    target: Path
    kind: str
    bytes_before: int
    bytes_after: int


def make(source: Path, target: Path | None, kind: str | None, stage: Stage, *, force: bool = False) -> Small:
    """source: a .gguf, a .onnx, or a folder with model.onnx, whose target is a folder too.

    Written under another name and put in place whole. Raises BadRequest for what is no such model or is small already,
    Conflict where target is there and not to be replaced, Unprocessable without enough room.
    """
    weights = source / _MODEL if source.is_dir() else source
    if not weights.is_file():
        raise BadRequest(f"There is no {weights}; name a .gguf, a .onnx or a folder with {_MODEL}.")
    llama = header.is_gguf(weights)
    chosen = kind or ("q4_k_m" if llama else "int8")
    if llama != (chosen in gguf.KINDS):
        fitting = " or ".join(gguf.KINDS) if llama else "int8"
        raise BadRequest(f"{weights.name} is {'GGUF' if llama else 'no GGUF'}; the kind can be {fitting}.")
    chosen_target = target or _beside(source, chosen)
    out = chosen_target / _MODEL if source.is_dir() else chosen_target
    if out.exists() and (out.samefile(weights) or not force):
        same = out.samefile(weights)
        raise Conflict(f"{out} is {'the source itself; name another' if same else 'there; --force replaces it'}.")
    before = weights.stat().st_size
    if llama:
        expected = gguf.bytes_needed(gguf.check(weights), weights, chosen)
    else:
        onnx.check(weights)
        expected = before * 2  # a prepared copy, and at most as much again
    out.parent.mkdir(parents=True, exist_ok=True)
    _check_room(out.parent, expected)
    part = out.with_name(f".{out.name}.part")
    progress = stage(f"Quantising to {chosen}")
    try:
        if llama:
            gguf.shrink(weights, part, chosen, expected, progress)
        else:
            onnx.quantise(weights, part)
        if source.is_dir():
            _copy_beside(source, out.parent, chosen)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    after = out.stat().st_size
    progress(after, after)
    return Small(weights, out, chosen, before, after)


def compare(small: Small, asked: Sequence[Asked], stage: Stage) -> Compared:
    """Raises Unprocessable for a model that cannot be given texts, or does not fit the memory that is free."""
    if small.kind in gguf.KINDS:
        return _compare_gguf(small, asked, stage)
    return _compare_onnx(small, asked, stage)


def _compare_gguf(small: Small, asked: Sequence[Asked], stage: Stage) -> Compared:
    free = psutil.virtual_memory().available
    if free < small.bytes_before:
        raise Unprocessable(
            f"{small.source.name} takes {small.bytes_before / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free."
        )
    prompts = [gguf.Prompt(a.system, a.prompt) for a in asked]
    answered = gguf.answer(small.source, prompts, _ANSWER_TOKENS, stage("Asking the original"))
    steps, speeds = gguf.follow(small.target, answered, stage("Asking the small one"))
    told = ("prompt tokens/s", "answer tokens/s")
    return Compared(
        tuple(Speed(w, b, a) for w, b, a in zip(told, answered.speeds, speeds, strict=True)),
        (
            Agreement("same next token", float(np.mean([s.same for s in steps])), len(steps), share=True),
            Agreement("mean KL divergence, nats", float(np.mean([s.divergence for s in steps])), len(steps)),
        ),
    )


def _compare_onnx(small: Small, asked: Sequence[Asked], stage: Stage) -> Compared:
    tokenizer = small.source.with_name("tokenizer.json")
    before, after = texts.Model(small.source, tokenizer), texts.Model(small.target, tokenizer)
    read = _pairs(asked) if before.reads_pairs else [a.question for a in asked]
    agreements, speed = texts.compared(
        before.read(read, stage("Asking the original")), after.read(read, stage("Asking the small one"))
    )
    return Compared((speed,), tuple(agreements))


def _pairs(asked: Sequence[Asked]) -> list[texts.Text]:
    """Each question with passages that were found for it, and with other questions."""
    pairs: list[texts.Text] = []
    for n, a in enumerate(asked):
        others = [asked[(n + step) % len(asked)].question for step in range(1, _PAIRS + 1)]
        pairs += [(a.question, second) for second in [*a.passages[: _PAIRS // 2], *others][:_PAIRS]]
    return pairs


def _beside(source: Path, kind: str) -> Path:
    if source.is_dir():
        return source.resolve().with_name(f"{_FULL.sub('', source.resolve().name)}-{kind}")
    return source.with_name(
        f"{_FULL.sub('', source.stem)}-{kind.upper() if source.suffix == '.gguf' else kind}{source.suffix}"
    )


def _copy_beside(source: Path, target: Path, kind: str) -> None:
    """What the service loads beside the weights, under an id of its own: vectors of two ids are never compared."""
    for name in _BESIDE:
        if not (source / name).is_file():
            continue
        if name != "config.json":
            shutil.copyfile(source / name, target / name)
            continue
        config = json.loads((source / name).read_text())
        if "id" in config:
            config["id"] = f"{_FULL.sub('', config['id'])}-{kind}"
        (target / name).write_text(json.dumps(config, indent=2) + "\n")


def _check_room(folder: Path, expected: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < expected:
        raise Unprocessable(
            f"It may take {expected / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free; make room, or name a "
            "target elsewhere."
        )
