"""A person's data over HTTP: all of it in one document, and gone without a trace; and who is told of it."""

import json
import threading

import httpx
import pytest
import sqlalchemy as sa
from running import Running

from zuinig.app.services import build
from zuinig.core.settings import Settings
from zuinig.core.tables import Memory, Suggestion
from zuinig.core.types import Scope, SuggestionKind, SuggestionStatus
from zuinig.retrieval import embed

ANNA, MARK, PASSWORD = "anna.marker@example.com", "zebrafish", "correct horse battery"
LAMP = "Which bulb does the lamp in the hall take?"
SAME_SITE = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def house(running):
    running.upload("lamp.md", "# Lamp\n\nThe lamp in the hall takes an E27 bulb of 40 watts.\n")
    running.upload("boat.md", "# Boat\n\nThe old wooden boat belongs to member Joris.\n")
    return running


@pytest.fixture
def person(house):
    """person(name) is somebody new: the id, and a client with a key of that person."""
    opened, made = [], []

    def person(name: str, role: str = "reader") -> tuple[str, httpx.Client]:
        body = {"name": name, "role": role, "password": PASSWORD}
        user = house.client.post("/v1/users", json=body).json()["id"]
        scopes = ["read", "ask", "upload", "curate"]
        key = house.client.post("/v1/keys", json={"name": f"{name} laptop", "scopes": scopes, "user_id": user}).json()
        client = httpx.Client(base_url=house.url, headers={"authorization": f"Bearer {key['key']}"}, timeout=60)
        opened.append(client)
        made.append(user)
        return user, client

    yield person
    for client in opened:
        client.close()
    for user in made:
        house.client.delete(f"/v1/users/{user}/data", params={"account": True})


def call(client: httpx.Client, method: str, path: str, **more) -> dict:
    answer = client.request(method, path, **more)
    assert answer.status_code in (200, 201, 202), answer.text
    return answer.json()


def ask(client: httpx.Client, question: str, **more) -> dict:
    return call(client, "POST", "/v1/chat", json={"question": question, **more})


def dump(house) -> str:
    """All that the database holds, but for the audit log."""
    with house.services.db.read() as session:
        lines = session.connection().connection.dbapi_connection.iterdump()
        # Its last number is counted in a table of SQLite's own.
        log = 'INSERT INTO "audit"', 'INSERT INTO "sqlite_sequence"'
        return "\n".join(line for line in lines if not line.startswith(log))


def audit(house, **wanted) -> list[dict]:
    return house.client.get("/v1/audit", params={"limit": 100, **wanted}).json()["data"]


def lived(house, anna: httpx.Client, bob: httpx.Client, whose: str) -> None:
    """Anna, a curator, has used everything there is; Bob has asked one of her questions too."""
    age = f"How old is the {MARK} of the {whose}?"
    first = ask(anna, f"Which bulb does the lamp in the hall of the {MARK} take?")
    ask(anna, age, conversation_id=first["conversation_id"])
    ask(anna, age)
    objection = {"verdict": "down", "correction": f"E14, says the {MARK}."}
    call(anna, "POST", f"/v1/answers/{first['answer_id']}/feedback", json=objection)
    assert ask(anna, LAMP, memory="refresh")["source"] == "specialist"
    assert ask(bob, LAMP)["source"] == "memory"
    call(house.client, "POST", "/v1/suggestions/refresh")
    memory = call(anna, "POST", "/v1/memories", json={"question": "Who has the key?", "answer": "Joris."})["id"]
    call(anna, "POST", f"/v1/memories/{memory}/wordings", json={"question": "Who holds the key?"})
    call(anna, "PATCH", f"/v1/memories/{memory}", json={"review_at": "2030-01-01T00:00:00Z"})
    gone = call(anna, "POST", "/v1/memories", json={"question": "Who has the oar?", "answer": "Nobody."})["id"]
    call(anna, "PATCH", f"/v1/memories/{gone}", json={"status": "retired"})
    found = house.client.get("/v1/suggestions?kind=gap").json()["data"]
    [gap] = [s for s in found if s["question"] == age]
    assert anna.post(f"/v1/suggestions/{gap['id']}/reject").status_code == 204
    budget = {"subject": "user", "name": ANNA, "period": "day", "tokens": 1000}
    call(house.client, "PUT", "/v1/budgets", json=budget)
    httpx.post(f"{house.url}/portal/sign-in", data={"name": ANNA, "password": PASSWORD}, headers=SAME_SITE)


