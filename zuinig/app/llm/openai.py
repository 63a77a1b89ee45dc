"""OpenAI, and any server that speaks its API: vLLM, llama.cpp, LM Studio, LiteLLM, a gateway."""

from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from zuinig.core.settings import Settings


def build(settings: Settings, model: str) -> BaseChatModel:
    return ChatOpenAI(
        model=model,
        base_url=settings.llm_base_url,
        # Servers on own hardware want none, but the client insists on one.
        api_key=settings.llm_api_key or ("none" if settings.llm_base_url else None),
        temperature=0,
        max_completion_tokens=settings.llm_max_output_tokens,
        timeout=settings.llm_timeout_s,
        max_retries=0,
        # With a base URL of one's own, a stream reports no usage unless asked to.
        stream_usage=True,
    )
