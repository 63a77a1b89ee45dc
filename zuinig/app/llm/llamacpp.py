"""llama.cpp in this process, on a GGUF file: `llamacpp:/models/small.gguf`. Needs the extra `llamacpp`."""

import importlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from zuinig.app.llm import Endpoint
from zuinig.core.errors import ConfigurationError

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


def build(endpoint: Endpoint) -> BaseChatModel:
    """Raises ConfigurationError without llama-cpp-python, or where the file is not one that it can load."""
    try:
        llama_cpp = importlib.import_module("llama_cpp")  # compiled from source, so an extra
    except ImportError as error:
        raise ConfigurationError(
            f"{endpoint.name} runs in llama.cpp, which is not installed: pip install 'zuinig[llamacpp]'."
        ) from error
    path = Path(endpoint.model).expanduser()
    if not path.is_file():
        raise ConfigurationError(f"{endpoint.name}: there is no file {path}; name a GGUF file.")
    try:
        llama = llama_cpp.Llama(model_path=str(path), n_ctx=endpoint.window_tokens, verbose=False)
    except (ValueError, RuntimeError, OSError) as error:
        raise ConfigurationError(f"{endpoint.name}: llama.cpp cannot load {path}: {error}") from error
    return ChatLlama(
        llama=llama, lock=threading.Lock(), max_tokens=endpoint.max_output_tokens, wait_s=endpoint.timeout_s
    )


def limit(llm: BaseChatModel, tokens: int) -> BaseChatModel:
    return llm.model_copy(update={"max_tokens": tokens})


class ChatLlama(BaseChatModel):
    """A `llama_cpp.Llama`, which works on one answer at a time. wait_s: how long a question waits for its turn."""

    llama: Any
    lock: Any
    max_tokens: int
    wait_s: float

    @property
    def _llm_type(self) -> str:
        return "llama.cpp"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        if not self.lock.acquire(timeout=self.wait_s):
            raise TimeoutError("llama.cpp is busy with other questions")
        try:
            text, reason = "", ""
            for chunk in self.llama.create_chat_completion(
                messages=_plain(messages), max_tokens=self.max_tokens, temperature=0.0, stream=True, stop=stop
            ):
                choice: Mapping[str, Any] = chunk["choices"][0]
                reason = choice.get("finish_reason") or reason
                if piece := choice["delta"].get("content"):
                    text += piece
                    yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if reason:
                end = AIMessageChunk(
                    content="", response_metadata={"finish_reason": reason}, usage_metadata=self._usage(text, reason)
                )
                yield ChatGenerationChunk(message=end)
        finally:
            self.lock.release()

    def _usage(self, text: str, reason: str) -> UsageMetadata:
        """llama.cpp counts no tokens in a stream. Evaluated were the prompt and the answer, but for a last token that
        the limit of output left unread.
        """
        completion = self._count(f"\n{text}") - self._count(
            "\n"
        )  # the start of a text may count a space that none said
        prompt = max(0, self.llama.n_tokens - completion + (reason == "length"))
        return UsageMetadata(input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion)

    def _count(self, text: str) -> int:
        return len(self.llama.tokenize(text.encode(), add_bos=False))


def _plain(messages: Sequence[BaseMessage]) -> list[dict[str, str]]:
    return [{"role": _ROLES[m.type], "content": str(m.text)} for m in messages]
