"""Every route with every id it takes, against somebody whom the thing named is not for: nothing told, nothing done.

A new route fails the test until it stands in one of the two tables.
"""

import json
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
from test_scopes import OWN, ROUTES, rows

from zuinig.core.tables import ApiKey, AuditEvent, now
from zuinig.core.types import Role, Scope

QUESTION = "What is the maximum hotel price per night in Antwerp?"
SECRET = "9941783"
FILE = ("note.md", b"# Note\n\nA note that must not arrive.\n")


@dataclass(frozen=True)
class Try:
    """who: bram reads nothing of HR; eddy edits the collection `open`; rita reads HR and edits nothing. told: it may
    succeed, but tells nothing of HR.
    """

    who: str = "bram"
    path: str | None = None
    told: bool = False
    json: dict | None = None
    data: dict = field(default_factory=dict)
    files: str | None = None


def chat(**more: object) -> dict:
    return {"model": "zuinig", "messages": [{"role": "user", "content": QUESTION}], **more}


UPLOADS = [
    Try("bram", files="files", data={"collection": "open"}),  # no editor
    Try("eddy", files="files", data={"collection": "hr"}),
    Try("eddy", files="files", data={"collection": "brand new"}),
    Try("rita", files="files", data={"collection": "hr"}),  # reads it
]
CHANGES = [Try("bram"), Try("eddy"), Try("rita")]

# What names a thing of somebody's, by path, query, body or form.
FOREIGN: dict[tuple[str, str], list[Try]] = {
    ("POST", "/v1/chat"): [
        Try(json={"question": QUESTION, "conversation_id": "{conversation_id}"}),
        Try("rita", json={"question": QUESTION, "conversation_id": "{conversation_id}"}),
        Try(json={"question": QUESTION, "collections": ["hr"]}),
        Try(json={"question": QUESTION, "collections": ["open", "hr"]}),
        Try(json={"question": QUESTION}, told=True),
        Try(json={"question": QUESTION, "memory": "only"}, told=True),
    ],
    ("POST", "/v1/chat/completions"): [
        Try(json=chat(zuinig={"collections": ["hr"]})),
        Try(json=chat(), told=True),
    ],
    ("POST", "/v1/answers/{answer_id}/feedback"): [
        Try(json={"verdict": "down"}),
        Try("rita", json={"verdict": "down"}),
    ],
    ("POST", "/v1/search"): [
        Try(json={"query": QUESTION, "collections": ["hr"]}),
        Try(json={"query": QUESTION}, told=True),
        Try("eddy", json={"query": f"hotel {SECRET}", "rerank": False, "limit": 100}, told=True),
    ],
    ("POST", "/v1/context"): [
        Try(json={"question": QUESTION, "collections": ["hr"]}),
        Try(json={"question": QUESTION}, told=True),
    ],
    ("POST", "/v1/memories/lookup"): [
        Try(json={"questions": [QUESTION], "collections": ["hr"]}),
        Try(json={"questions": [QUESTION, "Who owns the HR house?"]}, told=True),
    ],
    ("GET", "/v1/documents"): [
        Try(told=True),
        Try(path="/v1/documents?limit=100&collection=hr", told=True),
        Try(path="/v1/documents?after=doc_z&status=ready", told=True),
    ],
    ("POST", "/v1/documents"): UPLOADS,
    ("GET", "/v1/documents/{document_id}"): [Try()],
    ("PUT", "/v1/documents/{document_id}"): [
        Try("bram", files="files"),
        Try("eddy", files="files"),
        Try("rita", files="files"),
    ],
    ("DELETE", "/v1/documents/{document_id}"): CHANGES,
    ("GET", "/v1/documents/{document_id}/content"): [Try()],
    ("GET", "/v1/documents/{document_id}/passages"): [Try()],
    ("GET", "/v1/documents/{document_id}/events"): [Try()],
    ("GET", "/v1/documents/{document_id}/flags"): [Try()],
    ("POST", "/v1/documents/{document_id}/cancel"): CHANGES,
    ("POST", "/v1/documents/{document_id}/retry"): CHANGES,
    ("GET", "/v1/memories"): [Try(told=True), Try(path="/v1/memories?query=hotel&limit=100", told=True)],
    ("GET", "/v1/memories/{memory_id}"): [Try(), Try(path="/v1/memories/{written_id}")],
    ("GET", "/v1/files"): [Try(told=True)],
    ("POST", "/v1/files"): [
        Try("bram", files="file", data={"collection": "open"}),
        Try("eddy", files="file", data={"collection": "hr"}),
    ],
    ("GET", "/v1/files/{file_id}"): [Try()],
    ("DELETE", "/v1/files/{file_id}"): CHANGES,
    ("GET", "/v1/files/{file_id}/content"): [Try()],
    ("GET", "/v1/collections"): [Try(told=True)],
    ("GET", "/v1/me/keys"): [Try(told=True)],
    ("GET", "/v1/me/export"): [Try(told=True)],
    ("POST", "/v1/me/keys"): [
        Try(json={"name": "more", "scopes": ["admin"]}),
        Try(json={"name": "more", "scopes": ["read", "curate"]}),
    ],
    ("DELETE", "/v1/me/keys/{key_id}"): [Try()],
    ("PUT", "/v1/me/password"): [Try(json={"old": "not mine at all", "new": "a long enough one"})],
    ("GET", "/metrics"): [Try()],
}
# Names nothing, or is for admins and curators alone, who read everything: test_scopes.py.
NOBODYS = {("GET", "/v1/me"), ("GET", "/v1/models"), ("GET", "/v1/models/{model}")} | {
    route for route, needs in ROUTES.items() if needs.scope in (Scope.ADMIN, Scope.CURATE)
}
TRIES = [(route, n) for route, tries in FOREIGN.items() for n in range(len(tries))]


