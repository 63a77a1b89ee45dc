"""Ways to make a context smaller: what others offer for it, and plain choices of sentences, on the passages found.

All embed with Zuinig's embedder and see the same passages, of which those under one heading share it; what is kept of a
passage stands in its order. Those that raise where nothing is left, or keep nothing, keep nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline, EmbeddingsFilter
from langchain_community.document_transformers import EmbeddingsRedundantFilter
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_text_splitters import CharacterTextSplitter
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.postprocessor import SentenceEmbeddingOptimizer
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from zuinig.core.tokens import Tokens
from zuinig.core.types import Hit
from zuinig.retrieval import sentences
from zuinig.retrieval.embed import Embedder
from zuinig.retrieval.pack import BASELINE_PASSAGES, heading, under
from zuinig.retrieval.sentences import Sentence
from zuinig.retrieval.words import content_words, stem, words

BUDGETS = (40, 60, 80, 110, 150, 200, 300, 450, 600)
_COSINES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_CHUNK_CHARS = 300  # as in LangChain's guide to the pipeline
_K1, _B = 1.2, 0.75

# Of a question and its passages, best first: the context.
Pack = Callable[[str, Sequence[Hit]], str]


@dataclass(frozen=True, slots=True)
class Packer:
    name: str
    setting: str
    pack: Pack


class Remembered(Embeddings):
    """Each text is embedded once, however many settings ask for it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, list[float]] = {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed(new).tolist(), strict=True))
        return [self._known[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class _ForLlamaIndex(BaseEmbedding):
    _embeddings: Embeddings = PrivateAttr()

    def __init__(self, embeddings: Embeddings, **named: Any) -> None:
        super().__init__(**named)
        self._embeddings = embeddings

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._embeddings.embed_query(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._embeddings.embed_query(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embeddings.embed_query(text)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embeddings.embed_documents(texts)


def peers(embedder: Embedder, tokens: Tokens, passages: int) -> Iterator[Packer]:
    """Each over the passages of the baseline, and over all that Zuinig reads."""
    embeddings = Remembered(embedder)
    for most in sorted({BASELINE_PASSAGES, passages}):
        made = [*langchain(embeddings, most), *llama_index(embeddings), *by_sentence(embeddings, tokens)]
        for packer in made:
            yield Packer(f"{packer.name}, top {most}", packer.setting, partial(_of_the_first, most, packer.pack))


def _of_the_first(most: int, pack: Pack, question: str, hits: Sequence[Hit]) -> str:
    return pack(question, hits[:most])


def rendered(pieces: Iterable[tuple[Hit, str]]) -> str:
    """As Zuinig's context is: pieces of one passage together, and passages under one heading share it."""
    groups: dict[tuple[str, str], dict[int, list[str]]] = {}
    for hit, text in pieces:
        groups.setdefault(under(hit), {}).setdefault(hit.passage_id, []).append(text)
    numbers = count(1)
    return "\n\n".join(
        "\n".join((shown, *(f"[{next(numbers)}] {' '.join(texts)}" for texts in passages.values())))
        for (_, shown), passages in groups.items()
    )


def langchain(embeddings: Embeddings, most: int) -> Iterator[Packer]:
    """EmbeddingsFilter over passages; and the pipeline of its guide: split, drop what is redundant, filter."""
    split = [
        CharacterTextSplitter(chunk_size=_CHUNK_CHARS, chunk_overlap=0, separator=". "),
        EmbeddingsRedundantFilter(embeddings=embeddings),
    ]
    for options in ({"k": k} for k in range(1, most + 1) if k <= BASELINE_PASSAGES):
        yield _filter("LangChain EmbeddingsFilter", [], embeddings, options)
    for options in ({"k": None, "similarity_threshold": cosine} for cosine in _COSINES):
        yield _filter("LangChain EmbeddingsFilter", [], embeddings, options)
    for options in ({"k": k} for k in (1, 2, 3, 4, 6, 8, 12)):
        yield _filter("LangChain split + filter", split, embeddings, options)
    for options in ({"k": None, "similarity_threshold": cosine} for cosine in _COSINES):
        yield _filter("LangChain split + filter", split, embeddings, options)


def _filter(name: str, before: Sequence[Any], embeddings: Embeddings, options: dict[str, Any]) -> Packer:
    last = EmbeddingsFilter(embeddings=embeddings, **options)
    pipeline = DocumentCompressorPipeline(transformers=[*before, last])
    setting = f"k={options['k']}" if options["k"] else f"similarity_threshold={options['similarity_threshold']}"

    def pack(question: str, hits: Sequence[Hit]) -> str:
        documents = [Document(page_content=hit.text, metadata={"n": n}) for n, hit in enumerate(hits)]
        kept = pipeline.compress_documents(documents, question)
        return rendered((hits[d.metadata["n"]], d.page_content) for d in kept)

    return Packer(name, setting, pack)


def llama_index(embeddings: Embeddings) -> Iterator[Packer]:
    """SentenceEmbeddingOptimizer, with a sentence to both sides as by default, and without.

    It is given Zuinig's sentences: by itself it takes a Punkt tokeniser that was trained on nothing.
    """
    model = _ForLlamaIndex(embeddings)
    for name, around in (("LlamaIndex optimizer", None), ("LlamaIndex optimizer, no neighbours", 0)):
        for options in (
            *({"percentile_cutoff": share} for share in (0.2, 0.3, 0.5, 0.7)),
            *({"threshold_cutoff": cosine} for cosine in _COSINES),
        ):
            optimizer = SentenceEmbeddingOptimizer(
                model, tokenizer_fn=_split, context_before=around, context_after=around, **options
            )
            [(option, value)] = options.items()
            yield Packer(name, f"{option}={value}", partial(_optimized, optimizer))


def _split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences.split(text)]


def _optimized(optimizer: SentenceEmbeddingOptimizer, question: str, hits: Sequence[Hit]) -> str:
    pieces = []
    for hit in hits:
        node = NodeWithScore(node=TextNode(text=hit.text), score=hit.score)
        try:
            [kept] = optimizer.postprocess_nodes([node], QueryBundle(question))
        except ValueError:  # no sentence is near enough
            continue
        pieces.append((hit, kept.node.get_content()))
    return rendered(pieces)


def by_sentence(embeddings: Embeddings, tokens: Tokens) -> Iterator[Packer]:
    """The sentences best first, until the budget is full."""
    for name, score in (("BM25 sentences", bm25), ("MiniLM sentences", partial(_cosines, embeddings))):
        for budget in BUDGETS:
            yield Packer(name, f"{budget} tokens", partial(_chosen, score, tokens, budget))


def _cosines(embeddings: Embeddings, question: str, texts: list[str]) -> list[float]:
    cosines: list[float] = (
        np.array(embeddings.embed_documents(texts)) @ np.array(embeddings.embed_query(question))
    ).tolist()
    return cosines


def bm25(question: str, texts: list[str]) -> list[float]:
    """Robertson and Zaragoza (2009), over these texts alone."""
    stems = [Counter(stem(w) for w in words(text)) for text in texts]
    lengths = np.array([sum(s.values()) for s in stems])
    scores = np.zeros(len(texts))
    for term in {stem(w) for w in content_words(question)}:
        times = np.array([s[term] for s in stems])
        holding = (times > 0).sum()
        weight = np.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
        scores += weight * times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * lengths / lengths.mean()))
    ranked: list[float] = scores.tolist()
    return ranked


def _chosen(
    score: Callable[[str, list[str]], list[float]],
    tokens: Tokens,
    budget: int,
    question: str,
    hits: Sequence[Hit],
) -> str:
    split = [s for hit in hits for s in sentences.of_hit(hit)]
    if not split:
        return ""
    scores = score(question, [s.text for s in split])
    chosen: list[Sentence] = []
    seen: set[str] = set()
    spent = 0
    for _, sentence in sorted(zip(scores, split, strict=True), key=lambda pair: -pair[0]):
        cost = tokens.count(sentence.shown) + 1
        hit = sentence.hit
        if all(s.hit.passage_id != hit.passage_id for s in chosen):
            cost += 4
        if all(under(s.hit) != under(hit) for s in chosen):
            cost += tokens.count(heading(hit)) + 2
        # Passages overlap: the same sentence is paid for once.
        if sentence.text not in seen and spent + cost <= budget:
            spent += cost
            seen.add(sentence.text)
            chosen.append(sentence)
    return rendered((s.hit, s.shown) for s in sorted(chosen, key=lambda s: s.start))
