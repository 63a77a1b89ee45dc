"""PORT: a language model is a langchain-core `BaseChatModel`.

An adapter is a module named as the part of ZUINIG_LLM before the colon, with `build(endpoint) -> BaseChatModel` and
`limit(llm, tokens) -> BaseChatModel`: the same model, whose next answer is at most so long. Retries, timeouts over the
whole stream and fencing are done once, in `_call`, `app/rungs` and `app/prompt`, not here.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import SecretStr

from zuinig.core.errors import ConfigurationError
from zuinig.core.settings import Settings

Rung = Literal["small", "large"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a language model is, what it may do and what it costs. name: as in the settings and in the ledger, with its
    provider; model: without. Prices are those of a million tokens.
    """

    rung: Rung
    name: str
    model: str
    base_url: str | None
    api_key: SecretStr | None
    timeout_s: float
    max_output_tokens: int
    window_tokens: int
    price_prompt: Decimal
    price_completion: Decimal

    @property
    def provider(self) -> str:
        return self.name.partition(":")[0]

    @property
    def key_setting(self) -> str:
        """The variable that holds its key, for messages."""
        return "ZUINIG_LLM_API_KEY" if self.rung == "small" else "ZUINIG_LLM_LARGE_API_KEY"

    def cost_micros(self, prompt: int, completion: int) -> int:
        """Of so many tokens, in millionths of the currency. Tokens that the provider had cached count in full."""
        return round(prompt * self.price_prompt + completion * self.price_completion)


def endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    """The configured models, the small one first; none, one or two. Raises ConfigurationError."""
    if not settings.llm:
        if settings.llm_large:
            raise ConfigurationError("ZUINIG_LLM_LARGE needs ZUINIG_LLM beside it; with one model, set ZUINIG_LLM.")
        return ()
    small = Endpoint(
        rung="small",
        name=settings.llm,
        model=_model(settings.llm, "ZUINIG_LLM"),
        base_url=settings.llm_base_url,
        api_key=settings.llm_api_key,
        timeout_s=settings.llm_timeout_s,
        max_output_tokens=settings.llm_max_output_tokens,
        window_tokens=settings.llm_context_window_tokens,
        price_prompt=settings.llm_price_prompt,
        price_completion=settings.llm_price_completion,
    )
    if not settings.llm_large:
        return (small,)
    model = _model(settings.llm_large, "ZUINIG_LLM_LARGE")
    # A key goes to the server that it was given for, and to no other.
    beside = settings.llm_large.startswith(f"{small.provider}:") and settings.llm_large_base_url == small.base_url
    large = Endpoint(
        rung="large",
        name=settings.llm_large,
        model=model,
        base_url=settings.llm_large_base_url,
        api_key=settings.llm_large_api_key or (small.api_key if beside else None),
        timeout_s=settings.llm_timeout_s,
        max_output_tokens=settings.llm_max_output_tokens,
        window_tokens=settings.llm_large_context_window_tokens,
        price_prompt=settings.llm_large_price_prompt,
        price_completion=settings.llm_large_price_completion,
    )
    return small, large


def _model(name: str, setting: str) -> str:
    provider, _, model = name.partition(":")
    if not provider or not model:
        raise ConfigurationError(
            f"{setting} must name provider and model, such as openai:gpt-4o-mini, anthropic:claude-haiku-4-5, "
            "ollama:qwen3 or llamacpp:/models/small.gguf."
        )
    return model
