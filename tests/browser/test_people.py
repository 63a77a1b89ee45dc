"""Accounts, groups and rights in Chromium: what an admin says of people, and what they see of it."""

import json
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect
from running import Running

from zuinig.core.errors import Unauthenticated
from zuinig.core.settings import Settings
from zuinig.core.tables import now
from zuinig.core.types import Role, Scope

pytestmark = pytest.mark.browser

SLOW = 20_000  # ms: two small cores read files, ask models and hash passwords
SECRET = "a long enough secret"
LEASE = "# Lease\n\nThe lease of the canal house costs {} euros per month.\n"
QUESTION = "What does the lease of the canal house cost per month?"
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}<script>alert(2)</script>"


def go(page: Page, path: str) -> Page:
    page.goto(page.url.split("/portal")[0] + "/portal/" + path)
    return page


def told(page: Page, text: str):
    """What was done, said where the keyboard is."""
    said = page.get_by_role("status").filter(has_text=text)
    expect(said).to_be_focused(timeout=SLOW)
    return said


def listed(page: Page) -> list[str]:
    """The documents that the page lists."""
    go(page, "documents")
    return sorted(page.locator("#documents tbody td:first-child a").all_inner_texts())


def person(running: Running, name: str, *groups: str, role: Role = Role.READER) -> tuple[str, str]:
    """Name and password of somebody new. groups: made where they are not there."""
    people = running.services.people
    for group in {*groups} - {g.name for g in people.groups()}:
        people.create_group(group)
    people.create(name, role=role, password=SECRET, groups=groups)
    return name, SECRET


def signed_out(page: Page) -> None:
    """The next click lands on the form to sign in."""
    page.get_by_role("link", name="Documents").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_group_and_a_person_are_added_let_in_and_shut_out(tmp_path, serve, open_page):
    running = serve(Settings(data_dir=tmp_path))
    person(running, "admin", role=Role.ADMIN)
    running.upload("open.md", "# Open\n\nThe canteen opens at noon.\n", collection="handbook")
    running.upload("deal.md", "# Deal\n\nThe deal is worth 99000 euros.\n", collection="deals")
    running.upload("merger.md", "# Merger\n\nThe merger is on Friday.\n", collection="board")
    with open_page(running, person=("admin", SECRET)) as page:
        page.get_by_role("link", name="People").click()
        page.get_by_role("link", name="Groups").click()
        page.get_by_label("Name of the group").fill("sales")
        page.keyboard.press("Enter")
        told(page, "Added: sales.")
        page.get_by_role("link", name="Access").click()
        for collection, choice in (("deals", "these groups"), ("board", "nobody but")):
            page.get_by_role("link", name=collection).click()
            page.get_by_label(choice).check()
            if choice == "these groups":
                page.get_by_role("group", name="Who reads it").get_by_label("sales").check()
            page.get_by_role("button", name="Save").click()
            told(page, "Saved")
            go(page, "access")
        expect(page.get_by_role("row", name="deals")).to_contain_text("sales")
        expect(page.get_by_role("row", name="board")).to_contain_text("curators and admins only")

        go(page, "people").get_by_text("Add a person").click()
        page.get_by_label("Name", exact=True).fill("Anna")
        page.get_by_label("Full name").fill("Anna de Vries")
        page.get_by_label("sales").check()
        page.get_by_label("Password", exact=True).fill(SECRET)
        page.get_by_role("button", name="Add").click()
        told(page, "Added: anna.")
        expect(page.get_by_role("row", name="anna")).to_contain_text("never")

        with open_page(running, person=("anna", SECRET)) as theirs:
            assert theirs.locator("header nav a").all_inner_texts() == ["Ask", "Documents", "Memory"]
            assert listed(theirs) == ["deal.md", "open.md"]
            assert "merger" not in theirs.content()
            expect(theirs.locator(".drop, .actions button, input[type=file]")).to_have_count(0)
            theirs.get_by_role("link", name="deal.md", exact=True).click()
            expect(theirs.locator("article")).to_contain_text("99000")
            expect(theirs.locator("#readers")).to_have_count(0)
            for path in ("people", "groups", "access"):
                expect(go(theirs, path).locator("main")).to_contain_text("lacks the scope")
            theirs.wrong[:] = [w for w in theirs.wrong if "403" not in w]

            page.reload()
            expect(page.get_by_role("row", name="anna").locator("time")).to_contain_text(":")
            page.get_by_role("link", name="anna").click()
            expect(page.locator("#person")).to_contain_text("ends all sessions and revokes all keys")
            page.get_by_role("button", name="Close the account").click()
            told(page, "The account is closed")
            signed_out(theirs)
        with pytest.raises(Unauthenticated):
            running.services.auth.sign_in("anna", SECRET)
        page.get_by_role("button", name="Reopen the account").click()
        told(page, "open again")
        with open_page(running, person=("anna", SECRET)) as theirs:
            page.get_by_label("sales").uncheck()
            page.get_by_label("Role").select_option("curator")
            page.get_by_role("button", name="Save").click()
            told(page, "Saved")
            assert listed(theirs) == ["deal.md", "merger.md", "open.md"]
            expect(theirs.get_by_role("link", name="Review")).to_be_visible()


