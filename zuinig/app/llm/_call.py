"""One call of a language model: streamed, tried again where that may help, and never taken for whole when it is not."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog
from langchain_core.exceptions import ModelError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_ai_message_chunks

from zuinig.app.llm import Endpoint
from zuinig.core.errors import LLMFailed

log = structlog.get_logger()

_AT_THE_LIMIT = ("length", "max_tokens", "model_context_window_exceeded")


@dataclass(frozen=True, slots=True)
class Model:
    """An endpoint and its client. limit: as in the adapters' port."""

    endpoint: Endpoint
    client: BaseChatModel
    limit: Callable[[BaseChatModel, int], BaseChatModel]


@dataclass(frozen=True, slots=True)
class Piece:
    """text: as it comes, "" at the end. usage: as known so far. cut: whether the answer ended at the limit of output,
    known at the end.
    """

    text: str
    usage: UsageMetadata | None
    cut: bool = False


def stream_text(
    llm: BaseChatModel,
    messages: Sequence[BaseMessage],
    retries: int,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Piece]:
    """Pieces of the answer. Raises LLMFailed.

    Tried again after an error that may pass, as long as nothing was said yet.
    """
    for attempt in range(retries + 1):
        whole: AIMessageChunk | None = None
        try:
            for chunk in llm.stream(list(messages)):
                whole = chunk if whole is None else add_ai_message_chunks(whole, chunk)
                if chunk.text:
                    yield Piece(chunk.text, whole.usage_metadata)
            reason = _finish(whole)
            if whole is None or not reason:
                raise LLMFailed("The language model's answer broke off; ask again.", code="llm_cut_off")
            yield Piece("", whole.usage_metadata, cut=reason in _AT_THE_LIMIT)
        except GeneratorExit:
            raise
        except Exception as error:  # each vendor's client has errors of its own beside the neutral tree
            said = whole is not None and bool(whole.text)
            if said or attempt == retries or not _may_pass(error):
                raise _told(error) from error
            log.info("llm.retry", attempt=attempt + 1, error=type(error).__name__)
            sleep(min(0.5 * 2**attempt, 8))
        else:
            return


def _finish(whole: AIMessageChunk | None) -> str:
    """A stream that ends without a finish reason was cut off, though no client calls that an error."""
    about = whole.response_metadata if whole is not None else {}
    found = about.get("finish_reason") or about.get("stop_reason") or about.get("done_reason") or about.get("done")
    return str(found or "")


def _may_pass(error: Exception) -> bool:
    """By the provider-neutral tree, else by the HTTP status it bears; what has neither is a broken connection."""
    if isinstance(error, ModelError):
        return error.is_retryable
    status = getattr(error, "status_code", None)
    return not isinstance(status, int) or not 400 <= status < 500 or status in (408, 425, 429)


def _told(error: Exception) -> LLMFailed:
    if isinstance(error, LLMFailed):
        return error
    log.warning("llm.error", error=type(error).__name__, detail=str(error)[:300])
    return LLMFailed(f"The language model did not answer ({type(error).__name__}); ask again, or ask without it.")