@pytest.fixture(scope="module")
def office(running):
    """HR's document and anna of HR, who asked about it; others who may not know. Keys by name, and the things."""
    services, admin = running.services, running.client
    for name in ("HR", "Sales", "Editors"):
        services.people.create_group(name)
    for name, groups in (("anna", ["HR"]), ("bram", ["Sales"]), ("eddy", ["Sales", "Editors"]), ("rita", ["HR"])):
        services.people.create(name, groups=groups, password="a password of mine")
    grants = {"hr": {"readers": ["HR"]}, "open": {"readers": None, "editors": ["Editors"]}}
    for name, body in grants.items():
        assert admin.put(f"/v1/collections/{name}/grants", json=body).status_code == 200
    text = "# Travel\n\n## Hotels\n\nEmployees may book hotels up to {} euros per night in Antwerp.\n"
    document = running.upload("hr.md", text.format(SECRET), collection="hr")
    running.upload("open.md", text.format(143), collection="open")
    body = {"question": "Who owns the HR house?", "answer": f"Ann, for {SECRET}.", "collection": "hr"}
    written = admin.post("/v1/memories", json=body).json()["id"]
    keys = {
        p.name: services.auth.create_key(p.name, [Scope.READ, Scope.ASK, Scope.UPLOAD], user_id=p.id)[1]
        for p in services.people.all()
    }
    with client(running, keys["anna"]) as anna:
        said = anna.post("/v1/chat", json={"question": QUESTION, "collections": ["hr"]}).json()
        assert SECRET in said["answer"]
        own = anna.post("/v1/me/keys", json={"name": "anna's own"}).json()["id"]
    [memory] = [m["id"] for m in admin.get("/v1/memories?limit=100").json()["data"] if m["origin"] == "specialist"]
    things = {
        "{document_id}": document,
        "{file_id}": document,
        "{answer_id}": said["answer_id"],
        "{conversation_id}": said["conversation_id"],
        "{memory_id}": memory,
        "{written_id}": written,
        "{key_id}": own,
    }
    return keys, things


def client(running, key: str) -> httpx.Client:
    return httpx.Client(base_url=running.url, headers={"authorization": f"Bearer {key}"}, timeout=60)


def filled(value: str, things: dict[str, str]) -> str:
    for name, thing in things.items():
        value = value.replace(name, thing)
    return value


