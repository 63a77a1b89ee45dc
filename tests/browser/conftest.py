"""Pages in Chromium that fail their test when a script runs that must not, or another origin is asked."""

import os
import shutil
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright
from running import Running

from zuinig.app.services import build
from zuinig.core.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


# While Playwright runs, so does its event loop, in the thread of all tests: those that have a loop of their own
# come after the module that needs a browser.
@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """opened(running) signs in by the link and gives the page. key_id: whose rights; the admin key's where unset.

    person: name and password, to sign in with by the form in place of the link.
    """

    @contextmanager
    def opened(running, *, key_id=None, person=None, **options):
        wrong: list[str] = []
        context = chromium.new_context(**{"locale": "en-GB", **options})
        page = context.new_page()
        # A violation of the Content-Security-Policy is an error on the console, and so is a failed request.
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("request", lambda r: wrong.append(r.url) if not r.url.startswith((running.url, "data:")) else None)
        page.on("dialog", lambda d: (wrong.append(d.message) if "Delete this" not in d.message else None, d.accept()))
        page.wrong = wrong
        if person is None:
            link = running.services.auth.sign_in_link(key_id)
            page.goto(f"{running.url}/portal/sign-in?token={link.split('token=')[1]}")
        else:
            page.goto(f"{running.url}/portal/sign-in")
            page.locator("#name").fill(person[0])
            page.locator("#password").fill(person[1])
            page.locator("#password").press("Enter")
            page.wait_for_url("**/portal/")
        yield page
        context.close()
        assert wrong == []

    return opened


@pytest.fixture
def serve():
    """serve(settings, llm=...) is a service of the test's own."""
    started: list[Running] = []

    def start(settings: Settings, **more) -> Running:
        started.append(Running(build(settings, **more)))
        return started[-1]

    yield start
    for service in started:
        service.stop()


@pytest.fixture
def page(running, open_page):
    with open_page(running) as found:
        yield found
