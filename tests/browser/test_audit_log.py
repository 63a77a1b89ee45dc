"""The audit log's page: who sees it, what it finds, and that what anybody wrote into it stays text on one line."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from zuinig.core.types import Scope

pytestmark = pytest.mark.browser

HOSTILE = "<img data-hostile src=x onerror=alert(1)>\"'{{7007*1911}}\u202e"
LONG = "W" * 190


@pytest.fixture(scope="module")
def logged(running):
    """The service, with more rows than a page shows, some of them hostile."""
    audit = running.services.audit
    for n in range(60):
        audit.record("anna", "read", f"doc_{n}", "text")
    audit.record("bram", "user_change", "usr_1", '{"role": "admin"}')
    audit.record(f"{HOSTILE}\nbram", "sign_in_failed", f"{HOSTILE}\ntarget\n{LONG}", f"{HOSTILE}\r\ndetail {LONG}")
    return running


def rows(page: Page):
    return page.locator("#audit tbody tr")


def opened(page: Page) -> Page:
    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    return page


def test_rows_come_newest_first_and_page_by_page(logged, page):
    opened(page)
    expect(rows(page)).to_have_count(50)
    first = rows(page).first
    expect(first).to_contain_text("signed in")  # by this very page
    expect(first.locator("time")).to_contain_text(":")
    expect(first).to_contain_text("127.0.0.1")
    page.get_by_role("link", name="Older").click()
    expect(rows(page).last).not_to_contain_text("doc_59")
    page.wait_for_url("**/portal/audit?after=*")
    page.get_by_role("link", name="Newest").click()
    expect(rows(page).first).to_contain_text("signed in")


def test_rows_are_found_by_who_and_by_what(logged, page):
    opened(page)
    page.get_by_label("Who").fill(" bram ")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text('{"role": "admin"}')
    page.get_by_label("Who").fill("anna")
    page.get_by_label("What").select_option("opened a document")
    page.wait_for_url("**/portal/audit?actor=anna&action=read")
    # The address is there before the rows are.
    expect(page.get_by_role("link", name="Older")).to_have_attribute("href", re.compile("actor=anna&action=read"))
    expect(rows(page)).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(rows(page)).to_have_count(10)
    assert "actor=anna&action=read&after=" in page.url
    page.get_by_label("What").select_option("closed an account")
    page.wait_for_url("**/portal/audit?actor=anna&action=user_close")
    expect(page.locator("#audit")).to_contain_text("Nothing in the log fits this.")


def test_all_of_it_is_downloaded(logged, page):
    opened(page)
    for name, suffix in (("JSON lines", "jsonl"), ("CSV", "csv")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.suggested_filename == f"audit.{suffix}"
        text = download.value.path().read_text()
        assert "doc_0" in text
        assert "doc_59" in text
        if suffix == "jsonl":
            assert {json.loads(line)["action"] for line in text.splitlines()} >= {"read", "user_change", "export"}


@pytest.mark.parametrize("width", [1280, 740, 360])
def test_what_anybody_wrote_is_text_on_one_line(logged, open_page, width):
    view = {"viewport": {"width": width, "height": 700}, "locale": "nl-NL", "color_scheme": "dark"}
    with open_page(logged, **view) as page:
        page.goto(f"{logged.url}/portal/audit?action=sign_in_failed")
        expect(page.get_by_role("heading", name="Logboek")).to_be_visible()
        expect(rows(page)).to_have_count(1)
        expect(rows(page)).to_contain_text("inloggen mislukt")
        shown = page.locator("#audit td bdi").all_text_contents()
        assert shown[0].startswith("<img data-hostile src=x onerror=alert(1)>\"'{{7007*1911}} bram")
        assert "target" in shown[2]
        assert "detail" in shown[3]
        assert all(text.isprintable() for text in shown)
        assert page.locator("[data-hostile]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") == width
        lines = page.locator("#audit td").evaluate_all(
            "all => all.map((td) => td.clientHeight / parseFloat(getComputedStyle(td).lineHeight))"
        )
        assert max(lines) < 2.5  # of which one is the space around it
        cell = page.locator("#audit td").nth(4)
        before = cell.bounding_box()["height"]
        cell.click()
        assert cell.bounding_box()["height"] > before  # and the whole of it is there to be read
        assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scopes", [[Scope.READ, Scope.ASK], [Scope.CURATE], [Scope.UPLOAD]])
def test_it_is_for_admins_alone(logged, open_page, scopes):
    info, key = logged.services.auth.create_key("other", scopes)
    answer = logged.client.get("/portal/audit", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 403
    assert "doc_" not in answer.text
    if Scope.READ in scopes:
        with open_page(logged, key_id=info.id) as page:
            expect(page.get_by_role("link", name="Memory")).to_be_visible()
            expect(page.get_by_role("link", name="Audit log")).to_have_count(0)


def test_no_other_query_is_taken(logged):
    for query in ("action=everything", "after=x", f"actor={'x' * 201}"):
        assert logged.client.get(f"/portal/audit?{query}").status_code in (400, 422)
