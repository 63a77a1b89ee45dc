"""A GGUF model made small by llama.cpp, and read beside its original. Needs the extra `llamacpp`."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from zuinig.core.errors import BadRequest, ConfigurationError, Unprocessable
from zuinig.quantise import header
from zuinig.quantise.agreement import Reference, Step
from zuinig.quantise.report import Progress

# llama_ftype, and the bits that a weight takes at most: blocks of 32 with one 16-bit scale; of Q4_K_M mostly Q4_K
# (4.5 bits), and Q6_K (6.56) for the tensors that suffer most, which in a very small model are nearly all.
KINDS = {"q8_0": (7, 8.5), "q4_k_m": (15, 6.6)}

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prompt:
    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model answered, greedily. prompts: as tokens; references: one for each token of each answer, in order."""

    prompts: Sequence[Sequence[int]]
    answers: Sequence[Sequence[int]]
    references: Sequence[Reference]
    speeds: tuple[float, float]  # tokens of prompts read, and of answers made, in a second


def library() -> ModuleType:
    """llama_cpp. Raises ConfigurationError where it is not installed."""
    try:
        import llama_cpp  # an extra, and half a second
    except ImportError as error:
        raise ConfigurationError("GGUF needs llama.cpp: pip install 'zuinig[llamacpp]'.") from error
    found: ModuleType = llama_cpp
    return found


def check(source: Path) -> header.Header:
    """Raises BadRequest for what cannot be made smaller: damaged, in several files, or quantised already."""
    found = header.read(source)
    if found.shards > 1:
        raise BadRequest(
            f"{source.name} is one of {found.shards} files; join them first with llama-gguf-split --merge."
        )
    if not found.plain:
        raise BadRequest(f"{source.name} is quantised already; quantise the F32, F16 or BF16 file that it was made of.")
    return found


def bytes_needed(found: header.Header, source: Path, kind: str) -> int:
    """What the small file takes at most: every weight at its bits, and as much for the rest as the source's head."""
    head = max(0, source.stat().st_size - found.parameters * 2)
    return int(found.parameters * KINDS[kind][1] / 8) + min(head, 64 << 20)


def shrink(source: Path, target: Path, kind: str, expected: int, progress: Progress) -> None:
    """Write target. Raises Unprocessable with llama.cpp's own reason.

    In a process of its own: llama.cpp ends the process where a file is not what it expects, and takes no interruption.
    """
    library()
    command = [sys.executable, "-m", "zuinig.quantise._llama", str(source), str(target), str(KINDS[kind][0])]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        while True:
            try:
                _, said = child.communicate(timeout=0.3)
                break
            except subprocess.TimeoutExpired:
                progress(target.stat().st_size if target.exists() else 0, expected)
    finally:
        child.kill()
        child.wait()
    if child.returncode != 0:
        reason = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "no reason was given")
        raise Unprocessable(f"llama.cpp could not quantise {source.name}: {reason}")


def answer(model: Path, prompts: Sequence[Prompt], most_tokens: int, progress: Progress) -> Answered:
    """Raises Unprocessable for a model that cannot be loaded, or reads none of the prompts whole."""
    rows = _tokenised(model, prompts, most_tokens)
    answers: list[list[int]] = []
    references: list[Reference] = []
    with closing(_Reader(model, max(map(len, rows)) + most_tokens)) as reader:
        for number, row in enumerate(rows, 1):
            logits, said = reader.begin(row), list[int]()
            while True:
                references.append(Reference.of(logits))
                said.append(int(logits.argmax()))
                if len(said) == most_tokens or reader.ends(said[-1]):
                    break
                logits = reader.go_on(said[-1])
            answers.append(said)
            progress(number, len(rows))
        return Answered(rows, answers, references, reader.speeds)


