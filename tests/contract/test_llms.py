"""One battery over every adapter of a language model that stands in the folder."""

from decimal import Decimal
from types import ModuleType, SimpleNamespace

import pytest
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from zuinig.app import llm
from zuinig.app.llm import Endpoint
from zuinig.core import plugins


@pytest.fixture(params=plugins.names(llm))
def adapter(request) -> ModuleType:
    return plugins.load(llm, request.param, setting="test")


@pytest.fixture
def endpoint(adapter, tmp_path, monkeypatch) -> Endpoint:
    """With all that any of them needs: a key, an address, a file, llama.cpp."""
    made = SimpleNamespace(Llama=lambda **_: SimpleNamespace())
    monkeypatch.setitem(__import__("sys").modules, "llama_cpp", made)
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF")
    return Endpoint(
        rung="small",
        name=f"{adapter.__name__.rpartition('.')[2]}:{model}",
        model=str(model),
        base_url="http://127.0.0.1:9",
        api_key=SecretStr("sk-test"),
        timeout_s=5,
        max_output_tokens=321,
        window_tokens=2048,
        price_prompt=Decimal(0),
        price_completion=Decimal(0),
    )


def said(model: BaseChatModel) -> set[object]:
    return {getattr(model, name) for name in type(model).model_fields if name in ("max_tokens", "num_predict")}


def test_it_is_built_of_an_endpoint_alone(adapter, endpoint):
    built = adapter.build(endpoint)
    assert isinstance(built, BaseChatModel)
    assert said(built) == {321}


def test_a_limit_makes_the_next_answer_shorter_and_leaves_the_model_as_it_was(adapter, endpoint):
    built = adapter.build(endpoint)
    assert said(adapter.limit(built, 64)) == {64}
    assert said(built) == {321}


def test_a_key_is_not_shown_when_the_model_is_printed(adapter, endpoint):
    assert "sk-test" not in repr(adapter.build(endpoint))
