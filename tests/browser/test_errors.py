"""What a person reads where there is no page, or where one fails; and that programs still read what they can parse."""

import httpx
import pytest
from playwright.sync_api import expect

from zuinig.core.settings import Settings

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>"
# Method, path, status, and what it says in English and Dutch.
REFUSED = [
    ("GET", "/portal/nothing", 404, "There is nothing at this address.", "Op dit adres staat niets."),
    ("GET", "/portal/static/nothing.css", 404, "There is nothing at this address.", "Op dit adres staat niets."),
    ("GET", "/portal/oidc/nothing", 404, "There is nothing at this address.", "Op dit adres staat niets."),
    ("GET", "/portal/memories/mem_9999", 404, "no such memory", "Dat is er niet, of niet meer."),
    ("POST", "/portal/savings", 405, "does not take what was sent", "neemt niet aan wat ernaar is gestuurd"),
    ("GET", f"/portal/savings?days={HOSTILE}", 422, "Something in this address", "Iets in dit adres"),
    ("POST", "/portal/language", 403, "came from another site", "kwam van een andere site"),
    ("POST", "/portal/sign-in", 413, "Send less.", "Verstuur minder."),
]


@pytest.fixture(scope="module")
def reader(running):
    """A session that may do everything, in Dutch or English."""
    session = running.services.auth.sign_in_with_key(running.key)

    def client(language: str, **more: str) -> httpx.Client:
        cookies = {"zuinig_session": session, "zuinig_language": language}
        return httpx.Client(base_url=running.url, cookies=cookies, headers={"sec-fetch-site": "same-origin", **more})

    return client


@pytest.mark.parametrize(("method", "path", "status", "english", "dutch"), REFUSED, ids=lambda x: str(x)[:40])
def test_a_page_that_cannot_be_shown_says_why_in_the_readers_language(reader, method, path, status, english, dutch):
    more = {"sec-fetch-site": "cross-site"} if status == 403 else {}
    sent = {"key": "x" * 200_000} if status == 413 else {"chosen": "nl"} if status == 403 else None
    for language, said, back in (("en", english, "Back to your questions"), ("nl", dutch, "Terug naar je vragen")):
        with reader(language, **more) as client:
            answer = client.request(method, path, data=sent)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert said in answer.text
        assert f'<a href="/portal/">{back}</a>' in answer.text
        assert "<img src=x" not in answer.text


@pytest.mark.parametrize(("method", "path", "status"), [case[:3] for case in REFUSED if case[2] not in (403, 413)])
def test_a_part_of_a_page_and_a_program_still_get_what_they_can_parse(reader, method, path, status):
    with reader("nl", **{"hx-request": "true"}) as client:
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        other = client.get("/v1/nothing")
    assert (other.status_code, other.headers["content-type"]) == (404, "application/problem+json")


def test_what_the_refusal_adds_for_browsers_stays(reader):
    with reader("en") as client:
        assert client.post("/portal/savings").headers["allow"] == "GET"


def test_a_guess_at_a_key_is_told_nothing_by_a_page_that_is_not_there(running):
    for key in (running.key, "zk_wrong"):
        answer = httpx.get(f"{running.url}/portal/nothing", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 404
        assert "/portal/sign-out" not in answer.text


def test_a_page_that_crashes_says_so_and_a_way_back_is_there(tmp_path, serve, open_page, monkeypatch):
    service = serve(Settings(data_dir=tmp_path))
    with open_page(service, locale="nl-NL") as page:
        monkeypatch.setattr(service.services.budgets, "all", lambda: 1 / 0)
        answer = page.goto(f"{service.url}/portal/savings")
        assert answer.status == 500
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-request-id"]
        expect(page.get_by_role("heading")).to_have_text("Deze pagina kan niet worden getoond")
        expect(page.locator("main")).to_contain_text("Het logboek van de dienst zegt waarom.")
        page.get_by_role("link", name="Terug naar je vragen").click()
        expect(page.get_by_label("Je vraag")).to_be_visible()
        page.wrong[:] = [w for w in page.wrong if "500" not in w]
