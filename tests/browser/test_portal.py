"""The whole path of the portal in Chromium, with hostile text on the way."""

import os
import shutil

import pytest
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="Chromium is not installed"),
]

TRAVEL = "# Travel\n\nEmployees may book hotels up to {} euros per night in Antwerp.\n\n<img src=x onerror=alert(1)>\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"


@pytest.fixture
def page(running):
    """A page that fails the test where a script ran that must not, or another origin was asked."""
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(locale="en-GB")
        opened.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        opened.on("pageerror", lambda e: wrong.append(str(e)))
        opened.on("request", lambda r: wrong.append(r.url) if not r.url.startswith((running.url, "data:")) else None)
        opened.on("dialog", lambda d: (wrong.append(d.message) if "Delete" not in d.message else None, d.accept()))
        yield opened
        browser.close()
    assert wrong == []


def ask(page: Page, question: str):
    page.goto(page.url.split("/portal")[0] + "/portal/")
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask").click()
    turn = page.locator(".turn").last
    expect(turn.locator(".about")).to_be_visible(timeout=20_000)
    return turn


def test_upload_ask_repeat_replace_and_delete(running, page, tmp_path):
    token = running.services.auth.sign_in_link().split("token=")[1]
    page.goto(f"{running.url}/portal/sign-in?token={token}")
    expect(page.get_by_label("Your question")).to_be_visible()

    page.goto(f"{running.url}/portal/documents")
    expect(page.get_by_text("No documents yet")).to_be_visible()
    hostile = tmp_path / "travel<img src=x onerror=alert(2)>.md"
    hostile.write_text(TRAVEL.format(143))
    (tmp_path / "empty.pdf").write_bytes(b"%PDF-1.4 broken")
    page.locator("#files").set_input_files([hostile, tmp_path / "empty.pdf"])
    good, bad = page.locator("tr", has_text="travel"), page.locator("tr", has_text="empty.pdf")
    expect(good).to_contain_text("ready", timeout=20_000)
    expect(bad).to_contain_text("failed", timeout=20_000)
    expect(bad.locator(".problem")).not_to_be_empty()

    turn = ask(page, QUESTION)
    expect(turn.locator(".answer")).to_contain_text("143")
    expect(turn.locator(".source")).to_have_text("Quoted from your documents")
    turn.locator(".citations a").first.click()
    expect(page.locator("mark")).to_contain_text("143 euros")
    expect(page.locator("main")).to_contain_text("Employees may book")

    turn = ask(page, QUESTION.lower().rstrip("?"))
    expect(turn.locator(".source")).to_contain_text("From memory, first answered on")
    expect(turn.locator(".about")).to_contain_text("0 tokens spent")

    page.goto(f"{running.url}/portal/documents")
    newer = tmp_path / "newer.md"
    newer.write_text(TRAVEL.format(177))
    page.locator("tr", has_text="travel").locator("input[type=file]").set_input_files(newer)
    expect(page.locator("tr", has_text="version 2")).to_contain_text("ready", timeout=20_000)
    expect(ask(page, QUESTION).locator(".answer")).to_contain_text("177")

    page.goto(f"{running.url}/portal/documents")
    page.locator("tr", has_text="version 2").get_by_role("button", name="Delete").click()
    expect(page.locator("tr", has_text="version 2")).to_have_count(0)
    turn = ask(page, QUESTION)
    expect(turn.locator(".source")).to_have_text("Not covered")

    page.goto(f"{running.url}/portal/savings")
    expect(page.get_by_role("cell", name="memory")).to_be_visible()
    page.get_by_role("button", name="Nederlands").click()
    expect(page.get_by_label("Je vraag")).to_be_visible()


def test_sign_in_link_works_once(running):
    link = running.services.auth.sign_in_link().replace(running.services.settings.base_url, running.url)
    first = running.client.get(link, headers={"authorization": ""})
    assert first.status_code == 303
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert running.client.get(link, headers={"authorization": ""}).status_code == 401


def test_another_site_cannot_act_with_the_session(running):
    cookie = {"cookie": f"zuinig_session={running.services.auth.open_session(running.key)}", "authorization": ""}
    answer = running.client.post(
        "/v1/chat", json={"question": "hi"}, headers={**cookie, "origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    own = running.client.post("/v1/chat", json={"question": "hi"}, headers={**cookie, "origin": running.url})
    assert own.status_code == 200
