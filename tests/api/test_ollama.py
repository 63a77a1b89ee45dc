"""Answers of a model in Ollama, end to end: a scripted server on a real socket, the service over HTTP before it."""

import json
import socket
from http.server import BaseHTTPRequestHandler

import pytest
from running import Running
from scripted import Serving

from zuinig.app.services import build
from zuinig.core import settings

HOTEL = "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"
ANSWER = "At most 143 euros per night [1]."
COUNTS = {"prompt_eval_count": 90, "eval_count": 9}


class Ollama(Serving):
    """Speaks /api/chat: a JSON object a line. `script` is what each request gets: a status, or lines."""

    def __init__(self):
        self.script, self.requests = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                assert self.path == "/api/chat"
                outer.requests.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                step = outer.script.pop(0)
                self.send_response(step if isinstance(step, int) else 200)
                self.send_header("content-type", "application/x-ndjson")
                self.end_headers()
                for line in [{"error": "scripted"}] if isinstance(step, int) else step:
                    self.wfile.write(json.dumps(line).encode() + b"\n")

        super().__init__(Handler)


def pieces(text: str) -> list[dict]:
    message = {"model": "qwen3", "created_at": "2026-01-01T00:00:00Z", "done": False}
    return [{**message, "message": {"role": "assistant", "content": f"{word} "}} for word in text.split()]


def said(text: str, **counts: int) -> list[dict]:
    end = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", **counts}
    return [*pieces(text), {"model": "qwen3", "created_at": "2026-01-01T00:00:00Z", **end}]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A service whose model is named as people name it: in the environment."""
    made = []

    def running(url: str) -> Running:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ZUINIG_DATA_DIR", str(tmp_path_factory.mktemp("data")))
            patch.setenv("ZUINIG_LLM", "ollama:qwen3")
            patch.setenv("ZUINIG_LLM_BASE_URL", url)
            patch.setenv("ZUINIG_LLM_RETRIES", "1")
            patch.setenv("ZUINIG_LLM_MAX_OUTPUT_TOKENS", "123")
            patch.setenv("ZUINIG_LLM_PRICE_PROMPT", "1000")
            patch.setenv("ZUINIG_SPECIALIST_WRONG_BUDGET", "0")  # every question is the model's
            made.append(Running(build(settings.load())))
        made[-1].upload("travel.md", HOTEL)
        return made[-1]

    yield running
    for each in made:
        each.stop()


@pytest.fixture(scope="module")
def server():
    found = Ollama()
    yield found
    found.close()


@pytest.fixture(scope="module")
def service(start, server):
    return start(server.url)


@pytest.fixture(scope="module")
def alone(start):
    """A service whose Ollama is not running."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    return start(url)


@pytest.fixture
def script(server):
    def write(*steps) -> Ollama:
        server.script, server.requests = list(steps), []
        return server

    return write


def events(running: Running, question: str) -> list[tuple[str, dict]]:
    body = {"question": question, "stream": True, "memory": "skip"}
    with running.client.stream("POST", "/v1/chat", json=body) as answer:
        blocks = answer.read().decode().strip().split("\n\n")
    lines = [block.split("\n") for block in blocks]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in lines]


def test_the_answer_streams_as_it_comes(service, script):
    script(said(ANSWER, **COUNTS))
    found = events(service, QUESTION)
    *deltas, (last, done) = found
    assert last == "done"
    assert {name for name, _ in deltas} == {"delta"}
    assert [data["text"].strip() for _, data in deltas if data["text"]] == ANSWER.split()
    assert (done["source"], done["answer"]) == ("llm", ANSWER)
    assert "143" in done["citations"][0]["quote"]


def test_what_ollama_counted_stands_in_the_ledger(service, script):
    script(said(ANSWER, **COUNTS))
    service.ask(QUESTION, memory="skip")
    entry = service.client.get("/v1/ledger", params={"limit": 1}).json()["data"][0]
    assert (entry["model"], entry["prompt_tokens"], entry["completion_tokens"]) == ("ollama:qwen3", 90, 9)
    assert entry["cost"] == 0.09
    [step] = entry["steps"]
    assert (step["rung"], step["model"], step["outcome"]) == ("small", "ollama:qwen3", "answered")
    assert (step["prompt_tokens"], step["completion_tokens"], step["cost"]) == (90, 9, 0.09)


def test_tokens_are_counted_here_where_ollama_does_not(service, script):
    script(said(ANSWER))
    usage = service.ask(QUESTION, memory="skip")["usage"]
    assert usage["prompt_tokens"] > 50
    assert usage["completion_tokens"] > 5


def test_the_request_names_the_model_and_its_limits(service, script):
    server = script(said(ANSWER))
    service.ask(QUESTION, memory="skip")
    [request] = server.requests
    assert (request["model"], request["stream"]) == ("qwen3", True)
    options = request["options"]
    assert (options["temperature"], options["num_predict"], options["num_ctx"]) == (0, 123, 8192)
    assert [m["role"] for m in request["messages"]] == ["system", "user"]
    assert "143 euros" in request["messages"][1]["content"]


def test_the_repeat_asks_no_model(service, script):
    server = script(said(ANSWER, **COUNTS))
    first, second = service.ask(QUESTION), service.ask(QUESTION)
    assert (first["source"], second["source"]) == ("llm", "memory")
    assert second["answer"] == first["answer"]
    assert len(server.requests) == 1


def test_an_error_that_may_pass_is_tried_again(service, script):
    server = script(503, said(ANSWER))
    assert service.ask(QUESTION, memory="skip")["source"] == "llm"
    assert len(server.requests) == 2


def test_a_model_that_is_not_there_is_asked_for_once_and_quoted_around(service, script):
    server = script(404, 404)
    found = service.ask(QUESTION, memory="skip")
    assert (found["source"], "143 euros" in found["answer"]) == ("none", True)
    assert len(server.requests) == 1


@pytest.mark.parametrize("end", [[], [{"error": "out of memory"}]], ids=["cut off", "error"])
def test_half_an_answer_ends_in_an_error_and_not_in_done(service, script, end):
    script([*pieces("At most 143"), *end])
    found = events(service, QUESTION)
    assert found[-1][0] == "error"
    assert "done" not in [name for name, _ in found]
    assert "language model" in found[-1][1]["detail"]


def test_without_ollama_the_answer_is_a_quote_that_says_so_and_costs_nothing(alone):
    found = alone.ask(QUESTION)
    assert found["source"] == "none"
    assert found["answer"].startswith("The documents may not answer this. What comes closest: “")
    assert "143 euros" in found["answer"]
    assert (found["usage"]["prompt_tokens"], found["usage"]["cost"], found["usage"]["model"]) == (0, 0, None)
    # The model may do better when it is back.
    assert alone.ask(QUESTION)["source"] == "none"


def test_without_ollama_and_without_a_quote_it_says_what_failed_and_what_to_do(alone, monkeypatch):
    # Near enough to the document to ask the model, too far from it to quote, however the reader is fitted.
    monkeypatch.setattr(alone.services.specialist, "_confidence", lambda *_: 0.1)
    failed = alone.client.post("/v1/chat", json={"question": QUESTION})
    assert failed.status_code == 502
    assert failed.json()["error"]["code"] == "llm_failed"
    assert failed.json()["detail"].startswith("The language model did not answer (")
    assert "ask without it" in failed.json()["detail"]
    assert alone.ask(QUESTION, llm="never")["source"] == "none"
