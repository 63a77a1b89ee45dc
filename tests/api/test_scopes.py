"""Every route of the API against every kind of key: the table says who may, the application says which routes exist."""

import json
from dataclasses import dataclass

import httpx
import pytest
import sqlalchemy as sa
from fastapi.routing import iter_route_contexts

from zuinig.app.main import create_app
from zuinig.core.tables import Base
from zuinig.core.types import Scope
from zuinig.memory.importing import Pair

PAIR = {"question": "Who is the owner?", "answer": "Ann."}
FILE = ("note.md", b"# Note\n\nA note that must not arrive.\n")


@dataclass(frozen=True)
class Needs:
    """scope: what the route needs. The rest: a request that would succeed, so that only the key can stop it."""

    scope: Scope
    json: dict | None = None
    lines: dict | None = None
    files: str | None = None


READ, ASK, UPLOAD, CURATE, ADMIN = Scope.READ, Scope.ASK, Scope.UPLOAD, Scope.CURATE, Scope.ADMIN
COMPLETION = {"model": "zuinig", "messages": [{"role": "user", "content": "Why?"}]}

# A new route is added here, with the least that it should ask for.
ROUTES = {
    ("POST", "/v1/chat"): Needs(ASK, json={"question": "Why?"}),
    ("POST", "/v1/answers/{answer_id}/feedback"): Needs(ASK, json={"verdict": "down"}),
    ("POST", "/v1/search"): Needs(READ, json={"query": "lamp"}),
    ("POST", "/v1/context"): Needs(READ, json={"question": "Why?"}),
    ("GET", "/v1/ledger"): Needs(ADMIN),
    ("GET", "/v1/ledger/summary"): Needs(ADMIN),
    ("GET", "/v1/budgets"): Needs(ADMIN),
    ("PUT", "/v1/budgets"): Needs(ADMIN, json={"subject": "service", "period": "day", "tokens": 1}),
    ("DELETE", "/v1/budgets/{budget_id}"): Needs(ADMIN),
    ("GET", "/v1/documents"): Needs(READ),
    ("POST", "/v1/documents"): Needs(UPLOAD, files="files"),
    ("GET", "/v1/documents/{document_id}"): Needs(READ),
    ("PUT", "/v1/documents/{document_id}"): Needs(UPLOAD, files="files"),
    ("DELETE", "/v1/documents/{document_id}"): Needs(UPLOAD),
    ("GET", "/v1/documents/{document_id}/content"): Needs(READ),
    ("GET", "/v1/documents/{document_id}/passages"): Needs(READ),
    ("GET", "/v1/documents/{document_id}/events"): Needs(READ),
    ("GET", "/v1/documents/{document_id}/flags"): Needs(READ),
    ("POST", "/v1/documents/{document_id}/cancel"): Needs(UPLOAD),
    ("POST", "/v1/documents/{document_id}/retry"): Needs(UPLOAD),
    ("GET", "/v1/memories"): Needs(READ),
    ("POST", "/v1/memories"): Needs(CURATE, json=PAIR),
    ("POST", "/v1/memories/import"): Needs(CURATE, lines=PAIR),
    ("POST", "/v1/memories/lookup"): Needs(ASK, json={"questions": ["Why?"]}),
    ("GET", "/v1/memories/{memory_id}"): Needs(READ),
    ("PATCH", "/v1/memories/{memory_id}"): Needs(CURATE, json={"status": "retired"}),
    ("DELETE", "/v1/memories/{memory_id}"): Needs(CURATE),
    ("GET", "/v1/memories/export"): Needs(CURATE),
    ("POST", "/v1/memories/{memory_id}/approve"): Needs(CURATE),
    ("POST", "/v1/memories/{memory_id}/reject"): Needs(CURATE, json={}),
    ("POST", "/v1/memories/{memory_id}/merge"): Needs(CURATE, json={"into": "mem_2"}),
    ("POST", "/v1/memories/{memory_id}/wordings"): Needs(CURATE, json={"question": "What lamp?"}),
    ("DELETE", "/v1/memories/{memory_id}/wordings/{wording_id}"): Needs(CURATE),
    ("GET", "/v1/suggestions"): Needs(CURATE),
    ("POST", "/v1/suggestions/refresh"): Needs(CURATE),
    ("POST", "/v1/suggestions/{suggestion_id}/approve"): Needs(CURATE, json={"answer": "E27."}),
    ("POST", "/v1/suggestions/{suggestion_id}/reject"): Needs(CURATE),
    ("GET", "/v1/users"): Needs(ADMIN),
    ("POST", "/v1/users"): Needs(ADMIN, json={"name": "eve"}),
    ("GET", "/v1/users/{user_id}"): Needs(ADMIN),
    ("PATCH", "/v1/users/{user_id}"): Needs(ADMIN, json={"role": "admin"}),
    ("PUT", "/v1/users/{user_id}/password"): Needs(ADMIN, json={"password": "a long password"}),
    ("GET", "/v1/me/export"): Needs(ASK),
    ("GET", "/v1/users/{user_id}/export"): Needs(ADMIN),
    ("DELETE", "/v1/users/{user_id}/data"): Needs(ADMIN),
    ("GET", "/v1/audit"): Needs(ADMIN),
    ("GET", "/v1/audit/export"): Needs(ADMIN),
    ("GET", "/v1/groups"): Needs(ADMIN),
    ("POST", "/v1/groups"): Needs(ADMIN, json={"name": "Eve's"}),
    ("DELETE", "/v1/groups/{group_id}"): Needs(ADMIN),
    ("GET", "/v1/keys"): Needs(ADMIN),
    ("POST", "/v1/keys"): Needs(ADMIN, json={"name": "eve"}),
    ("DELETE", "/v1/keys/{key_id}"): Needs(ADMIN),
    ("GET", "/v1/collections"): Needs(READ),
    ("GET", "/v1/collections/{name}/grants"): Needs(ADMIN),
    ("PUT", "/v1/collections/{name}/grants"): Needs(ADMIN, json={"readers": []}),
    ("GET", "/v1/documents/{document_id}/grants"): Needs(ADMIN),
    ("PUT", "/v1/documents/{document_id}/grants"): Needs(ADMIN, json={"own": True, "readers": []}),
    ("GET", "/v1/models"): Needs(READ),
    ("GET", "/v1/models/{model}"): Needs(READ),
    ("POST", "/v1/chat/completions"): Needs(ASK, json=COMPLETION),
    ("GET", "/v1/files"): Needs(READ),
    ("POST", "/v1/files"): Needs(UPLOAD, files="file"),
    ("GET", "/v1/files/{file_id}"): Needs(READ),
    ("DELETE", "/v1/files/{file_id}"): Needs(UPLOAD),
    ("GET", "/v1/files/{file_id}/content"): Needs(READ),
    ("GET", "/metrics"): Needs(READ),
}
# Of whoever asks, whatever the scope: test_foreign.py and tests/unit/test_accounts.py.
OWN = {
    ("GET", "/v1/me"),
    ("PUT", "/v1/me/password"),
    ("GET", "/v1/me/keys"),
    ("POST", "/v1/me/keys"),
    ("DELETE", "/v1/me/keys/{key_id}"),
}
# Whatever these answer, everybody may know.
OPEN = {"/", "/healthz", "/readyz", "/openapi.json"}
# Pages: tests/browser. They ask for a session, and change things only through the routes above.
PAGES = "/portal"

