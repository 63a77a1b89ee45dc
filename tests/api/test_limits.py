"""Limits and turns from outside: who is refused, who waits, and who does not notice."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from fakes import FakeEmbedder
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from running import Running
from scripted import Scripted

from zuinig.app.services import build
from zuinig.core.settings import Settings
from zuinig.core.types import Scope
from zuinig.retrieval import embed

HOTEL = "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"
REMEMBERED = "When does the canteen open?"


def until(condition: Callable[[], bool]) -> None:
    """The test's own time limit ends a wait for what never comes."""
    while not condition():
        time.sleep(0.01)


def client_of(service: Running, user: str | None = None, *scopes: Scope, **headers: str) -> httpx.Client:
    scopes = scopes or (Scope.READ, Scope.ASK, Scope.UPLOAD)
    _, key = service.services.auth.create_key("test", scopes, user=user)
    return httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {key}", **headers}, timeout=60)


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Without vectors that mean anything: what is limited here never looks at them."""
    running = []
    monkeypatch.setattr(embed, "load", lambda *_, **__: FakeEmbedder())

    def start(**settings) -> Running:
        running.append(Running(build(Settings(data_dir=tmp_path, ingest_workers=0, **settings))))
        return running[0]

    yield start
    for each in running:
        each.stop()


# Limits


def test_a_key_over_its_limit_is_told_when_to_come_back_and_others_do_not_notice(serve):
    service = serve(limit_requests="3/hour")
    one, other = client_of(service), client_of(service)
    assert [one.get("/v1/models").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = one.get("/v1/documents")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-request-id"]
    body = refused.json()
    assert (body["status"], body["error"]["code"]) == (429, "rate_limit_exceeded")
    assert body["error"]["type"] == "rate_limit_error"
    assert 0 < int(refused.headers["retry-after"]) == body["retry_after_s"] <= 7200
    assert other.get("/v1/models").status_code == 200
    assert one.get("/healthz").status_code == 200
    assert 'zuinig_limited_total{limit="requests"} 2.0' in other.get("/metrics").text


def test_keys_of_one_user_share_a_limit(serve):
    service = serve(limit_requests="2/hour")
    ann, anns_other, bob = (client_of(service, user) for user in ("ann", "ann", "bob"))
    assert [c.get("/v1/models").status_code for c in (ann, anns_other, anns_other, bob)] == [200, 200, 429, 200]


def test_all_behind_an_address_share_its_limit_with_and_without_a_key(serve):
    service = serve(limit_requests_per_address="3/hour", limit_sign_ins="off")
    one, other = client_of(service, "ann"), client_of(service, "bob")
    assert [c.get("/v1/models").status_code for c in (one, other)] == [200, 200]
    assert wrong(service) == 401
    refused = one.get("/v1/models")
    assert refused.status_code == 429
    assert refused.json()["detail"].startswith("More requests from this address than 3 in an hour")
    assert int(refused.headers["retry-after"]) > 0
    assert one.post("/v1/documents", files=[("files", ("a.txt", b"a"))]).status_code == 429
    assert one.get("/healthz").status_code == 200


def test_an_upload_counts_once_for_its_address(serve):
    client = client_of(serve(limit_requests_per_address="2/hour"))
    sent = [client.post("/v1/documents", files=[("files", ("a.txt", b"a"))]).status_code for _ in range(3)]
    assert sent == [202, 202, 429]


def test_the_limit_of_an_address_is_that_of_the_client_behind_a_named_proxy(serve):
    service = serve(limit_requests_per_address="1/hour", trusted_proxies="127.0.0.0/8")
    headers = [{"x-forwarded-for": f"203.0.113.{n}"} for n in (1, 1, 2)]
    assert [service.client.get("/v1/models", headers=h).status_code for h in headers] == [200, 429, 200]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat", {"question": "Who?", "memory": "only"}),
        ("/v1/chat", {"question": "Who?", "memory": "only", "stream": True}),
        ("/v1/search", {"query": "Who?"}),
        ("/v1/context", {"question": "Who?"}),
        ("/v1/memories/lookup", {"questions": ["Who?"] * 3}),
        ("/v1/chat/completions", {"model": "zuinig", "messages": [{"role": "user", "content": "Who?"}]}),
    ],
)
def test_every_way_of_asking_counts_as_a_question_and_nothing_else_does(serve, path, body):
    client = client_of(serve(limit_questions="1/hour"))
    assert [client.post(path, json=body).status_code for _ in range(2)] == [200, 429]
    assert client.get("/v1/documents").status_code == 200
    assert client.post("/v1/documents", files=[("files", ("a.txt", b"a"))]).status_code == 202


def test_uploads_count_by_their_files(serve):
    client = client_of(serve(limit_uploads="3/hour"))

    def send(*names: str) -> int:
        return client.post("/v1/documents", files=[("files", (n, n.encode())) for n in names]).status_code

    assert [send("a", "b"), send("c", "d"), send("e"), send("f")] == [202, 429, 202, 429]
    assert client.post("/v1/files", files={"file": ("g", b"g")}).status_code == 429
    document = client.get("/v1/documents").json()["data"][0]["id"]
    assert client.put(f"/v1/documents/{document}", files=[("files", ("h", b"h"))]).status_code == 429
    assert client.delete(f"/v1/documents/{document}").status_code == 204


def test_the_official_client_knows_a_refusal_and_tries_again_after_it(serve):
    service = serve(limit_questions="1/second")
    _, key = service.services.auth.create_key("openai", [Scope.ASK])
    ask = {"model": "zuinig", "messages": [{"role": "user", "content": "Who?"}]}
    once = openai.OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=0)
    with pytest.raises(openai.RateLimitError) as refused:
        for _ in range(50):
            once.chat.completions.create(**ask)
    assert refused.value.code == "rate_limit_exceeded"
    assert int(refused.value.response.headers["retry-after"]) <= 2
    patient = openai.OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=5)
    for _ in range(3):
        assert patient.chat.completions.create(**ask).choices


def wrong(service: Running, key: str = "zk_wrong", **headers: str) -> int:
    headers = {"authorization": f"Bearer {key}"} | {n.replace("_", "-"): v for n, v in headers.items()}
    return httpx.get(f"{service.url}/v1/models", headers=headers).status_code


def test_guessing_keys_is_stopped_and_whoever_has_one_gets_in(serve):
    service = serve(limit_sign_ins="3/hour")
    assert [wrong(service, f"zk_{n}") for n in range(5)] == [401, 401, 401, 429, 429]
    assert service.client.get("/v1/models").status_code == 200
    assert httpx.get(f"{service.url}/v1/models").status_code == 401  # nothing is guessed without a key


def test_signing_in_to_the_portal_is_stopped_before_the_key_is_looked_at(serve):
    service = serve(limit_sign_ins="3/hour")
    same = {"sec-fetch-site": "same-origin", "accept-language": "nl"}

    def sign_in(key: str, **headers: str) -> httpx.Response:
        return httpx.post(f"{service.url}/portal/sign-in", data={"key": key}, headers={**same, **headers})

    assert sign_in("zk_x", **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert [sign_in(f"zk_{n}").status_code for n in range(3)] == [401] * 3
    refused = sign_in(service.key)
    assert refused.status_code == 429
    assert "te veel in korte tijd" in refused.text
    assert int(refused.headers["retry-after"]) > 0
    assert httpx.get(f"{service.url}/portal/sign-in").status_code == 200
    assert httpx.get(f"{service.url}/portal/sign-in?token=guess").status_code == 429


def test_what_a_client_says_of_its_address_is_not_believed(serve):
    service = serve(limit_sign_ins="2/hour")
    assert [wrong(service, x_forwarded_for=f"203.0.113.{n}") for n in range(4)] == [401, 401, 429, 429]


def test_what_a_proxy_that_is_named_says_last_is_believed(serve):
    service = serve(limit_sign_ins="1/hour", trusted_proxies="127.0.0.0/8, 10.0.0.7")
    sent = [
        "203.0.113.1",
        "203.0.113.1",
        "203.0.113.2, 203.0.113.1",  # what the client made up stands to the left
        "203.0.113.1, 10.0.0.7",  # a second proxy
        "203.0.113.2",
    ]
    assert [wrong(service, x_forwarded_for=s) for s in sent] == [401, 429, 429, 429, 401]


# Turns


class Gate:
    """A language model that answers when it is told to."""

    def __init__(self) -> None:
        self.turns = threading.Semaphore(0)
        self.server = Scripted(self._answer)

    def _answer(self) -> str:
        self.turns.acquire()
        return "Up to 143 euros [1]."

    def asked(self) -> list[str]:
        """The words after the question, in the order in which the model was asked."""
        sent = [request["messages"][-1]["content"] for request in self.server.requests]
        return [text.rsplit(QUESTION, 1)[1].split()[0] for text in sent]


@pytest.fixture
def gated(tmp_path):
    gate, running = Gate(), []

    def start(**settings) -> tuple[Running, Gate]:
        more = {"llm": "openai:test", "llm_base_url": gate.server.url, "specialist_wrong_budget": 0, **settings}
        running.append(Running(build(Settings(data_dir=tmp_path, ingest_workers=1, **more))))
        running[0].upload("travel.md", HOTEL)
        memory = {"question": REMEMBERED, "answer": "At eight."}
        assert running[0].client.post("/v1/memories", json=memory).status_code == 201
        return running[0], gate

    yield start
    gate.turns.release(1000)
    for each in running:
        each.stop()
    gate.server.close()


def ask(client: httpx.Client, mark: str, **more: object) -> httpx.Response:
    return client.post("/v1/chat", json={"question": f"{QUESTION} {mark}", "memory": "skip", **more})


def waiting(service: Running) -> int:
    return service.app.state.questions.waiting


def test_while_questions_wait_nothing_else_does(gated):
    """As many questions as there are threads and more, and a pool of two for all the rest."""
    service, gate = gated(question_threads=2, request_threads=2)
    client = client_of(service, None, Scope.ADMIN)
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(ask, service.client, f"m{n}", stream=n % 2 == 0) for n in range(12)]
        until(lambda: waiting(service) == 10 and len(gate.server.requests) == 2)
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        hit = client.post("/v1/chat", json={"question": REMEMBERED})
        assert hit.json()["source"] == "memory"
        sent = client.post("/v1/documents", files=[("files", ("a.md", b"A document."))])
        assert sent.status_code == 202
        document = sent.json()["accepted"][0]["id"]
        assert service.wait(document)["status"] == "ready"
        imported = client.post("/v1/memories/import", content=b'{"question": "Why?", "answer": "So."}\n')
        assert imported.json()["added"] == 1
        judged = client.post(f"/v1/answers/{hit.json()['answer_id']}/feedback", json={"verdict": "up"})
        assert judged.status_code == 201
        assert client.delete(f"/v1/documents/{document}").status_code == 204
        assert len(gate.server.requests) == 2
        gate.turns.release(12)
        assert [a.result().status_code for a in asked] == [200] * 12


def test_two_keys_take_turns_however_much_one_of_them_asks(gated):
    service, gate = gated(question_threads=1)
    many, few = client_of(service), client_of(service)
    with ThreadPoolExecutor(8) as pool:
        for place, (client, mark) in enumerate([(many, "a0"), (many, "a1"), (many, "a2"), (many, "a3"), (few, "b0")]):
            pool.submit(ask, client, mark)
            until(lambda place=place: len(gate.server.requests) == 1 and waiting(service) == place)
        gate.turns.release(5)
    assert gate.asked() == ["a0", "a1", "b0", "a2", "a3"]


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/chat/completions", "/v1/search"])
def test_what_is_too_much_is_shed_with_the_time_to_come_back(gated, path):
    service, gate = gated(question_threads=1, questions_waiting=0)
    bodies = {
        "/v1/chat": {"question": QUESTION, "memory": "skip", "stream": True},
        "/v1/chat/completions": {"model": "zuinig", "messages": [{"role": "user", "content": QUESTION}]},
        "/v1/search": {"query": QUESTION},
    }
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, service.client, "m0")
        until(lambda: len(gate.server.requests) == 1)
        shed = service.client.post(path, json=bodies[path])
        assert shed.status_code == 503
        assert shed.headers["content-type"] == "application/problem+json"
        assert int(shed.headers["retry-after"]) > 0
        assert shed.json()["error"]["code"] == "overloaded"
        assert service.client.post("/v1/documents", files=[("files", ("a.md", b"Kept."))]).status_code == 202
        assert 'zuinig_shed_total{reason="full"} 1.0' in service.client.get("/metrics").text
        gate.turns.release()
        assert first.result().status_code == 200


def test_who_leaves_the_queue_is_not_waited_for(gated):
    service, gate = gated(question_threads=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, service.client, "m0")
        until(lambda: len(gate.server.requests) == 1)
        host, port = service.url.removeprefix("http://").split(":")
        body = b'{"question": "%s m1", "memory": "skip"}' % QUESTION.encode()
        head = f"POST /v1/chat HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {service.key}\r\n"
        with socket.create_connection((host, int(port))) as leaving:
            leaving.sendall(
                f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
            )
            until(lambda: waiting(service) == 1)
        until(lambda: waiting(service) == 0)
        gate.turns.release(2)
        assert first.result().status_code == 200
        assert ask(service.client, "m2").status_code == 200
    assert gate.asked() == ["m0", "m2"]


class Halfway(BaseChatModel):
    """Says one piece, and the other once the gate is open."""

    gate: threading.Event

    @property
    def _llm_type(self) -> str:
        return "halfway"

    def _generate(self, *args, **kwargs) -> ChatResult:
        raise NotImplementedError

    def _stream(self, *args, **kwargs):
        yield ChatGenerationChunk(message=AIMessageChunk("Up to "))
        assert self.gate.wait(60)
        last = AIMessageChunk("143 euros [1].", response_metadata={"finish_reason": "stop"})
        yield ChatGenerationChunk(message=last)


@pytest.mark.parametrize("leaves", [True, False])
def test_a_stream_keeps_its_turn_until_it_ends_or_its_client_is_gone(tmp_path, leaves):
    gate = threading.Event()
    settings = Settings(
        data_dir=tmp_path, ingest_workers=1, llm="openai:x", question_threads=1, specialist_wrong_budget=0
    )
    service = Running(build(settings, llm=Halfway(gate=gate)))
    service.upload("travel.md", HOTEL)
    body = {"question": f"{QUESTION} m0", "memory": "skip", "stream": True}
    with ThreadPoolExecutor(1) as pool:
        with service.client.stream("POST", "/v1/chat", json=body) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: delta"
            second = pool.submit(ask, service.client, "m1")
            until(lambda: waiting(service) == 1)
            if not leaves:
                gate.set()
                assert "event: done" in list(lines)
        gate.set()
        assert second.result().status_code == 200
    assert waiting(service) == 0
    service.stop()