def test_who_is_forgotten_leaves_no_trace_but_in_the_audit_log(house, person):
    (_, bob), (anna_id, anna) = person("bob"), person(ANNA, "curator")
    lived(house, anna, bob, "baker")
    # What the browser may do for her, an editor of the collection, the service does here.
    with house.services.db.write() as session:
        session.execute(sa.text("UPDATE documents SET uploaded_by = :a WHERE filename = 'boat.md'"), {"a": anna_id})
    before, spent = dump(house), house.client.get("/v1/ledger/summary").json()["total"]
    bobs = bob.get("/v1/me/export").json()["conversations"]
    keys = [k["id"] for k in house.client.get("/v1/keys").json()["data"] if k["user_id"] == anna_id]
    assert MARK in before and ANNA in before and anna_id in before

    path = f"/v1/users/{ANNA}/data"
    would = call(house.client, "DELETE", path, params={"account": True, "dry_run": True})
    assert dump(house) == before
    assert anna.get("/v1/me").status_code == 200
    done = call(house.client, "DELETE", path, params={"account": True})
    assert done == would | {"dry_run": False}
    assert (done["questions"], done["conversations"], done["feedback"]) == (4, 3, 1)
    assert (done["memories"], done["kept_memories"], done["kept_documents"]) == (1, 1, 1)
    assert (done["keys"], done["sessions"], done["budgets"], done["account"]) == (1, 1, 1, True)
    assert done["kept_ledger_entries"] == 4 and done["kept_audit_events"] >= 10

    after = dump(house)
    for trace in (MARK, ANNA, anna_id, *keys):
        assert trace not in after
    # What belongs to others too is still there.
    assert house.client.get("/v1/ledger/summary").json()["total"] == spent
    assert bob.get("/v1/me/export").json()["conversations"] == bobs
    assert ask(bob, LAMP)["source"] == "memory"
    assert ask(bob, "Who has the key?")["answer"] == "Joris."
    assert anna.get("/v1/me").status_code == 401
    [told] = audit(house, action="forget")[:1]
    assert (told["actor"], told["target"]) == ("admin", anna_id)
    assert "questions 4" in told["detail"]
    assert {row["action"] for row in audit(house, actor=anna_id)} >= {"ask", "sign_in", "memory_write", "wording_add"}


def test_what_was_decided_does_not_come_back_once_the_words_are_gone(house, person):
    _, anna = person(ANNA, "curator")
    ask(anna, "Where does the ocelot sleep?")
    call(house.client, "POST", "/v1/suggestions/refresh")
    with house.services.db.write() as session:
        gap = sa.update(Suggestion).where(Suggestion.question.contains("sleep"))
        session.execute(gap.values(status=SuggestionStatus.REJECTED, decided_by=ANNA))
    call(house.client, "DELETE", f"/v1/users/{ANNA}/data")
    assert "ocelot" not in dump(house)
    ask(house.client, "Where does the ocelot sleep?")
    call(house.client, "POST", "/v1/suggestions/refresh")
    with house.services.db.read() as session:
        found = session.scalars(sa.select(Suggestion).where(Suggestion.kind == SuggestionKind.GAP)).all()
    assert not [s for s in found if "sleep" in s.question]


def test_without_the_account_a_person_can_still_sign_in(house, person):
    user, anna = person(ANNA)
    ask(anna, f"Is there a {MARK}?")
    done = call(house.client, "DELETE", f"/v1/users/{user}/data")
    assert (done["account"], done["keys"]) == (False, 1)
    assert MARK not in dump(house)
    assert house.client.get(f"/v1/users/{user}").json()["name"] == ANNA
    assert house.services.auth.sign_in(ANNA, PASSWORD)


def test_a_name_on_whose_account_keys_ask_is_forgotten_too(house):
    _, mine = house.services.auth.create_key("carla's desk", [Scope.ASK], user="Carla")
    other, _ = house.services.auth.create_key("desk", [Scope.ASK], user="Carl")
    client = httpx.Client(base_url=house.url, headers={"authorization": f"Bearer {mine}"}, timeout=60)
    with client:
        ask(client, f"Which food does the {MARK} take?")
        assert call(house.client, "DELETE", "/v1/users/carla/data")["questions"] == 1
        assert client.get("/v1/me").status_code == 401
    after = dump(house)
    assert not [trace for trace in (MARK, "Carla", "carla") if trace in after]
    assert other.id in after
    assert house.client.delete("/v1/users/carla/data").status_code == 404


