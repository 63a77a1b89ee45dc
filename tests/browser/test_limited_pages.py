"""What a person reads who asked or sent more than a limit allows."""

import pytest
from playwright.sync_api import expect

from zuinig.core.settings import Settings

pytestmark = pytest.mark.browser

SAID = "Dat was te veel in korte tijd. Wacht "


def refused(page) -> None:
    """The browser notes on its console that a request was refused; nothing else went wrong."""
    assert page.wrong and all("429" in text for text in page.wrong)
    page.wrong.clear()


def test_a_question_and_a_file_too_many_are_kept_and_explained(tmp_path, serve, open_page):
    service = serve(Settings(data_dir=tmp_path / "data", limit_questions="1/hour", limit_uploads="1/hour"))
    with open_page(service, locale="nl-NL") as page:
        for asked, question in enumerate(("Wat is er?", "En wat nog?"), 1):
            page.locator("#question").fill(question)
            page.locator("#question").press("Enter")
            expect(page.locator(".turn")).to_have_count(asked)
            expect(page.locator("#ask button")).to_be_enabled(timeout=20_000)
        expect(page.locator(".turn .problem")).to_contain_text(SAID)
        expect(page.locator("#question")).to_have_value("En wat nog?")
        refused(page)
        page.goto(f"{service.url}/portal/documents")
        for name in ("een.txt", "twee.txt"):
            (tmp_path / name).write_text(name)
            page.locator("#files").set_input_files(tmp_path / name)
            expect(page.locator("#tally")).to_contain_text("1 van", timeout=20_000)
        expect(page.locator("#paused")).to_contain_text(SAID)
        expect(page.locator("#refusals")).to_be_hidden()
        refused(page)


def test_a_click_and_a_page_too_many_are_explained(tmp_path, serve, open_page):
    service = serve(Settings(data_dir=tmp_path, limit_requests="40/hour"))
    with open_page(service, locale="nl-NL") as page:
        page.goto(f"{service.url}/portal/review")
        while service.client.get("/v1/models").status_code == 200:
            pass
        page.locator("button[hx-post$='/refresh']").click()
        expect(page.locator("#said")).to_contain_text(SAID)
        page.goto(f"{service.url}/portal/documents")
        expect(page.locator(".card")).to_contain_text(SAID)
        refused(page)