LESSER = [
    (route, scope) for route, needs in ROUTES.items() for scope in (READ, ASK, UPLOAD, CURATE) if scope != needs.scope
]


@pytest.fixture(scope="module")
def targets(running):
    """Things that a request would really change: a failed document, an answer of one's own, a memory."""
    document = running.upload("broken.pdf", b"%PDF-1.7 nothing")
    answer = running.ask("Why?")["answer_id"]
    objection = {"verdict": "down", "correction": "Because."}
    assert running.client.post(f"/v1/answers/{answer}/feedback", json=objection).status_code == 201
    pairs = [Pair("Which bulb?", "E27."), Pair("Which plug?", "F.")]
    running.services.importing.run(pairs, by="test")
    running.services.curate.add_wording(1, "What bulb?", differs=False, by="test")
    body = {"subject": "user", "name": "anna", "period": "day", "tokens": 1}
    budget = running.client.put("/v1/budgets", json=body).json()["id"]
    running.client.put("/v1/collections/default/grants", json={"readers": None})
    anna = running.client.post("/v1/users", json={"name": "anna"}).json()["id"]
    group = running.client.post("/v1/groups", json={"name": "HR"}).json()["id"]
    key = running.client.post("/v1/keys", json={"name": "some"}).json()["id"]
    suggestion = running.client.get("/v1/suggestions").json()["data"][0]["id"]
    return {
        "{document_id}": document,
        "{file_id}": document,
        "{answer_id}": answer,
        "{memory_id}": "mem_1",
        "{wording_id}": "wrd_1",
        "{suggestion_id}": suggestion,
        "{budget_id}": budget,
        "{user_id}": anna,
        "{group_id}": group,
        "{key_id}": key,
        "{name}": "default",
        "{model}": "zuinig",
    }