def test_an_admin_cannot_remove_the_own_account(house, person):
    user, _ = person("root", "admin")
    key = house.client.post("/v1/keys", json={"name": "root", "scopes": ["admin"], "user_id": user}).json()["key"]
    answer = httpx.delete(f"{house.url}/v1/users/{user}/data?account=true", headers={"authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "own_account")


def test_a_person_gets_all_there_is_of_that_person_and_nothing_else(house, person):
    (bob_id, bob), (anna_id, anna) = person("bob"), person(ANNA, "curator")
    lived(house, anna, bob, "miller")
    answer = anna.get("/v1/me/export")
    assert "attachment" in answer.headers["content-disposition"]
    found = answer.json()
    assert (found["profile"]["name"], found["profile"]["role"]) == (ANNA, "curator")
    assert [len(c["turns"]) for c in found["conversations"]] == [2, 1, 1]
    assert found["conversations"][0]["turns"][1]["question"] == f"How old is the {MARK} of the miller?"
    assert [f["correction"] for f in found["feedback"]] == [f"E14, says the {MARK}."]
    assert "Who has the key?" in {m["question"] for m in found["memories"]}
    assert [w["question"] for w in found["wordings"]] == ["Who holds the key?"]
    assert sum(row["questions"] for row in found["ledger"]) == 4
    assert {"ask", "sign_in", "export"} <= {row["action"] for row in found["audit"]}
    assert [k["name"] for k in found["keys"]] == [f"{ANNA} laptop"] and len(found["sessions"]) == 1
    for secret in ("zk_", "argon2", "key_hash", "token_hash", bob_id):
        assert secret not in answer.text
    # An admin gets the same, by id or by name, but for the rows of the audit log that came since.
    for who in (anna_id, ANNA):
        theirs = house.client.get(f"/v1/users/{who}/export").json()
        assert theirs | {"audit": None} == found | {"audit": None}
    assert bob.get(f"/v1/users/{anna_id}/export").status_code == 403


def test_an_answer_out_of_what_one_may_no_longer_read_is_left_out(house, person):
    _, dora = person("dora")
    document = house.upload("secret.md", "# Safe\n\nThe code of the safe is 778899.\n", collection="vault")
    assert "778899" in ask(dora, "What is the code of the safe?")["answer"]
    assert "778899" in dora.get("/v1/me/export").text
    call(house.client, "PUT", f"/v1/documents/{document}/grants", json={"own": True, "readers": []})
    answer = dora.get("/v1/me/export")
    assert "778899" not in answer.text
    assert [t["withheld"] for c in answer.json()["conversations"] for t in c["turns"]] == [True]


def test_signing_in_and_out_is_told_and_the_password_is_not(house, person):
    user, _ = person("eva")
    page = {"base_url": house.url, "headers": SAME_SITE, "timeout": 60}
    with httpx.Client(**page) as browser:
        browser.post("/portal/sign-in", data={"name": "eva", "password": "a wrong secret"})
        browser.post("/portal/sign-in", data={"key": "zk_wrong"})
        browser.get("/portal/sign-in?token=used")
        browser.post("/portal/sign-in", data={"name": "Eva", "password": PASSWORD})
        browser.post("/portal/sign-out")
        browser.post("/portal/sign-out")
    rows = [r for r in audit(house) if r["action"].startswith("sign_")][:5]
    assert [(r["action"], r["actor"], r["actor_id"], r["detail"]) for r in reversed(rows)] == [
        ("sign_in_failed", "eva", None, "wrong_password"),
        ("sign_in_failed", "", None, "key"),
        ("sign_in_failed", "", None, "link"),
        ("sign_in", "eva", user, None),
        ("sign_out", "eva", user, None),
    ]
    assert {r["address"] for r in rows} == {"127.0.0.1"}
    told = house.client.get("/v1/audit/export").text
    assert not [secret for secret in ("a wrong secret", PASSWORD, "zk_wrong") if secret in told]


def test_a_wrong_key_is_told_without_the_key(house):
    guess = {"authorization": "Bearer zk_guess"}
    for path, send in (("/v1/models", {}), ("/v1/documents", {"files": [("files", ("a.txt", b"a"))]})):
        assert house.client.request("POST" if send else "GET", path, headers=guess, **send).status_code == 401
    rows = audit(house)[:2]
    assert {(r["action"], r["actor"], r["detail"]) for r in rows} == {("sign_in_failed", "", "key of a request")}
    assert "zk_guess" not in house.client.get("/v1/audit/export").text


def test_who_stops_the_reading_of_a_document_and_has_it_tried_again_is_told(tmp_path, fake_embedder, monkeypatch):
    monkeypatch.setattr(embed, "load", lambda *_, **__: fake_embedder)
    idle = Running(build(Settings(data_dir=tmp_path, ingest_workers=0)))
    sent = call(idle.client, "POST", "/v1/documents", files=[("files", ("a.txt", b"a"))])
    document = sent["accepted"][0]["id"]
    for change in ("cancel", "retry"):
        call(idle.client, "POST", f"/v1/documents/{document}/{change}")
    batch = {"ids": document, "total": 1}
    assert idle.client.post("/portal/uploads/cancel", data=batch, headers=SAME_SITE).is_success
    rows = [(r["action"], r["target"], r["actor"]) for r in reversed(audit(idle))]
    changes = ("upload", "cancel_document", "retry_document", "cancel_document")
    assert rows == [(change, document, "admin") for change in changes]
    idle.stop()


def test_what_is_done_over_http_is_told_with_who_and_what(house):
    client, admin = house.client, house.services.auth.of_key(house.key)
    document = house.upload("note.md", "# Note\n\nA note.\n")
    client.put(f"/v1/documents/{document}", files=[("files", ("note.md", b"# Note\n\nAnother.\n"))])
    house.wait(document)
    client.get(f"/v1/documents/{document}/content")
    client.get(f"/v1/documents/{document}/passages")
    client.get(f"/v1/files/{document}/content")
    client.get("/v1/documents")
    client.post("/v1/search", json={"query": "note"})
    client.post("/v1/memories/lookup", json={"questions": ["Who notes?"]})
    group = client.post("/v1/groups", json={"name": "Notes"}).json()["id"]
    client.put(f"/v1/documents/{document}/grants", json={"own": True, "readers": ["Notes"]})
    client.delete(f"/v1/groups/{group}")
    client.delete(f"/v1/documents/{document}")
    memory = client.post("/v1/memories", json={"question": "Who notes?", "answer": "Ann."}).json()["id"]
    client.post(f"/v1/memories/{memory}/approve")
    client.post(f"/v1/memories/{memory}/reject", json={})
    client.delete(f"/v1/memories/{memory}")
    line = {"question": "Who notes?", "answer": "Ann."}
    client.post("/v1/memories/import", content=json.dumps(line))
    client.get("/v1/memories/export")
    rows = list(reversed(audit(house)))
    rows = rows[next(n for n, r in enumerate(rows) if r["action"] == "upload" and r["target"] == document) :]
    assert [(r["action"], r["target"]) for r in rows] == [
        ("upload", document),
        ("replace", document),
        *[("read", document)] * 3,
        ("search", None),
        ("lookup", None),
        ("group_create", group),
        ("grant", document),
        ("group_delete", group),
        ("delete_document", document),
        *[(f"memory_{done}", memory) for done in ("write", "approve", "reject", "delete")],
        ("memory_import", None),
        ("export", "memories"),
    ]
    assert {(r["actor_id"], r["actor"], r["address"]) for r in rows} == {(admin.id, "admin", "127.0.0.1")}
    with house.services.db.write() as session:
        session.execute(sa.delete(Memory).where(Memory.question == "Who notes?"))


def test_asking_at_once_gives_each_question_its_row(house, person):
    users = [person(name) for name in ("finn", "guus")]
    threads = [threading.Thread(target=lambda c=c: [ask(c, LAMP) for _ in range(5)]) for _, c in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for user, client in users:
        mine = client.get("/v1/me/export").json()
        asked = [t["answer_id"] for c in mine["conversations"] for t in c["turns"]]
        assert sorted(r["target"] for r in mine["audit"] if r["action"] == "ask") == sorted(asked)
        assert len(asked) == 5 and {r["actor_id"] for r in audit(house, actor=user)} == {user}