def test_a_deleted_group_leaves_what_only_it_read_to_nobody(running, page, open_page):
    running.upload("plan.md", "# Plan\n\nThe plan is to move.\n", collection="plans")
    mover = person(running, "mover", "movers")
    running.services.grants.set_collection("plans", readers=["movers"], editors=["movers"])
    with open_page(running, person=mover) as theirs:
        assert "plan.md" in listed(theirs)
        row = go(page, "groups").get_by_role("row", name="movers")
        expect(row).to_contain_text("plans")
        row.get_by_role("button", name="Delete").click()
        told(page, "The group is deleted.")
        assert "plan.md" not in listed(theirs)
    expect(go(page, "access").get_by_role("row", name="plans")).to_contain_text("curators and admins only")


def test_the_first_admin_is_invited_and_nothing_is_required(tmp_path, serve, open_page):
    running = serve(Settings(data_dir=tmp_path))
    with open_page(running) as page:
        expect(page.get_by_label("Your question")).to_be_visible()  # the link leads to work at once
        expect(go(page, "account").locator("main")).to_contain_text("opened with an API key or a link")
        expect(page.locator("main form")).to_have_count(0)
        page.get_by_role("link", name="Make accounts for people").click()
        expect(page.get_by_role("heading", name="Make the first admin account")).to_be_visible()
        page.get_by_label("Name", exact=True).fill("ada")
        page.get_by_label("Password", exact=True).fill(SECRET)
        page.get_by_role("button", name="Make the account").click()
        told(page, "ada is made.")
        expect(page.get_by_role("row", name="ada")).to_contain_text("admin")
        expect(page.get_by_role("heading", name="Make the first admin account")).to_have_count(0)
        with open_page(running, person=("ada", SECRET)) as hers:
            hers.get_by_role("link", name="People").click()
            hers.get_by_role("link", name="ada").click()
            hers.get_by_role("button", name="Close the account").click()
            expect(hers.locator("#said")).to_contain_text("cannot close or demote your own account")
            hers.wrong[:] = [w for w in hers.wrong if "409" not in w]
    with open_page(running) as page:  # and the link stays
        expect(page.get_by_role("link", name="People")).to_be_visible()


def test_a_wrong_password_leaves_the_name_that_was_typed(running, open_page):
    person(running, "typist")
    with open_page(running, locale="nl-NL") as page:
        page.get_by_role("button", name="Uitloggen").click()
        for name in ("typist", f"nobody {HOSTILE}"):
            page.get_by_label("Naam").fill(name)
            page.get_by_label("Wachtwoord").fill("not the password")
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert").filter(has_text="Naam of wachtwoord klopt niet.")).to_be_visible(
                timeout=SLOW
            )
            expect(page.get_by_label("Naam")).to_have_value(name)
            expect(page.get_by_label("Wachtwoord")).to_have_value("")
            expect(page.get_by_label("Wachtwoord")).to_be_focused()
            assert "not the password" not in page.content()
            assert page.locator("img[onerror]").count() == 0
        page.wrong[:] = [w for w in page.wrong if "401" not in w]


