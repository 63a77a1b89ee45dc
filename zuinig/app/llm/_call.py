"""One call of a language model: streamed, tried again where that may help, and never taken for whole when it is not."""

import time
from collections.abc import Callable, Iterator, Sequence

import structlog
from langchain_core.exceptions import ModelError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_ai_message_chunks

from zuinig.core.errors import LLMFailed

log = structlog.get_logger()


def stream_text(
    llm: BaseChatModel,
    messages: Sequence[BaseMessage],
    retries: int,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[str, UsageMetadata | None]]:
    """Pieces of the answer and the usage known so far. Raises LLMFailed.

    Tried again after an error that may pass, as long as nothing was shown yet.
    """
    for attempt in range(retries + 1):
        whole: AIMessageChunk | None = None
        try:
            for chunk in llm.stream(list(messages)):
                whole = chunk if whole is None else add_ai_message_chunks(whole, chunk)
                if chunk.text:
                    yield chunk.text, whole.usage_metadata
            if whole is None or not _finished(whole):
                raise LLMFailed("The language model's answer broke off; ask again.", code="llm_cut_off")
            yield "", whole.usage_metadata
        except GeneratorExit:
            raise
        except Exception as error:  # each vendor's client has errors of its own beside the neutral tree
            shown = whole is not None and bool(whole.text)
            if shown or attempt == retries or not _may_pass(error):
                raise _told(error) from error
            log.info("llm.retry", attempt=attempt + 1, error=type(error).__name__)
            sleep(min(0.5 * 2**attempt, 8))
        else:
            return


def _finished(whole: AIMessageChunk) -> bool:
    """A stream that ends without a finish reason was cut off, though no client calls that an error."""
    about = whole.response_metadata
    return bool(about.get("finish_reason") or about.get("stop_reason") or about.get("done_reason") or about.get("done"))


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
