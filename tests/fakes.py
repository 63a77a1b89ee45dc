"""Stand-ins where the real part would only cost time."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from zuinig.memory.verify import Verifier, Wording
from zuinig.retrieval.embed import Vectors
from zuinig.retrieval.words import content_words, stem

# question, and the sentence of a document that answers it
TOPICS = {
    "lamp": ("What does the lamp in the hall cost?", "The lamp in the hall does cost {} euros."),
    "boat": ("Which member owns the old wooden boat?", "The old wooden boat: member {} owns it."),
    "soup": ("How many litres of soup are cooked?", "Soup is cooked by the {} litres."),
}


class Gossip(BaseChatModel):
    """A language model that tells all the numbers it was shown, and cites the first passage alone.

    sentence: what it says them in, with {} where they go.
    """

    sentence: str = "It is {} [1]."
    numbers: str = r"\b1\d{4}\b"

    @property
    def _llm_type(self) -> str:
        return "gossip"

    def _generate(self, messages: list[Any], *_: Any, **__: Any) -> ChatResult:
        shown = "\n".join(str(m.content) for m in messages)
        told = " or ".join(dict.fromkeys(re.findall(self.numbers, shown))) or "nothing"
        message = AIMessage(
            self.sentence.format(told),
            usage_metadata={"input_tokens": 9, "output_tokens": 9, "total_tokens": 18},
            response_metadata={"finish_reason": "stop"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


class FakeEmbedder:
    """Unit vectors out of a hash: equal texts are equal, all others unrelated."""

    id, dimension, max_tokens = "fake", 16, 256

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        rows = [np.frombuffer(hashlib.sha512(t.encode()).digest(), np.int32).astype(np.float32) for t in texts]
        array = np.array(rows).reshape(len(texts), 16)
        return array / np.linalg.norm(array, axis=1, keepdims=True)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(t.split()) for t in texts]


class WordEmbedder:
    """The sum of a random vector for each word: texts are as near as the words that they share."""

    id, dimension, max_tokens = "words", 64, 256

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.array([sum(map(_vector, ["", *map(stem, content_words(t))])) for t in texts], np.float32)
        rows = rows.reshape(len(texts), self.dimension)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(t.split()) for t in texts]


def _vector(word: str) -> Vectors:
    return np.frombuffer(hashlib.sha512(word.encode()).digest(), np.int8).astype(np.float32)


def judge_by(verifier: Verifier, groups: Iterable[set[str]], *, sure: float = 0.99) -> None:
    """The verifier finds that questions of one group ask the same, and no others."""

    def likely(a: str, b: str) -> float:
        return sure if any({a, b} <= group for group in groups) else 0.01

    def judge(asked: Sequence[str], near: Sequence[Sequence[Wording]]) -> list[list[float]]:
        return [[likely(q, w.question) for w in wordings] for q, wordings in zip(asked, near, strict=True)]

    verifier.judge = judge  # type: ignore[method-assign]