def test_a_changed_password_ends_the_other_sessions(running, open_page):
    bram = person(running, "bram")
    with open_page(running, person=bram) as page, open_page(running, person=bram) as other:
        page.get_by_role("link", name="Your account").click()
        expect(page.locator(".facts")).to_contain_text("reader")
        page.get_by_label("Present password").fill("not this one")
        page.get_by_label("New password").fill("another long secret")
        page.get_by_role("button", name="Change your password").click()
        expect(page.locator("#said")).to_contain_text("The present password is wrong.", timeout=SLOW)
        page.wrong[:] = [w for w in page.wrong if "403" not in w]
        page.get_by_label("Present password").fill(SECRET)
        page.get_by_role("button", name="Change your password").click()
        told(page, "Your password is changed")
        page.get_by_role("link", name="Documents").click()
        expect(page.get_by_role("heading", name="Documents")).to_be_visible()
        signed_out(other)
    with pytest.raises(Unauthenticated):
        running.services.auth.sign_in(*bram)
    with open_page(running, person=("bram", "another long secret")):
        pass


def test_an_own_key_is_shown_once_and_may_no_more_than_its_owner(running, open_page):
    open_to_all = running.upload("bikes.md", "# Bikes\n\nBikes stand in the yard.\n", collection="yard")
    hidden = running.upload("safe.md", "# Safe\n\nThe safe is in the cellar.\n", collection="cellar")
    running.services.grants.set_collection("cellar", readers=[], editors=[])
    with open_page(running, person=person(running, "carl")) as page:
        go(page, "account").get_by_text("Make a key").first.click()
        fold = page.locator("details")
        assert fold.locator("input[type=checkbox]").evaluate_all("boxes => boxes.map((b) => b.value)") == [
            "read",
            "ask",
        ]
        fold.get_by_label("What it is for").fill("backup")
        fold.get_by_label("No longer valid from").fill("2100-01-01")
        fold.get_by_role("button", name="Make a key").click()
        shown = page.get_by_label("Your new key: backup")
        expect(shown).to_be_focused()
        key = shown.input_value()
        with httpx.Client(base_url=running.url, headers={"authorization": f"Bearer {key}"}) as client:
            assert client.get("/v1/me").json()["name"] == "carl"
            assert client.get(f"/v1/documents/{open_to_all}").status_code == 200
            assert client.get(f"/v1/documents/{hidden}").status_code == 404
            page.reload()
            assert key not in page.content()
            expect(page.get_by_role("row", name="backup")).to_contain_text("2100")
            page.get_by_role("button", name="Revoke backup").click()
            told(page, "The key is revoked.")
            expect(page.get_by_role("row", name="backup")).to_contain_text("revoked")
            assert client.get("/v1/me").status_code == 401


def test_all_there_is_of_oneself_is_downloaded(running, open_page):
    with open_page(running, person=person(running, "dirk")) as page:
        page.get_by_label("Your question").fill("Who waters the fern?")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator(".turn .about")).to_be_visible(timeout=SLOW)
        go(page, "account")
        expect(page.locator("main")).to_contain_text("All that this service has of you")
        with page.expect_download() as download:
            page.locator("main").get_by_role("link", name="Download").click()
        assert download.value.suggested_filename == "personal-data.json"
        found = json.loads(download.value.path().read_text())
        assert found["profile"]["name"] == "dirk"
        assert "Who waters the fern?" in json.dumps(found["conversations"])
    # Nothing is offered that would be refused.
    dirk = running.services.people.get("dirk").id
    for scopes, ends in (([Scope.READ], None), ([Scope.ASK], now() + timedelta(hours=1))):
        info, _ = running.services.auth.create_key("narrow", scopes, user_id=dirk, expires_at=ends)
        with open_page(running, key_id=info.id) as page:
            go(page, "account")
            expect(page.locator("a[href='/v1/me/export']")).to_have_count(0)
            page.wrong[:] = [w for w in page.wrong if "403" not in w]


