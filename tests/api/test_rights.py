"""A key that reads one collection: what is in the other is not there, by whatever door."""

import json

import httpx
import pytest

from zuinig.core.types import Scope

HOTEL = "What is the maximum hotel price per night in Antwerp?"
SECRET = "9900083"


@pytest.fixture(scope="module")
def house(running):
    """Documents and memories in two collections; a client with a key for `open` alone."""
    text = "# Travel\n\n## Hotels\n\nEmployees may book hotels up to {} euros per night in Antwerp.\n"
    documents = {
        name: running.upload(f"{name}.md", text.format(price), collection=name)
        for name, price in (("open", "143"), ("closed", SECRET))
    }
    for name in (None, "open", "closed"):
        running.ask(HOTEL, **({"collections": [name]} if name else {}))
    lines = [
        {"question": f"Who owns the {name} house?", "answer": f"{name} {SECRET if name == 'closed' else 'Ann'}"}
        | ({"collection": name} if name != "any" else {})
        for name in ("open", "closed", "any")
    ]
    body = "\n".join(map(json.dumps, lines))
    assert running.client.post("/v1/memories/import", content=body).json()["added"] == 3
    ids = running.services.search.collection_ids(["open"])
    _, key = running.services.auth.create_key("narrow", [Scope.READ, Scope.ASK], collections=ids)
    with httpx.Client(base_url=running.url, headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client, documents


@pytest.mark.parametrize(
    "part",
    [
        "documents/{}",
        "documents/{}/content",
        "documents/{}/passages",
        "documents/{}/events",
        "files/{}",
        "files/{}/content",
    ],
)
def test_a_document_of_the_other_collection_is_not_there(house, part):
    client, documents = house
    assert client.get(f"/v1/{part.format(documents['closed'])}").status_code == 404
    assert client.get(f"/v1/{part.format(documents['open'])}").status_code == 200


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/files", "/v1/memories"])
def test_lists_hold_nothing_of_it(house, path):
    client, documents = house
    text = client.get(path, params={"limit": 100}).text
    assert SECRET not in text
    assert documents["closed"] not in text
    assert "closed" not in text


def test_a_memory_of_it_cannot_be_opened(house, running):
    client, _ = house
    hidden = [m["id"] for m in running.client.get("/v1/memories?limit=100").json()["data"] if SECRET in json.dumps(m)]
    assert len(hidden) >= 2
    shown = {m["id"] for m in client.get("/v1/memories?limit=100").json()["data"]}
    for memory in hidden:
        assert memory not in shown
        assert client.get(f"/v1/memories/{memory}").status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/search", {"query": HOTEL, "limit": 100}),
        ("/v1/context", {"question": HOTEL}),
        ("/v1/chat", {"question": HOTEL}),
        ("/v1/chat", {"question": HOTEL, "memory": "only"}),
        ("/v1/chat", {"question": "Who owns the closed house?"}),
        ("/v1/memories/lookup", {"questions": [HOTEL, "Who owns the closed house?"]}),
        ("/v1/chat/completions", {"model": "zuinig", "messages": [{"role": "user", "content": HOTEL}]}),
    ],
)
def test_no_answer_holds_anything_of_it(house, path, body):
    client, documents = house
    answer = client.post(path, json=body)
    assert answer.status_code == 200
    assert SECRET not in answer.text
    assert documents["closed"] not in answer.text


def test_naming_it_says_what_a_name_that_never_was_says(house):
    client, _ = house
    said = []
    for name in ("closed", "nowhere"):
        answer = client.post("/v1/search", json={"query": HOTEL, "collections": [name]})
        assert answer.status_code == 404
        said.append(answer.json()["detail"].replace(name, "X"))
    assert said[0] == said[1]


def test_ones_own_are_served_as_to_anybody(house):
    client, _ = house
    first = client.post("/v1/chat", json={"question": HOTEL}).json()
    again = client.post("/v1/chat", json={"question": HOTEL}).json()
    assert "143" in first["answer"]
    assert again["source"] == "memory"
    for name in ("open", "any"):
        assert client.post("/v1/chat", json={"question": f"Who owns the {name} house?"}).json()["source"] == "memory"
