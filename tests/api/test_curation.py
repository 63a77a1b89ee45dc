"""Curating memories over HTTP, from a reader's objection to the corrected answer."""

import json

import pytest

from zuinig.core.types import Scope

QUESTION = "Which bulb does the lamp in the hall take?"


@pytest.fixture(scope="module")
def filled(running):
    running.upload("lamp.md", "# Lamp\n\nThe lamp in the hall takes an E27 bulb of 40 watts.\n")
    return running


@pytest.fixture
def memory(filled) -> str:
    """A memory of its own for each test."""
    body = {"question": f"{QUESTION} {filled.services.memories.count()}", "answer": "E27."}
    return filled.client.post("/v1/memories", json=body).json()["id"]


def call(running, method: str, path: str, **body) -> dict:
    answer = running.client.request(method, path, json=body or {})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def test_an_objection_becomes_the_corrected_answer(filled):
    filled.ask(QUESTION)
    served = filled.ask(QUESTION)
    assert served["source"] == "memory"
    path = f"/v1/answers/{served['answer_id']}/feedback"
    assert filled.client.post(path, json={"verdict": "down", "correction": "E14, since May."}).status_code == 201
    assert filled.ask(QUESTION)["source"] == "specialist"
    [waiting] = filled.client.get("/v1/memories?review=true").json()["data"]
    assert (waiting["id"], waiting["status"]) == (served["memory"]["id"], "held")
    [suggestion] = filled.client.get("/v1/suggestions?kind=correction").json()["data"]
    assert (suggestion["answer"], suggestion["memory_id"]) == ("E14, since May.", waiting["id"])
    done = call(filled, "POST", f"/v1/suggestions/{suggestion['id']}/approve")
    assert (done["verified_by"], done["origin"], done["status"]) == ("admin", "human", "live")
    assert filled.ask(QUESTION)["answer"] == "E14, since May."
    assert filled.client.get("/v1/memories?review=true").json()["data"] == []
    again = filled.client.post(f"/v1/suggestions/{suggestion['id']}/approve", json={})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "decided")


def test_a_memory_shows_its_wordings_and_its_history(filled, memory):
    path = f"/v1/memories/{memory}"
    call(filled, "POST", f"{path}/wordings", question="Fitting 7F at the stairs?")
    shown = call(filled, "POST", f"{path}/wordings", question="Which bulb is in the cellar?", differs=True)
    assert [(w["question"], w["differs"]) for w in shown["wordings"]] == [
        ("Fitting 7F at the stairs?", False),
        ("Which bulb is in the cellar?", True),
    ]
    assert filled.ask("fitting 7f at the stairs")["memory"]["id"] == memory
    shown = call(filled, "DELETE", f"{path}/wordings/{shown['wordings'][0]['id']}")
    assert [e["action"] for e in shown["history"]] == ["wording", "differs", "unwording"]
    assert {e["by"] for e in shown["history"]} == {"admin"}
    assert filled.ask("fitting 7f at the stairs")["source"] != "memory"


def test_expiry_and_review_are_set_and_taken_back(filled, memory):
    path = f"/v1/memories/{memory}"
    shown = call(filled, "PATCH", path, expires_at="2020-01-01T00:00:00+01:00", review_at="2020-01-01T00:00:00Z")
    assert shown["expires_at"].startswith("2019-12-31T23:00")
    assert memory in [m["id"] for m in filled.client.get("/v1/memories?review=true").json()["data"]]
    assert filled.client.post("/v1/memories/lookup", json={"questions": [shown["question"]]}).json()["data"][0][
        "memory"
    ] != {"id": memory}
    shown = call(filled, "PATCH", path, expires_at=None)
    assert (shown["expires_at"], shown["review_at"][:4]) == (None, "2020")
    naive = filled.client.patch(path, json={"expires_at": "2020-01-01T00:00:00"})
    assert naive.status_code == 422


def test_a_rejected_memory_says_why_and_is_put_back_by_approving(filled, memory):
    path = f"/v1/memories/{memory}"
    shown = call(filled, "POST", f"{path}/reject", reason="The lamp was sold.")
    assert (shown["status"], shown["status_reason"]) == ("rejected", "The lamp was sold.")
    assert call(filled, "POST", f"{path}/approve")["status"] == "live"


