"""Budgets over HTTP and on the command line, and what answers say of them in each protocol."""

import json

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from running import Running

from zuinig.app.services import build
from zuinig.core.settings import Settings
from zuinig.core.types import Scope

QUESTION = "What is the maximum hotel price per night in Antwerp?"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """With a language model that nobody may ask: its budget is 0."""
    llm = GenericFakeChatModel(messages=iter([AIMessage("143 [1].")]))
    running = Running(
        build(Settings(data_dir=tmp_path_factory.mktemp("data"), llm="openai:fake", specialist_wrong_budget=0), llm=llm)
    )
    running.upload("travel.md", "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n")
    put(running, subject="service", period="day", tokens=0)
    yield running
    running.stop()


def put(running, *, status=200, **budget) -> dict:
    answer = running.client.put("/v1/budgets", json=budget)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_every_protocol_says_that_the_budget_is_used_up_and_none_refuses(service):
    notice = service.ask(QUESTION)["notice"]
    assert notice["code"] == "budget_used"
    assert "used up" in notice["message"]
    body = {"model": "zuinig", "messages": [{"role": "user", "content": QUESTION}]}
    answer = service.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    assert "143" in answer.json()["choices"][0]["message"]["content"]
    assert answer.json()["zuinig"]["notice"] == notice
    with service.client.stream("POST", "/v1/chat/completions", json={**body, "stream": True}) as streamed:
        lines = [line[6:] for line in streamed.read().decode().splitlines() if line.startswith("data: {")]
    assert [c["zuinig"]["notice"] for c in map(json.loads, lines) if "zuinig" in c] == [notice]
    with service.client.stream("POST", "/v1/chat", json={"question": QUESTION, "stream": True}) as streamed:
        done = streamed.read().decode().rsplit("data: ", 1)[1]
    assert json.loads(done)["notice"] == notice


def test_a_budget_is_set_listed_measured_and_removed(service):
    made = put(service, subject="user", name="anna", period="month", tokens=1000, cost="12.5")
    assert (made["label"], made["tokens"], made["cost"], made["share"], made["state"]) == (
        "anna",
        1000,
        12.5,
        0,
        "left",
    )
    assert put(service, subject="user", name="anna", period="month", tokens=2000)["id"] == made["id"]
    found = service.client.get("/v1/budgets").json()
    assert found["currency"] == "EUR"
    assert [(b["subject"], b["tokens"], b["cost"]) for b in found["data"]] == [
        ("service", 0, None),
        ("user", 2000, None),
    ]
    labels = f'budget="{made["id"]}",period="month",subject="user"'
    assert f"zuinig_budget_used_ratio{{{labels}}} 0.0" in service.client.get("/metrics").text
    assert service.client.delete(f"/v1/budgets/{made['id']}").status_code == 204
    assert service.client.delete(f"/v1/budgets/{made['id']}").status_code == 404
    assert made["id"] not in service.client.get("/metrics").text


@pytest.mark.parametrize(
    ("budget", "status"),
    [
        ({"subject": "planet", "period": "day", "tokens": 1}, 422),
        ({"subject": "service", "period": "year", "tokens": 1}, 422),
        ({"subject": "service", "period": "day", "tokens": -1}, 422),
        ({"subject": "service", "period": "day", "cost": "a lot"}, 422),
        ({"subject": "service", "period": "day", "tokens": 1, "limit": 2}, 422),
        ({"subject": "service", "period": "day"}, 400),
        ({"subject": "service", "name": "all", "period": "day", "tokens": 1}, 400),
        ({"subject": "user", "name": " ", "period": "day", "tokens": 1}, 400),
        ({"subject": "key", "name": "key_nope", "period": "day", "tokens": 1}, 404),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(service, budget, status):
    assert put(service, status=status, **budget)["detail"]


def test_neither_metrics_nor_answers_name_others_to_whom_they_do_not_concern(service):
    put(service, subject="user", name="somebody else", period="day", tokens=0)
    _, key = service.services.auth.create_key("reader", [Scope.READ, Scope.ASK])
    headers = {"authorization": f"Bearer {key}"}
    answer = service.client.post("/v1/chat", json={"question": QUESTION}, headers=headers)
    for text in (answer.text, service.client.get("/metrics", headers=headers).text):
        assert "somebody" not in text


@pytest.mark.parametrize(
    "query", ["since=yesterday", "until=2026-13-01", "group_by=planet", "limit=0", "since=2026-02-02&until=2026-02-01"]
)
def test_a_summary_that_cannot_be_made_is_refused(service, query):
    answer = service.client.get(f"/v1/ledger/summary?{query}")
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


def test_a_summary_has_its_total_and_every_grouping(service):
    service.ask(QUESTION)
    for group_by in ("day", "source", "model", "user", "group", "key", "collection", "document"):
        found = service.client.get("/v1/ledger/summary", params={"group_by": group_by}).json()
        assert sum(row["questions"] for row in found["data"]) == found["total"]["questions"] > 0
        for row in found["data"]:
            assert row["saved_tokens"] == row["baseline_tokens"] > 0
            assert [rung["source"] for rung in row["rungs"]] == ["none"]
    assert service.client.get("/v1/ledger/summary?since=2001-01-01&until=2001-01-02").json()["data"] == []
    assert service.client.get("/v1/ledger").json()["data"][0]["notice"] == "budget_used"