def test_a_document_that_is_given_to_others_is_gone_from_list_search_and_answer(running, page, open_page):
    document = running.upload("lease.md", LEASE.format(1750), collection="houses")
    running.upload("garden.md", "# Garden\n\nThe garden has roses.\n", collection="houses")
    person(running, "lawyer", "legal")
    with open_page(running, person=person(running, "dora", "tenants")) as theirs:
        theirs.get_by_label("Your question").fill(QUESTION)
        theirs.get_by_role("button", name="Ask").click()
        expect(theirs.locator(".turn .answer")).to_contain_text("1750 euros", timeout=SLOW)
        theirs.locator(".turn .citations a").first.click()
        theirs.go_back()
        expect(theirs.locator(".turn .answer")).to_contain_text("1750 euros")
        conversation = theirs.url

        def found() -> str:
            headers = {"origin": running.url}
            sent = theirs.request.post(f"{running.url}/v1/search", data={"query": QUESTION}, headers=headers)
            return sent.text()

        assert "1750 euros" in found()
        go(page, f"documents/{document}")
        expect(page.locator("#readers")).to_contain_text("everybody (as said of its collection)")
        page.locator("#readers summary").click()
        page.get_by_label("these groups").check()
        page.get_by_label("legal").check()
        page.get_by_role("button", name="Save").click()
        told(page, "Saved")
        expect(page.locator("#readers")).to_contain_text("legal (this document has readers of its own)")

        shown = listed(theirs)
        assert "garden.md" in shown
        assert "lease.md" not in shown
        assert "1750 euros" not in found()
        theirs.goto(conversation)
        expect(theirs.locator(".turn")).to_contain_text("you may no longer read")
        assert "1750 euros" not in theirs.content()

        page.locator("#readers summary").click()
        page.get_by_label("those of its collection").check()
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#readers")).to_contain_text("everybody (as said of its collection)")
        assert "lease.md" in listed(theirs)
        theirs.goto(conversation)
        expect(theirs.locator(".turn .answer")).to_contain_text("1750 euros")


def test_an_editor_changes_documents_of_own_collections_only(running, open_page, tmp_path):
    running.upload("theirs.md", "# Theirs\n\nNot to be changed.\n", collection="others")
    running.upload("ours.md", "# Ours\n\nTo be changed.\n", collection="wiki")
    editor = person(running, "eva", "writers")
    running.services.grants.set_collection("wiki", readers=None, editors=["writers"])
    (tmp_path / "new.md").write_text("# New\n\nJust written.\n")
    with open_page(running, person=editor) as page:
        go(page, "documents")
        assert page.locator("#collection option").all_inner_texts() == ["wiki"]
        row = page.locator("#documents tr", has_text="theirs.md")
        expect(row.get_by_role("link", name="Download")).to_be_visible()
        expect(row.locator("button, input")).to_have_count(0)
        page.locator("#files").set_input_files(tmp_path / "new.md")
        expect(page.locator("#tally")).to_contain_text("1 of 1 done", timeout=SLOW)
        expect(page.locator("#documents tr", has_text="new.md")).to_contain_text("wiki")
        row = page.locator("#documents tr", has_text="ours.md")
        expect(row.get_by_label("Replace ours.md")).to_have_count(1)
        row.get_by_role("button", name="Delete").click()
        expect(row).to_have_count(0)


ADMINS = {
    "people": {"name": "intruder", "password": SECRET, "role": "admin"},
    "people/{user}": {"role": "admin"},
    "people/{user}/password": {"password": "the intruder's own"},
    "people/{user}/disabled": {"disabled": "true"},
    "people/{user}/keys/{key}/revoke": {},
    "groups": {"name": "intruders"},
    "groups/{group}/delete": {},
    "access": {"name": "new", "readers": "nobody"},
    "access/collection": {"name": "private", "readers": "everyone"},
    "documents/{document}/readers": {"readers": "everyone"},
}


@pytest.fixture(scope="module")
def victim(running):
    """Ids of a user and what goes with it, by what they are of; and a session of a reader."""
    people, auth = running.services.people, running.services.auth
    document = running.upload("private.md", "# Private\n\nNobody's business.\n", collection="private")
    running.services.grants.set_collection("private", readers=[], editors=[])
    person(running, "victim", "guarded")
    key, _ = auth.create_key("victim's", [Scope.ASK], user_id=people.get("victim").id)
    ids = {"user": people.get("victim").id, "group": people.group("guarded").id, "key": key.id, "document": document}
    return ids, auth.sign_in(*person(running, "reader"))


