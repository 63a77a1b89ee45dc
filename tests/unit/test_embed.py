"""The shipped embedder: the same vector for a text whatever it is embedded with, and meaning before wording."""

import sys

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

from zuinig.core.errors import ConfigurationError
from zuinig.retrieval import embed

# Of every length, and in no order.
TEXTS = [" ".join(f"word{n % 7}" for n in range(length)) for length in (3, 190, 1, 40, 7, 300, 12, 90, 2, 25, 60, 5)]
# Eight-bit arithmetic is scaled by what else is in the batch.
CLOSE = 0.98


def cosines(a, b) -> np.ndarray:
    return np.sum(np.asarray(a) * np.asarray(b), axis=1)


def test_vectors_are_unit_rows_of_the_promised_shape(embedder):
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)


def test_batches_give_each_text_the_vector_it_has_alone_in_the_order_given(embedder):
    alone = np.concatenate([embedder.embed([t]) for t in TEXTS])
    together = embedder.embed(TEXTS)
    assert cosines(alone, together).min() > CLOSE
    # Each is nearest to itself, so that none changed places.
    distinct = [f"{name} is {n} years old" for n, name in enumerate(("Ann", "Bob", "the hall", "a lamp", "this law"))]
    scores = embedder.embed(distinct * 4) @ np.concatenate([embedder.embed([t]) for t in distinct]).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2, 3, 4] * 4


@pytest.mark.parametrize(("threads", "batch"), [(1, 1), (3, 5)])
def test_threads_and_batch_size_change_nothing(embedder, threads, batch):
    other = embed.load("all-MiniLM-L6-v2-int8", threads=threads, batch=batch)
    assert cosines(other.embed(TEXTS), embedder.embed(TEXTS)).min() > CLOSE


def test_no_text_gives_no_vectors(embedder):
    assert embedder.embed([]).shape == (0, embedder.dimension)
    assert embedder.embed_documents([]) == []
    assert embedder.count_tokens([]) == []


@pytest.mark.parametrize("text", ["", " \n", "\x00", "漢字 🙂", "\u202e"])
def test_odd_text_gets_a_vector_as_any_other(embedder, text):
    assert np.isfinite(embedder.embed([text, "a lamp"])).all()
    assert np.isfinite(embedder.embed([text])).all()


def test_what_stands_beyond_the_limit_is_not_read_but_counted(embedder):
    long = "lamp " * embedder.max_tokens
    assert cosines(embedder.embed([long]), embedder.embed([f"{long} and a boat of wood"]))[0] == pytest.approx(1)
    assert embedder.count_tokens([long]) == [embedder.max_tokens]


def test_tokens_are_counted_without_the_marks_that_frame_a_text(embedder):
    assert embedder.count_tokens(["", "lamp", "a lamp", "unquenchable"])[:3] == [0, 1, 2]


def test_it_serves_as_langchains_embeddings(embedder):
    assert isinstance(embedder, Embeddings)
    store = InMemoryVectorStore(embedder)
    store.add_texts(["Employees have 25 days of leave.", "The canteen opens at noon."])
    [found] = store.similarity_search("When is lunch?", k=1)
    assert found.page_content == "The canteen opens at noon."
    assert np.allclose(embedder.embed_query("lamp"), embedder.embed(["lamp"])[0])


NEAREST_FIRST = [
    (
        "How many vacation days do I get?",
        ["Employees have 25 days of paid leave a year.", "Leave is asked for in the portal.", "The roof is of slate."],
    ),
    (
        "My screen stays black",
        [
            "If the monitor shows nothing, check its cable.",
            "Laptops are handed out here.",
            "Soup is served daily.",
        ],
    ),
    (
        "reset my password",
        [
            "A lost password is renewed at the desk.",
            "Accounts are blocked after five tries.",
            "Parking is free.",
        ],
    ),
]


@pytest.mark.parametrize(("question", "sentences"), NEAREST_FIRST)
def test_what_means_the_same_is_nearer(embedder, question, sentences):
    scores = embedder.embed(sentences) @ embedder.embed([question])[0]
    assert [sentences[i] for i in np.argsort(-scores)] == sentences


@pytest.mark.parametrize("name", ["nowhere", "../models/all-MiniLM-L6-v2-int8", "/etc"])
def test_a_model_that_is_not_shipped_asks_for_the_extra_that_loads_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigurationError, match=r"zuinig\[torch\]"):
        embed.load(name)
