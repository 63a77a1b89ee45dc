"""Anthropic, on its Messages API.

No `cache_control`: a prefix is cached from 1,024 tokens on (more for some models), and the whole of what is sent here
is shorter than that, so that a mark would never find anything. No temperature: the newer models refuse any but their
own.
"""

from functools import cached_property

import anthropic
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel

from zuinig.app.llm import Endpoint
from zuinig.core import outbound
from zuinig.core.errors import ConfigurationError


class _Chat(ChatAnthropic):
    """langchain-anthropic takes no client of HTTP: it makes one, which follows redirects with the key in its header."""

    @cached_property
    def _client(self) -> anthropic.Client:
        plain = anthropic.DefaultHttpxClient(follow_redirects=False, timeout=self.default_request_timeout)
        return anthropic.Client(**self._client_params, http_client=outbound.guard(plain, "local"))


def build(endpoint: Endpoint) -> BaseChatModel:
    """Raises ConfigurationError without a key. Where neither key nor base URL is set, ANTHROPIC_API_KEY counts."""
    key = endpoint.api_key.get_secret_value() if endpoint.api_key else "none" if endpoint.base_url else None
    own = {"base_url": endpoint.base_url, "api_key": key}
    built = _Chat(
        model_name=endpoint.model,
        max_tokens_to_sample=endpoint.max_output_tokens,
        timeout=endpoint.timeout_s,
        max_retries=0,
        **{name: value for name, value in own.items() if value is not None},
    )
    if not built.anthropic_api_key.get_secret_value():
        raise ConfigurationError(f"{endpoint.name} needs a key; set {endpoint.key_setting}.")
    return built


def limit(llm: BaseChatModel, tokens: int) -> BaseChatModel:
    return llm.model_copy(update={"max_tokens": tokens})