@pytest.mark.parametrize("path", ADMINS)
def test_neither_a_reader_nor_another_site_changes_anything(running, victim, path):
    ids, reader = victim
    services = running.services

    def state():
        keys = services.auth.all_keys(ids["user"])
        grants = services.grants.collections(), services.grants.readers(ids["document"])
        return services.people.all(), services.people.groups(), keys, grants

    before = state()
    admin = services.auth.sign_in_with_key(running.key)
    for session, origin in ((reader, running.url), (admin, "https://evil.example")):
        headers = {"cookie": f"zuinig_session={session}", "authorization": "", "origin": origin, "hx-request": "true"}
        answer = running.client.post(f"/portal/{path.format(**ids)}", data=ADMINS[path], headers=headers)
        assert answer.status_code == 403, answer.text
    assert state() == before
    assert services.auth.sign_in("victim", SECRET)


def test_a_session_of_a_key_has_no_account_to_change(running):
    _, key = running.services.auth.create_key("robot", [Scope.READ, Scope.ASK])
    cookie = f"zuinig_session={running.services.auth.sign_in_with_key(key)}"
    headers = {"cookie": cookie, "authorization": "", "origin": running.url, "hx-request": "true"}
    for path, sent in (("password", {"old": "x", "new": SECRET}), ("keys", {"name": "x", "scopes": "ask"})):
        answer = running.client.post(f"/portal/account/{path}", data=sent, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_person")


def test_a_collection_is_not_added_over_one_that_is_there(running, page):
    running.services.grants.set_collection("guarded", readers=[], editors=[])
    go(page, "access").get_by_text("Add a collection").click()
    page.get_by_label("Name of the collection").fill("guarded")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#said")).to_contain_text("That name is taken already.")
    page.wrong[:] = [w for w in page.wrong if "409" not in w]
    assert running.services.grants.collection("guarded").readers == ()
    page.get_by_label("Name of the collection").fill("a/b & c")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("link", name="a/b & c").click()
    expect(page.get_by_role("heading", name="a/b & c")).to_be_visible()


def test_the_pages_are_dutch_narrow_labelled_and_take_text_as_text(running, open_page):
    people, services = running.services.people, running.services
    people.create_group(HOSTILE)
    long = "donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamter" * 2
    somebody = people.create(long, display_name=HOSTILE, password=SECRET, groups=[HOSTILE])
    services.auth.create_key(HOSTILE, [Scope.ASK], user_id=somebody.id)
    document = running.upload("lang.md", "# Lang\n\nKort.\n", collection="Verzameling" * 9)
    services.grants.set_collection("Verzameling" * 9, readers=[HOSTILE], editors=[HOSTILE])
    narrow = {"viewport": {"width": 360, "height": 700}, "locale": "nl-NL", "color_scheme": "dark"}
    pages = {
        "people": "Voeg iemand toe",
        f"people/{somebody.id}": "Het account sluiten",
        "groups": "Naam van de groep",
        "access": "Wie het bewerkt",
        f"access/collection?name={'Verzameling' * 9}": "deze groepen",
        f"documents/{document}": "Wie dit document leest",
    }
    with open_page(running, **narrow) as page:
        for path, said in pages.items():
            _looked_at(page, path, said)
    with open_page(running, person=(long, SECRET), **narrow) as page:
        _looked_at(page, "account", "Je API-sleutels")
        _looked_at(page, "documents", "Kies bestanden")


def _looked_at(page: Page, path: str, said: str) -> None:
    go(page, path)
    for fold in page.locator("main details > summary").all():
        fold.click()
    expect(page.locator("main")).to_contain_text(said)
    assert page.evaluate("document.documentElement.scrollWidth") == 360, path
    nameless = page.evaluate(
        "[...document.querySelectorAll('main :is(input:not([type=hidden]), select, textarea, button)')]"
        ".filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim())).map((e) => e.outerHTML)"
    )
    assert nameless == [], path
    assert page.locator("img[onerror]").count() == 0
