"""Ollama, on its native API."""

from langchain_core.language_models import BaseChatModel
from langchain_ollama import ChatOllama

from zuinig.core.settings import Settings


def build(settings: Settings, model: str) -> BaseChatModel:
    return ChatOllama(
        model=model,
        base_url=settings.llm_base_url,
        temperature=0,
        num_predict=settings.llm_max_output_tokens,
        num_ctx=settings.llm_context_window_tokens,
        client_kwargs={"timeout": settings.llm_timeout_s},
    )
