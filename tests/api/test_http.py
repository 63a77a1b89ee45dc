"""The HTTP API from outside: errors, scopes, streams, and the official clients."""

import json
import urllib.error
import urllib.request

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI

from zuinig.core.types import Scope

VPN = "# VPN\n\nThe VPN profile is named Kestrel. If the token expired, ask the desk on floor 3.\n"
QUESTION = "Which VPN profile should I use?"


@pytest.fixture(scope="module")
def filled(running):
    running.upload("vpn.md", VPN)
    return running


BAD = [
    ("POST", "/v1/chat", b"{", 400),
    ("POST", "/v1/chat", b"{}", 422),
    ("POST", "/v1/chat", b'{"question": 3}', 422),
    ("POST", "/v1/chat", b'{"question": "  "}', 422),
    ("POST", "/v1/chat", b'{"question": "a\\u0000b"}', 422),
    ("POST", "/v1/chat", json.dumps({"question": "x" * 9000}).encode(), 422),
    ("POST", "/v1/chat", json.dumps({"question": "x" * 1_200_000}).encode(), 413),
    ("POST", "/v1/chat", b'{"question": "hi", "conversation_id": "../../x"}', 404),
    ("POST", "/v1/chat", b'{"question": "hi", "collections": ["nope"]}', 404),
    ("POST", "/v1/chat", b'{"question": "hi", "memory": "maybe"}', 422),
    ("PUT", "/v1/chat", b"{}", 405),
    ("GET", "/v1/nothing", None, 404),
    ("GET", "/v1/documents/nope", None, 404),
    ("GET", "/v1/documents/nope/content", None, 404),
    ("GET", "/v1/documents/%00", None, 404),
    ("DELETE", "/v1/documents/nope", None, 404),
    ("POST", "/v1/documents/nope/cancel", None, 404),
    ("POST", "/v1/documents/nope/retry", None, 404),
    ("GET", "/v1/documents?limit=-1", None, 422),
    ("GET", "/v1/documents?limit=1000", None, 422),
    ("POST", "/v1/documents", b"", 422),
    ("POST", "/v1/search", b'{"query": "x", "limit": -1}', 422),
    ("POST", "/v1/context", b'{"question": "x", "budget_tokens": 1}', 422),
    ("POST", "/v1/memories/import", b"not json\n", 400),
    ("POST", "/v1/memories/import", b"", 400),
    ("POST", "/v1/memories/import", b'{"question": "q", "answer": "a", "other": 1}', 400),
    ("POST", "/v1/memories/lookup", json.dumps({"questions": ["q"] * 257}).encode(), 422),
    ("GET", "/v1/memories/mem_x", None, 404),
    ("GET", "/v1/memories/mem_99999999999999999999", None, 404),
    ("DELETE", "/v1/memories/mem_999", None, 404),
    ("PATCH", "/v1/memories/mem_999", b'{"answer": "x"}', 404),
    ("POST", "/v1/answers/nope/feedback", b'{"verdict": "up"}', 404),
    ("GET", "/v1/ledger?limit=-5", None, 422),
    ("GET", "/v1/ledger/summary?group_by=moon", None, 422),
    ("POST", "/v1/chat/completions", b'{"model": "zuinig", "messages": []}', 422),
    ("POST", "/v1/chat/completions", b'{"model": "gpt", "messages": [{"role": "user", "content": "x"}]}', 404),
    ("POST", "/v1/chat/completions", b'{"model": "zuinig", "messages": [{"role": "system", "content": "x"}]}', 400),
    ("GET", "/v1/models/nope", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD)
def test_a_bad_request_is_told_what_is_wrong(filled, method, path, body, status):
    answer = filled.client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    found = answer.json()
    assert found["status"] == status
    assert len(found["error"]["message"]) > 10
    assert found["error"]["message"] == found["detail"]


@pytest.mark.parametrize(("path", "key", "status"), [("/v1/chat", None, 413), ("/v1/documents", "wrong", 401)])
def test_a_client_that_sends_it_all_before_it_reads_still_learns_why(filled, path, key, status):
    headers = {"authorization": f"Bearer {key or filled.key}", "content-type": "application/json"}
    request = urllib.request.Request(filled.url + path, b"x" * 8_000_000, headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert refused.value.code == status
    assert json.loads(refused.value.read())["status"] == status


def test_query_syntax_is_only_words(filled):
    for query in ('" OR NEAR( *', "scope:c1", "a AND b OR", "-x", "*", "(", "'; DROP TABLE passages; --"):
        assert filled.client.post("/v1/search", json={"query": query}).status_code == 200


ROUTES = {
    Scope.ASK: [("POST", "/v1/chat"), ("POST", "/v1/memories/lookup"), ("POST", "/v1/chat/completions")],
    Scope.READ: [("GET", "/v1/documents"), ("POST", "/v1/search"), ("GET", "/v1/memories"), ("GET", "/metrics")],
    Scope.UPLOAD: [("DELETE", "/v1/documents/x"), ("POST", "/v1/documents/x/retry"), ("DELETE", "/v1/files/x")],
    Scope.ADMIN: [("GET", "/v1/ledger"), ("GET", "/v1/ledger/summary"), ("DELETE", "/v1/memories/mem_1")],
}


@pytest.mark.parametrize("scope", [Scope.ASK, Scope.READ, Scope.UPLOAD])
def test_a_key_does_what_its_scope_says_and_no_more(filled, scope):
    _, key = filled.services.auth.create_key("limited", [scope])
    for needed, routes in ROUTES.items():
        for method, path in routes:
            answer = filled.client.request(method, path, headers={"authorization": f"Bearer {key}"}, json={})
            assert (answer.status_code == 403) == (needed != scope), (method, path, answer.status_code)


def test_no_key_a_wrong_key_and_a_revoked_key_are_refused(filled):
    info, key = filled.services.auth.create_key("gone", [Scope.ADMIN])
    filled.services.auth.revoke(info.id)
    for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {key}"}):
        answer = httpx.get(f"{filled.url}/v1/documents", headers=header)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_another_host_name_is_refused(filled):
    answer = filled.client.get("/healthz", headers={"host": "evil.example"})
    assert answer.status_code == 421


def test_a_stream_ends_in_one_done_event_that_holds_the_whole_answer(filled):
    with filled.client.stream("POST", "/v1/chat", json={"question": QUESTION, "stream": True}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = answer.read().decode()
    names = [line[7:] for line in text.splitlines() if line.startswith("event: ")]
    assert names[-1] == "done"
    assert names.count("done") == 1
    data = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert "".join(d["text"] for d in data[:-1]) == data[-1]["answer"]
    assert "Kestrel" in data[-1]["answer"]


def test_the_official_openai_client(filled):
    client = openai.OpenAI(base_url=f"{filled.url}/v1", api_key=filled.key, max_retries=0)
    model = client.models.list().data[0].id
    messages = [{"role": "user", "content": QUESTION}]
    first = client.chat.completions.create(model=model, messages=messages)
    assert "Kestrel" in first.choices[0].message.content
    annotation = first.choices[0].message.annotations[0].url_citation
    assert annotation.title == "VPN"
    assert first.choices[0].message.content[annotation.start_index : annotation.end_index] == "[1]"
    again = client.chat.completions.create(model=model, messages=messages)
    assert (again.usage.prompt_tokens, again.usage.completion_tokens) == (0, 0)
    chunks = list(
        client.chat.completions.create(
            model=model, messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "Kestrel" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].usage.total_tokens == 0
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{filled.url}/v1", api_key="wrong").models.list()
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="other", messages=messages)


def test_files_of_the_official_client(filled):
    client = openai.OpenAI(base_url=f"{filled.url}/v1", api_key=filled.key)
    made = client.files.create(file=("badge.md", b"# Badge\n\nA badge costs 25 euros.\n"), purpose="assistants")
    filled.wait(made.id)
    assert client.files.retrieve(made.id).status == "processed"
    assert b"25 euros" in client.files.content(made.id).read()
    assert client.files.delete(made.id).deleted


def test_langchain_chat_client(filled):
    model = ChatOpenAI(model="zuinig", base_url=f"{filled.url}/v1", api_key=filled.key)
    assert "Kestrel" in model.invoke(QUESTION).content
    assert "Kestrel" in "".join(chunk.content for chunk in model.stream(QUESTION))


def test_upload_tells_what_became_of_each_file(filled):
    answer = filled.client.post(
        "/v1/documents",
        files=[("files", ("../../evil.md", b"# Evil\n")), ("files", ("empty.pdf", b"")), ("files", ("vpn.md", VPN))],
    ).json()
    assert [a["filename"] for a in answer["accepted"]] == ["evil.md", "vpn.md"]
    assert [a["outcome"] for a in answer["accepted"]] == ["created", "unchanged"]
    assert [(r["filename"], r["code"]) for r in answer["rejected"]] == [("empty.pdf", "empty")]
    assert filled.wait(answer["accepted"][0]["id"])["status"] == "ready"


def test_a_failed_file_says_why(filled):
    answer = filled.client.post("/v1/documents", files=[("files", ("x.pdf", b"%PDF-1.7 nothing"))]).json()
    document = filled.wait(answer["accepted"][0]["id"])
    assert document["status"] == "failed"
    assert len(document["error"]["reason"]) > 30


def test_lists_are_paged_without_gap_or_repeat(filled):
    for n in range(5):
        filled.upload(f"page-{n}.md", f"# Page {n}\n\nText {n}.\n")
    seen, after = [], None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        page = filled.client.get("/v1/documents", params=query).json()
        seen += [d["id"] for d in page["data"]]
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert len(seen) == len(set(seen)) >= 6


def test_a_thumbs_down_takes_an_unverified_memory_out_of_service(filled):
    filled.upload("lamp.md", "# Lamps\n\nThe lamp in the hall takes bulbs of type E27.\n")
    question = "Which bulbs does the lamp in the hall take?"
    filled.ask(question)
    served = filled.ask(question)
    assert served["source"] == "memory"
    path = f"/v1/answers/{served['answer_id']}/feedback"
    assert filled.client.post(path, json={"verdict": "down"}).status_code == 201
    memory = filled.client.get(f"/v1/memories/{served['memory']['id']}").json()
    assert memory["status"] == "held"
    assert filled.ask(question, memory="only")["source"] == "none"


def test_import_reports_progress_and_is_found(filled):
    lines = "\n".join(
        json.dumps({"id": f"m{n}", "question": f"What is desk {n}?", "answer": f"Dial {n}."}) for n in range(1500)
    )
    headers = {"content-type": "application/x-ndjson", "accept": "text/event-stream"}
    events = filled.client.post("/v1/memories/import", content=lines, headers=headers).text
    assert events.count("event: progress") == 2
    assert '"added": 1500' in events.rsplit("event: done", 1)[1]
    questions = [f"what is desk {n}" for n in range(256)]
    data = filled.client.post("/v1/memories/lookup", json={"questions": questions}).json()["data"]
    assert [d["memory"]["external_id"] for d in data] == [f"m{n}" for n in range(256)]


def test_the_ledger_sums_up(filled):
    filled.ask(QUESTION)
    rows = filled.client.get("/v1/ledger/summary", params={"group_by": "source"}).json()
    by_source = {r["group"]: r for r in rows["data"]}
    assert rows["currency"] == "EUR"
    assert by_source["memory"]["prompt_tokens"] == 0
    assert by_source["memory"]["saved_tokens"] == by_source["memory"]["baseline_tokens"] > 0


def test_metrics_and_openapi(filled):
    text = filled.client.get("/metrics").text
    assert 'zuinig_answers_total{source="memory"}' in text
    assert "zuinig_request_seconds_bucket" in text
    paths = filled.client.get("/openapi.json").json()["paths"]
    assert {"/v1/chat", "/v1/context", "/v1/memories/import", "/v1/chat/completions"} <= set(paths)


def test_cache_status_says_whether_memory_answered_and_cache_control_asks_for_a_fresh_answer(filled):
    question = {"question": "At which floor is the desk when my token is gone?"}

    def outcome(**headers):
        return filled.client.post("/v1/chat", json=question, headers=headers).headers["cache-status"]

    assert outcome() == "zuinig; fwd=miss; stored"
    assert outcome() == "zuinig; hit"
    assert outcome(**{"cache-control": "no-cache"}) == "zuinig; fwd=request; stored"
    assert outcome(**{"cache-control": "no-store"}) == "zuinig; fwd=request"
    with filled.client.stream("POST", "/v1/chat", json={**question, "stream": True}) as streamed:
        assert streamed.headers["cache-status"] == "zuinig; hit"


def test_a_question_about_now_is_answered_and_not_stored(filled):
    body = {"question": "Which VPN profile should I use today?"}
    for _ in range(2):
        answer = filled.client.post("/v1/chat", json=body)
        assert (answer.json()["source"], answer.headers["cache-status"]) == ("specialist", "zuinig; fwd=miss")