def follow(model: Path, answered: Answered, progress: Progress) -> tuple[list[Step], tuple[float, float]]:
    """How another model would go on at each token of those answers, and its speeds (see `Answered`)."""
    steps: list[Step] = []
    longest = max(len(p) + len(a) for p, a in zip(answered.prompts, answered.answers, strict=True))
    with closing(_Reader(model, longest)) as reader:
        for number, (row, said) in enumerate(zip(answered.prompts, answered.answers, strict=True), 1):
            logits = reader.begin(row)
            steps.append(answered.references[len(steps)].beside(logits))
            for token in said[:-1]:
                logits = reader.go_on(token)
                steps.append(answered.references[len(steps)].beside(logits))
            progress(number, len(answered.prompts))
        return steps, reader.speeds


class _Reader:
    """A model that reads one token after another, and the time that takes: prompts, and what follows, apart."""

    def __init__(self, model: Path, window: int) -> None:
        self._library = library()
        self._llm = _load(model, n_ctx=window, n_batch=min(512, window), n_gpu_layers=-1)
        self._vocabulary = self._library.llama_model_get_vocab(self._llm.model)
        self._seconds, self._tokens = [0.0, 0.0], [0, 0]
        self._llm.eval([0])  # brings the weights into memory, which is not what is timed

    @property
    def speeds(self) -> tuple[float, float]:
        reading, writing = (n / s if s else 0.0 for n, s in zip(self._tokens, self._seconds, strict=True))
        return reading, writing

    def begin(self, prompt: Sequence[int]) -> Logits:
        self._llm.reset()
        return self._read(prompt, 0)

    def go_on(self, token: int) -> Logits:
        return self._read([token], 1)

    def ends(self, token: int) -> bool:
        return bool(self._library.llama_vocab_is_eog(self._vocabulary, token))

    def close(self) -> None:
        self._llm.close()

    def _read(self, tokens: Sequence[int], part: int) -> Logits:
        begun = time.perf_counter()
        self._llm.eval(tokens)
        last = self._library.llama_get_logits_ith(self._llm.ctx, -1)
        logits = np.ctypeslib.as_array(last, shape=(self._llm.n_vocab(),)).copy()
        self._seconds[part] += time.perf_counter() - begun
        self._tokens[part] += len(tokens)
        return logits


def _load(model: Path, **options: Any) -> Any:
    try:
        return library().Llama(str(model), verbose=False, **options)
    except (ValueError, RuntimeError) as error:
        raise Unprocessable(f"llama.cpp cannot read {model.name}: {error}; is it a model that makes text?") from error


def _tokenised(model: Path, prompts: Sequence[Prompt], most_tokens: int) -> list[list[int]]:
    """As the model's own chat template puts them; those that its window does not hold are left out."""
    found = header.read(model).metadata
    window = int(found.get(f"{found.get('general.architecture')}.context_length", 0)) or 1 << 20
    with redirect_stderr(StringIO()):  # it warns of a window that is not known without the weights
        vocabulary = _load(model, vocab_only=True)
    with closing(vocabulary) as llm:
        rows = [llm.tokenize(_chat(llm, p).encode(), add_bos=False, special=True) for p in prompts]
    rows = [row for row in rows if 0 < len(row) <= window - most_tokens]
    if not rows:
        raise Unprocessable(f"No question fits the {window} tokens that {model.name} reads at a time.")
    return rows


def _chat(llm: Any, prompt: Prompt) -> str:
    bos, eos = (
        llm.detokenize([t], special=True).decode() if t >= 0 else "" for t in (llm.token_bos(), llm.token_eos())
    )
    template = llm.metadata.get("tokenizer.chat_template")
    if template is None:
        return f"{bos}{prompt.system}\n\n{prompt.user}\n"
    formatter = library().llama_chat_format.Jinja2ChatFormatter(template, eos_token=eos, bos_token=bos)
    user = {"role": "user", "content": prompt.user}
    try:
        return str(formatter(messages=[{"role": "system", "content": prompt.system}, user]).prompt)
    except ValueError:  # raised by templates that know no system message
        user["content"] = f"{prompt.system}\n\n{prompt.user}"
        return str(formatter(messages=[user]).prompt)
