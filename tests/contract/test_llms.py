"""One battery over every adapter of a language model that stands in the folder."""

import socket
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from types import ModuleType, SimpleNamespace

import pytest
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr
from scripted import Serving

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


class Elsewhere(Serving):
    """Sends every request on to another host, and notes what arrives there."""

    def __init__(self):
        self.paths, self.keys = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.paths.append(self.path)
                self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path == "/stolen":
                    outer.keys.append(str(self.headers))
                # The same server by another name: another host to whoever follows.
                self.send_response(307)
                self.send_header("location", f"http://127.0.0.2:{outer.port}/stolen")
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815

        super().__init__(Handler, host="0.0.0.0")


@pytest.fixture
def elsewhere():
    found = Elsewhere()
    yield found
    found.close()


def asked(adapter, endpoint) -> Exception:
    with pytest.raises(Exception) as failed:  # each client has errors of its own
        list(adapter.build(endpoint).stream("Hello?"))
    return failed.value


def networked(adapter) -> None:
    if adapter.__name__.endswith("llamacpp"):
        pytest.skip("runs in this process and calls nobody")


def test_a_redirect_to_another_host_is_not_followed_with_the_key(adapter, endpoint, elsewhere):
    networked(adapter)
    asked(adapter, replace(endpoint, base_url=f"http://127.0.0.1:{elsewhere.port}"))
    assert len(elsewhere.paths) == 1
    assert elsewhere.keys == []


def test_the_metadata_service_is_no_language_model(adapter, endpoint, monkeypatch):
    networked(adapter)
    connected = []
    real = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda s, to: connected.append(to[0]) or real(s, ("127.0.0.1", 9)))
    asked(adapter, replace(endpoint, base_url="http://169.254.169.254"))
    assert connected == []