def test_what_the_documents_no_longer_say_cannot_be_approved(filled):
    document = filled.upload("plug.md", "# Plug\n\nThe plug in the hall is of type F for 16 amperes.\n")
    answer = filled.ask("Of which type is the plug in the hall?")
    assert answer["source"] == "specialist"
    memory = filled.ask("Of which type is the plug in the hall?")["memory"]["id"]
    filled.client.delete(f"/v1/documents/{document}")
    refused = filled.client.post(f"/v1/memories/{memory}/approve")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "outdated")


@pytest.mark.parametrize(
    ("filters", "there"),
    [
        ({"origin": "human"}, True),
        ({"origin": "llm"}, False),
        ({"verified": True}, True),
        ({"verified": False}, False),
        ({"status": "live", "query": "e27"}, True),
        ({"query": "%"}, False),
    ],
)
def test_the_list_is_filtered(filled, memory, filters, there):
    found = filled.client.get("/v1/memories", params={"limit": 100, **filters}).json()["data"]
    assert (memory in [m["id"] for m in found]) is there


def test_merging_returns_the_one_that_stays(filled, memory):
    other = call(filled, "POST", "/v1/memories", question="Bulb, hall, which one?", answer="E27.")["id"]
    assert call(filled, "POST", f"/v1/memories/{other}/merge", into=memory)["id"] == memory
    assert filled.ask("bulb hall, which one")["memory"]["id"] == memory
    assert filled.client.post(f"/v1/memories/{memory}/merge", json={"into": memory}).status_code == 400


def test_a_dry_run_shows_conflicts_and_writes_nothing_then_csv_goes_in_and_out(filled, memory):
    question = filled.client.get(f"/v1/memories/{memory}").json()["question"]
    table = f'question,answer,id\n"{question}",E14.,\nWho waters the fern?,Bob.,w1\n'
    headers = {"content-type": "text/csv"}
    would = filled.client.post("/v1/memories/import?dry_run=true", content=table, headers=headers).json()
    assert (would["added"], would["updated"], would["dry_run"]) == (1, 1, True)
    [conflict] = would["conflicts"]
    assert (conflict["kind"], conflict["memory_id"], conflict["present_answer"]) == ("answer", memory, "E27.")
    assert filled.ask("Who waters the fern?")["source"] != "memory"
    done = filled.client.post("/v1/memories/import", content=table, headers=headers).json()
    assert (done["added"], done["updated"], done["dry_run"]) == (1, 1, False)
    assert filled.ask("Who waters the fern?")["answer"] == "Bob."
    out = filled.client.get("/v1/memories/export?format=csv")
    assert out.headers["content-disposition"] == 'attachment; filename="memories.csv"'
    assert "w1,Who waters the fern?,Bob.," in out.text
    lines = [json.loads(x) for x in filled.client.get("/v1/memories/export").text.splitlines()]
    assert {"id": "w1", "question": "Who waters the fern?", "answer": "Bob."} in lines


def test_what_nobody_could_answer_is_a_gap_until_somebody_does(filled):
    question = "Which wine goes best with grilled octopus?"
    assert filled.ask(question)["source"] == "none"
    assert call(filled, "POST", "/v1/suggestions/refresh")["open"] >= 1
    gaps = filled.client.get("/v1/suggestions?kind=gap").json()["data"]
    [gap] = [g for g in gaps if g["question"] == question]
    assert filled.client.post(f"/v1/suggestions/{gap['id']}/approve", json={}).status_code == 400
    call(filled, "POST", f"/v1/suggestions/{gap['id']}/approve", answer="A dry Vermentino.")
    assert filled.ask(question)["answer"] == "A dry Vermentino."


def test_a_reader_sees_memories_and_no_suggestions(filled, memory):
    import httpx

    _, key = filled.services.auth.create_key("reader", [Scope.READ])
    with httpx.Client(base_url=filled.url, headers={"authorization": f"Bearer {key}"}) as client:
        assert client.get(f"/v1/memories/{memory}").status_code == 200
        assert client.get("/v1/suggestions").status_code == 403