def send(running, route: tuple[str, str], attempt: Try, key: str, things: dict[str, str]) -> httpx.Response:
    method, path = route
    with client(running, key) as who:
        return who.request(
            method,
            filled(attempt.path or path, things),
            json=json.loads(filled(json.dumps(attempt.json), things)) if attempt.json is not None else None,
            data=attempt.data or None,
            files=[(attempt.files, FILE)] if attempt.files else None,
        )


def touched(running) -> dict[str, list]:
    """All there is; that somebody tried may be noted in the audit log."""
    return {name: found for name, found in rows(running).items() if name != "audit"}


def test_every_route_is_in_one_of_the_tables():
    assert {*FOREIGN, *NOBODYS} == {*ROUTES, *OWN}


@pytest.mark.parametrize(("route", "n"), TRIES, ids=lambda x: " ".join(x) if isinstance(x, tuple) else str(x))
def test_what_is_not_for_somebody_is_not_told_and_not_touched(running, office, route, n):
    keys, things = office
    attempt = FOREIGN[route][n]
    before = touched(running)
    answer = send(running, route, attempt, keys[attempt.who], things)
    if attempt.told:
        assert answer.status_code == 200, answer.text
    else:
        assert answer.status_code in (403, 404), answer.text
        assert touched(running) == before
    assert SECRET not in answer.text
    sent = filled(f"{attempt.path or route[1]} {attempt.json}", things)  # an error may name what was asked for
    assert not [thing for thing in things.values() if thing not in sent and thing in answer.text]


@pytest.mark.parametrize("path", ["content", "passages", ""])
def test_rights_that_are_given_open_what_is_taken_closes_at_once(running, office, path):
    keys, things = office
    address = f"/v1/documents/{things['{document_id}']}/{path}".rstrip("/")
    with client(running, keys["bram"]) as bram:
        for groups, expected in ((["Sales", "HR"], 200), (["Sales"], 404)):
            running.services.people.change("bram", groups=groups)
            assert bram.get(address).status_code == expected


def test_a_stream_of_events_ends_with_the_right_to_follow_it(running, office):
    keys, things = office
    body = {"own": True, "readers": ["Sales", "HR"]}
    with client(running, keys["bram"]) as bram:
        address = f"/v1/documents/{things['{document_id}']}"
        running.client.put(f"{address}/grants", json=body)
        assert bram.get(f"{address}/events").status_code == 200
        running.client.put(f"{address}/grants", json={"own": False})
        assert bram.get(f"{address}/events").status_code == 404


def test_an_expired_key_and_one_of_a_closed_account_open_nothing(running):
    services = running.services
    info, expired = services.auth.create_key("short", [Scope.ADMIN], expires_at=now() + timedelta(hours=1))
    with services.db.write() as session:
        past = now() - timedelta(seconds=1)
        session.execute(sa.update(ApiKey).where(ApiKey.id == info.id).values(expires_at=past))
    closed = services.people.create("gone", role=Role.ADMIN)
    _, gone = services.auth.create_key("gone's", [Scope.ADMIN], user_id=closed.id)
    services.people.change("gone", disabled=True)
    before = touched(running)
    for key in (expired, gone):
        with client(running, key) as who:
            for (method, path), needs in ROUTES.items():
                answer = who.request(method, path.replace("{", "").replace("}", ""), json=needs.json)
                assert answer.status_code == 401, (method, path)
    assert touched(running) == before
    with services.db.read() as session:
        [newest] = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1))
    assert (newest.action, newest.actor_id) == ("sign_in_failed", None)


def test_an_editor_changes_what_is_in_the_collection_and_reads_what_is_apart_in_it(running, office):
    keys, _ = office
    with client(running, keys["eddy"]) as eddy:
        files = [("files", ("new.md", b"# New\n\nThe canteen opens at eight.\n"))]
        sent = eddy.post("/v1/documents", files=files, data={"collection": "open"})
        assert sent.status_code == 202
        document = sent.json()["accepted"][0]["id"]
        running.wait(document)
        running.client.put(f"/v1/documents/{document}/grants", json={"own": True, "readers": []})
        assert eddy.get(f"/v1/documents/{document}").status_code == 200
        with client(running, keys["bram"]) as bram:
            assert bram.get(f"/v1/documents/{document}").status_code == 404
        assert eddy.delete(f"/v1/documents/{document}").status_code == 204
