"""llama.cpp in process, on a stand-in that has the shape of `llama_cpp`: the real one takes minutes to compile."""

import sys
import threading
from decimal import Decimal
from types import SimpleNamespace

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from zuinig.app.llm import Endpoint, llamacpp
from zuinig.app.llm._call import stream_text
from zuinig.core.errors import ConfigurationError, LLMFailed

MESSAGES = [SystemMessage("Be short."), HumanMessage("What does it cost?")]


class Llama:
    """Says the words of `answer`, up to max_tokens; a word is a token, and the prompt was 20."""

    answer, ends = "It costs 143 euros [1].", True
    working = most_working = 0
    made: list["Llama"]

    def __init__(self, **options):
        self.options, self.requests, self.n_tokens = options, [], 0
        type(self).made.append(self)

    def create_chat_completion(self, **request):
        self.requests.append(request)
        words = self.answer.split()
        self.working += 1
        self.most_working = max(self.most_working, self.working)
        yield {"choices": [{"delta": {"role": "assistant"}, "finish_reason": None}]}
        for word in words[: request["max_tokens"]]:
            yield {"choices": [{"delta": {"content": f"{word} "}, "finish_reason": None}]}
        cut = len(words) > request["max_tokens"]
        self.n_tokens = 20 + (request["max_tokens"] - 1 if cut else len(words))
        self.working -= 1
        if self.ends:
            yield {"choices": [{"delta": {}, "finish_reason": "length" if cut else "stop"}]}

    def tokenize(self, text, add_bos):
        assert not add_bos
        return text.split()


@pytest.fixture
def fake(monkeypatch):
    kind = type("Llama", (Llama,), {"made": []})
    monkeypatch.setitem(sys.modules, "llama_cpp", SimpleNamespace(Llama=kind))
    return kind


@pytest.fixture
def endpoint(tmp_path):
    file = tmp_path / "small.gguf"
    file.write_bytes(b"GGUF")
    return Endpoint("small", f"llamacpp:{file}", str(file), None, None, 5, 40, 2048, Decimal(0), Decimal(0))


def test_an_answer_streams_with_its_tokens_counted(fake, endpoint):
    built = llamacpp.build(endpoint)
    pieces = list(stream_text(built, MESSAGES, 0))
    assert "".join(p.text for p in pieces).strip() == Llama.answer
    assert len(pieces) > 4
    assert (pieces[-1].usage["input_tokens"], pieces[-1].usage["output_tokens"], pieces[-1].cut) == (20, 5, False)
    [llama] = fake.made
    assert (llama.options["n_ctx"], llama.requests[0]["temperature"]) == (2048, 0)
    assert [m["role"] for m in llama.requests[0]["messages"]] == ["system", "user"]


def test_a_limit_cuts_the_answer_and_says_so(fake, endpoint):
    built = llamacpp.limit(llamacpp.build(endpoint), 2)
    last = list(stream_text(built, MESSAGES, 0))[-1]
    assert (last.usage["input_tokens"], last.usage["output_tokens"], last.cut) == (20, 2, True)
    assert len(fake.made) == 1  # the weights are loaded once, whatever the limit


def test_a_stream_without_an_end_is_no_answer(fake, endpoint):
    fake.ends = False
    with pytest.raises(LLMFailed, match="broke off"):
        list(stream_text(llamacpp.build(endpoint), MESSAGES, 0))


def test_one_answer_is_made_at_a_time(fake, endpoint):
    built = llamacpp.build(endpoint)
    short = llamacpp.limit(built, 3)
    asking = [threading.Thread(target=lambda m=m: list(stream_text(m, MESSAGES, 0))) for m in (built, short) * 8]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(30)
    assert len(fake.made[0].requests) == 16
    assert fake.made[0].most_working == 1


def test_an_asker_who_goes_away_leaves_the_model_free(fake, endpoint):
    built = llamacpp.build(endpoint)
    leaving = stream_text(built, MESSAGES, 0)
    next(leaving)
    leaving.close()
    assert list(stream_text(built, MESSAGES, 0))[-1].usage["output_tokens"] == 5


def test_without_llama_cpp_it_says_what_to_install(monkeypatch, endpoint):
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'zuinig\[llamacpp\]'"):
        llamacpp.build(endpoint)


def test_a_file_that_is_not_there_or_no_model_is_named(fake, endpoint, monkeypatch):
    with pytest.raises(ConfigurationError, match=r"there is no file .*none\.gguf"):
        llamacpp.build(Endpoint("small", "llamacpp:none.gguf", "none.gguf", None, None, 5, 40, 2048, *[Decimal(0)] * 2))

    def refuse(**_):
        raise ValueError("Failed to load model from file")

    monkeypatch.setitem(sys.modules, "llama_cpp", SimpleNamespace(Llama=refuse))
    with pytest.raises(ConfigurationError, match="cannot load"):
        llamacpp.build(endpoint)
