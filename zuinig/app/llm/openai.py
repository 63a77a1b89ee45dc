"""OpenAI, and any server that speaks its API: vLLM, llama.cpp, LM Studio, LiteLLM, a gateway."""

from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI

from zuinig.app.llm import Endpoint
from zuinig.core import outbound


def build(endpoint: Endpoint) -> BaseChatModel:
    # OpenAI wants the limit as max_completion_tokens; other servers know max_tokens, and llama-cpp-python's goes on
    # without a limit where it stands under the newer name.
    client = ChatOpenAI if endpoint.base_url is None else BaseChatOpenAI
    return client(
        model=endpoint.model,
        base_url=endpoint.base_url,
        # Servers on own hardware want none, but the client insists on one.
        api_key=endpoint.api_key or ("none" if endpoint.base_url else None),
        temperature=0,
        max_tokens=endpoint.max_output_tokens,
        timeout=endpoint.timeout_s,
        max_retries=0,
        http_client=outbound.client("local", proxied=True, timeout=endpoint.timeout_s),
        # With a base URL of one's own, a stream reports no usage unless asked to.
        stream_usage=True,
    )


def limit(llm: BaseChatModel, tokens: int) -> BaseChatModel:
    return llm.model_copy(update={"max_tokens": tokens})