@pytest.fixture(scope="module")
def keys(running):
    return {scope: running.services.auth.create_key(scope, [scope])[1] for scope in Scope}


def rows(running) -> dict[str, list]:
    """All there is in the database."""
    with running.services.db.read() as session:
        return {table.name: session.execute(sa.select(table)).all() for table in Base.metadata.sorted_tables}


def send(running, route: tuple[str, str], key: str | None, targets: dict[str, str]) -> httpx.Response:
    (method, path), needs = route, ROUTES[route]
    for name, value in targets.items():
        path = path.replace(name, value)
    return httpx.request(
        method,
        f"{running.url}{path}",
        headers={"authorization": f"Bearer {key}"} if key else {},
        json=needs.json,
        content=json.dumps(needs.lines) if needs.lines else None,
        files=[(needs.files, FILE)] if needs.files else None,
        timeout=60,
    )


def name(route: tuple[str, str]) -> str:
    return " ".join(route)


def test_every_route_is_in_the_table(services):
    found = set()
    for context in iter_route_contexts(create_app(services).routes):
        path = str(context.path)
        if path not in OPEN and not path.startswith(PAGES):
            found |= {(method, path) for method in (context.methods or {"ANY"}) - {"HEAD"}}
    assert found == {*ROUTES, *OWN}


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_without_a_valid_key_nothing_is_told_and_nothing_done(running, keys, targets, route):
    info, gone = running.services.auth.create_key("gone", [Scope.ADMIN])
    running.services.auth.revoke(info.id)
    before = rows(running)
    for key in (None, "zk_wrong", gone):
        answer = send(running, route, key, targets)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
    after = rows(running)
    tried = after.pop("audit")[len(before.pop("audit")) :]
    assert [(row.action, row.actor_id) for row in tried] == [("sign_in_failed", None)] * 2  # two keys were sent
    assert after == before


@pytest.mark.parametrize(("route", "scope"), LESSER, ids=lambda x: x if isinstance(x, str) else name(x))
def test_a_key_of_another_scope_is_refused_and_nothing_done(running, keys, targets, route, scope):
    before = rows(running)
    answer = send(running, route, keys[scope], targets)
    assert answer.status_code == 403
    assert ROUTES[route].scope in answer.json()["detail"]
    assert rows(running) == before


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_a_key_of_the_scope_and_the_admin_key_are_let_in(running, keys, route):
    nothing = {part: "nothing" for _, path in ROUTES for part in path.split("/") if part.startswith("{")}
    for key in (keys[ROUTES[route].scope], keys[Scope.ADMIN]):
        answer = send(running, route, key, nothing)
        # Of what is not there, the key's owner is told so; a collection is made. What is there already is a conflict.
        there = "{" not in route[1] or route == ("PUT", "/v1/collections/{name}/grants")
        assert answer.status_code in ((200, 201, 202, 409) if there else (404,)), answer.text


def test_an_import_without_a_key_is_refused_before_its_lines_are_read(running):
    answer = httpx.post(f"{running.url}/v1/memories/import", content="not a line")
    assert answer.status_code == 401
