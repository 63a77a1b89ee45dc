"""Answers of Anthropic's Messages API: a scripted server on a real socket, through the real client."""

import json
from http.server import BaseHTTPRequestHandler

import pytest
from running import ingest
from scripted import Serving

from zuinig.app.asked import Ask
from zuinig.app.llm import endpoints
from zuinig.app.llm.anthropic import build as build_adapter
from zuinig.app.services import build
from zuinig.core.errors import ConfigurationError
from zuinig.core.settings import Settings
from zuinig.core.types import Source

HOTEL = "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"
ANSWER = "At most 143 euros per night [1]."


class Messages(Serving):
    """script: what each request gets: a status, or a text with its stop reason, None where the stream breaks off."""

    def __init__(self, *script):
        self.script, self.requests, self.headers = list(script), [], []
        self.usage = {"input_tokens": 90, "output_tokens": 9}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                assert self.path == "/v1/messages"
                outer.requests.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                outer.headers.append(self.headers)
                step = outer.script.pop(0)
                self.send_response(step if isinstance(step, int) else 200)
                self.send_header("content-type", "application/json" if isinstance(step, int) else "text/event-stream")
                self.end_headers()
                if isinstance(step, int):
                    self.wfile.write(b'{"type": "error", "error": {"type": "scripted", "message": "scripted"}}')
                    return
                text, reason = step
                begun = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m"}
                usage = {"input_tokens": 90, "output_tokens": 1}
                self.event("message_start", message={**begun, "stop_reason": None, "usage": usage})
                self.event("content_block_start", index=0, content_block={"type": "text", "text": ""})
                for word in text.split():
                    self.event("content_block_delta", index=0, delta={"type": "text_delta", "text": f"{word} "})
                if reason is not None:
                    self.event("content_block_stop", index=0)
                    self.event("message_delta", delta={"stop_reason": reason}, usage=outer.usage)
                    self.event("message_stop")

            def event(self, kind, **data):
                self.wfile.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode())

        super().__init__(Handler)


@pytest.fixture
def ask(tmp_path):
    made = []

    def start(*script, **settings):
        server = Messages(*script)
        settings = {"llm_api_key": "sk-test", "llm_retries": 1, "llm_price_completion": 1000, **settings}
        settings.setdefault("specialist_wrong_budget", 0)
        services = build(
            Settings(data_dir=tmp_path, ingest_workers=0, llm="anthropic:m", llm_base_url=server.url, **settings)
        )
        made.extend([server, services])
        ingest(services, "travel.md", HOTEL)
        principal = services.auth.of_key(services.auth.ensure_admin_key().read_text().strip())
        return server, lambda: services.answers.ask(Ask(QUESTION, memory="skip"), principal)

    yield start
    for each in made:
        each.close()


def test_the_answer_is_cited_and_its_tokens_are_those_of_the_provider(ask):
    _, answer = ask((ANSWER, "end_turn"))
    found = answer()
    assert (found.source, found.answer) == (Source.LLM, ANSWER)
    assert "143" in found.citations[0].quote
    usage = found.usage
    assert (usage.model, usage.prompt_tokens, usage.completion_tokens) == ("anthropic:m", 90, 9)
    assert usage.cost == 0.009


def test_tokens_are_counted_here_where_the_end_does_not_tell_those_of_the_prompt(ask):
    server, answer = ask((ANSWER, "end_turn"))
    server.usage = {"output_tokens": 9}
    assert answer().usage.prompt_tokens > 70


def test_the_request_names_the_model_its_limit_and_the_key(ask):
    server, answer = ask((ANSWER, "end_turn"), llm_max_output_tokens=123)
    answer()
    [request] = server.requests
    assert (request["model"], request["max_tokens"], request["stream"]) == ("m", 123, True)
    assert "temperature" not in request
    assert request["system"].startswith("Answer in the question's language")
    assert "143 euros" in json.dumps(request["messages"])
    assert "sk-test" in str(server.headers[0])


def test_a_server_that_is_overloaded_is_asked_again(ask):
    server, answer = ask(529, (ANSWER, "end_turn"))
    assert answer().source == Source.LLM
    assert len(server.requests) == 2


def test_a_wrong_key_is_not_tried_again_and_what_comes_closest_is_shown(ask):
    server, answer = ask(401)
    found = answer()
    assert (found.source, "143" in found.answer) == (Source.NONE, True)
    assert len(server.requests) == 1


def test_a_stream_that_breaks_off_is_no_answer(ask):
    _, answer = ask(("It is 143", None))
    with pytest.raises(Exception, match="language model"):
        answer()


def test_without_a_key_it_says_which_setting_to_fill(monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    small, large = endpoints(Settings(llm="anthropic:s", llm_large="anthropic:l"))
    with pytest.raises(ConfigurationError, match="set ZUINIG_LLM_API_KEY"):
        build_adapter(small)
    with pytest.raises(ConfigurationError, match="set ZUINIG_LLM_LARGE_API_KEY"):
        build_adapter(large)
