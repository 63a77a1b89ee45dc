"""Ollama, on its native API."""

from langchain_core.language_models import BaseChatModel
from langchain_ollama import ChatOllama

from zuinig.app.llm import Endpoint
from zuinig.core import outbound


def build(endpoint: Endpoint) -> BaseChatModel:
    return ChatOllama(
        model=endpoint.model,
        base_url=endpoint.base_url,
        temperature=0,
        num_predict=endpoint.max_output_tokens,
        num_ctx=endpoint.window_tokens,
        client_kwargs={"timeout": endpoint.timeout_s, "follow_redirects": False},
        sync_client_kwargs={"transport": outbound.transport("local")},
    )


def limit(llm: BaseChatModel, tokens: int) -> BaseChatModel:
    return llm.model_copy(update={"num_predict": tokens})
