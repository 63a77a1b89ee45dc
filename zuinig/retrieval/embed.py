"""Text -> unit vectors. The shipped model runs on onnxruntime; any sentence-transformers model can take its place."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
from langchain_core.embeddings import Embeddings
from tokenizers import Tokenizer

from zuinig.core.errors import ConfigurationError

Vectors = npt.NDArray[np.float32]
MODELS = Path(__file__).parent.parent / "models"

# Padded tokens in a batch: the activations of more no longer fit a core's cache, and batches of eight passages of 200
# tokens cost a third more than one passage at a time. Short texts lose that much when they run alone.
_BATCH_TOKENS = 256


class Embedder(Protocol):
    """id: names model and form; vectors of different ids are never compared."""

    id: str
    dimension: int
    max_tokens: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 (n, dimension), unit rows, in the order of texts."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """A model to run on one thread; whoever has more to do runs several batches beside each other.

    Raises ConfigurationError for a file that is none.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(
            str(path),
            options,
            providers=["CPUExecutionProvider"],
            # onnxruntime's fused kernel takes four times as long as the sum and the normalisation that it replaces.
            disabled_optimizers=["SkipLayerNormFusion"],
        )
    except Exception as error:  # onnxruntime raises its own
        raise ConfigurationError(f"The model {path} cannot be loaded: {error}") from error


class OnnxEmbedder(Embeddings):
    """A folder of model.onnx, tokenizer.json and config.json, as `training/export_embedder` makes it.

    Each batch runs on one thread and the batches run beside each other: on two cores 15 % more passages a second than
    one batch on two threads, and a question never waits for the threads of a batch to meet.
    """

    def __init__(self, folder: Path, *, threads: int = 0, batch: int = 8) -> None:
        config = json.loads((folder / "config.json").read_text())
        self.id: str = config["id"]
        self.dimension: int = config["dimension"]
        self.max_tokens: int = config["max_tokens"]
        self._batch = batch
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(self.max_tokens)
        self._tokenizer.no_padding()
        self._counter = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._counter.no_truncation()
        self._counter.no_padding()
        self._session = open_session(folder / "model.onnx")
        self._threads = ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 4), thread_name_prefix="embed")

    def embed(self, texts: Sequence[str]) -> Vectors:
        if len(texts) == 1:
            return self._run([self._tokenizer.encode(texts[0]).ids])
        rows = [e.ids for e in self._tokenizer.encode_batch(list(texts))]
        out = np.empty((len(rows), self.dimension), np.float32)
        batches = list(_batches([len(row) for row in rows], self._batch))
        results = self._threads.map(lambda batch: self._run([rows[i] for i in batch]), batches)
        for batch, vectors in zip(batches, results, strict=True):
            out[batch] = vectors
        return out

    def _run(self, rows: list[list[int]]) -> Vectors:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        vectors: Vectors = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Without the two special tokens that frame a text."""
        return [len(e.ids) for e in self._counter.encode_batch(list(texts), add_special_tokens=False)]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [list(map(float, row)) for row in self.embed(texts)] if texts else []

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def _batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Indices into lengths, longest first: a batch carries next to no padding, and what runs last is short."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    at = 0
    while at < len(order):
        room = max(1, min(most, _BATCH_TOKENS // max(1, lengths[order[at]])))
        yield order[at : at + room]
        at += room


class SentenceTransformersEmbedder(Embeddings):
    """Any sentence-transformers model, by name or path; costs torch, and seconds at the start."""

    def __init__(self, name: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415  # 8 CPU-seconds, only where named
        except ImportError as error:
            raise ConfigurationError(
                f"ZUINIG_EMBEDDER={name} is no shipped model; others need the extra: pip install 'zuinig[torch]'."
            ) from error
        try:
            self._model = SentenceTransformer(name, device="cpu")
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"The embedder {name} could not be loaded: {error}") from error
        self.id = f"sentence-transformers:{name}"
        self.dimension = int(self._model.get_sentence_embedding_dimension())
        self.max_tokens = int(self._model.max_seq_length or 512)

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.asarray(
            self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False), np.float32
        )

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        encoded = self._model.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return [len(ids) for ids in encoded]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [list(map(float, row)) for row in self.embed(texts)] if texts else []

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def load(name: str, *, threads: int = 0, batch: int = 8) -> Embedder:
    """The shipped model of that name, that in that folder, else sentence-transformers. Raises ConfigurationError."""
    folder = MODELS / name  # the folder alone, where name is an absolute path
    if (Path(name).name == name or Path(name).is_absolute()) and (folder / "model.onnx").is_file():
        return OnnxEmbedder(folder, threads=threads, batch=batch)
    return SentenceTransformersEmbedder(name)
