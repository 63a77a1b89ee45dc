"""Models that read two texts together, on onnxruntime: batches beside each other, and no longer than a limit."""

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnxruntime import RunOptions
from tokenizers import Encoding, Tokenizer

from zuinig.retrieval.embed import open_session

Outputs = list[npt.NDArray[np.float32]]


class CrossEncoder:
    """A folder of model.onnx and tokenizer.json, as `training/to_onnx` makes it."""

    def __init__(self, folder: Path, *, max_tokens: int, threads: int = 0) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()
        self._session = open_session(folder / "model.onnx")
        self._threads = ThreadPoolExecutor(threads or min(os.cpu_count() or 1, 4), thread_name_prefix="cross")

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[Encoding]:
        """Of too long a pair the longer text is cut at its end."""
        encoded: list[Encoding] = self._tokenizer.encode_batch(list(pairs))
        return encoded

    def run(self, batches: Sequence[Sequence[Encoding]], limit_s: float | None) -> list[Outputs | None]:
        """What the graph gives for each batch, padded to its longest row; None for those not done by the limit.

        Batches begin in their order. Raises what onnxruntime raises.
        """
        options = RunOptions()
        running = [self._threads.submit(self._run, batch, options) for batch in batches]
        done, late = wait(running, limit_s, FIRST_EXCEPTION)
        for future in late:
            future.cancel()
        options.terminate = bool(late)  # ends those that run
        failed = next((f for f in done if not f.cancelled() and f.exception() is not None), None)
        if failed is not None:
            failed.result()
        return [future.result() if future in done else None for future in running]

    def _run(self, rows: Sequence[Any], options: RunOptions) -> Outputs:
        shape = len(rows), max(len(r.ids) for r in rows)
        arrays = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
        for i, row in enumerate(rows):
            length = len(row.ids)
            arrays["input_ids"][i, :length] = row.ids
            arrays["attention_mask"][i, :length] = 1
            arrays["token_type_ids"][i, :length] = row.type_ids
        outputs: Outputs = self._session.run(None, arrays, options)
        return outputs
