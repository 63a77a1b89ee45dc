"""Attackers' text wherever the portal shows text: it stays text. Beside what `open_page` watches (errors and violations
of the policy on the console, dialogs, requests to other origins), no element may have come of it, which a policy alone
would let pass.
"""

import re
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from playwright.sync_api import Error, Page, expect
from running import Running

from zuinig.app.services import build
from zuinig.core.settings import Settings
from zuinig.core.types import Scope

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SLOW = 20_000  # ms: two small cores read files and ask models

# Each element that could come of these carries `data-hostile`, by which it is found.
ELEMENTS = [
    "<script data-hostile>alert(1)</script>",
    "<img data-hostile src=//evil.example/a.png onerror=alert(2)>",
    "\"><svg data-hostile onload=alert(3)><a href='javascript:alert(4)'>svg</a></svg>",
    "'><a data-hostile href=javascript:alert(5)>link</a>",
    "<a data-hostile href='data:text/html,<script>alert(6)</script>'>link</a>",
    "</title></textarea></option></script></style><iframe data-hostile srcdoc='<script>alert(7)</script>'></iframe>",
    "<form data-hostile action=//evil.example><button>x</button></form><base data-hostile href=//evil.example/>",
    "<meta data-hostile http-equiv=refresh content='0;url=//evil.example'>",
    "<link data-hostile rel=stylesheet href=//evil.example>",
    "<div data-hostile hx-get='/portal/sign-out' hx-trigger=load hx-on:load='alert(8)'></div>",
    "<hx-partial data-hostile hx-target=body>swapped</hx-partial><style data-hostile>body{display:none}</style>",
    "' onmouseover=alert(9) data-hostile autofocus onfocus=alert(10) x='",
]
TEMPLATES = "{{7007*1911}} ${7007*1911} #{7007*1911} <%= 7007*1911 %> {% print(7007*1911) %}"
MARKDOWN = (
    "![pixel][p] [click][j] ![q](https://evil.example/q.png?d=1) [a](javascript:alert(11)) <https://evil.example/auto> "
    "[b](data:text/html;base64,PHNjcmlwdD5hbGVydCgxMik8L3NjcmlwdD4=) https://evil.example/bare\n\n"
    "[p]: https://evil.example/p.png\n[j]: javascript:alert(13)"
)
RIGHT_TO_LEFT = "\u202egnp.exe\u2067 \u05e9\u05dc\u05d5\u05dd"
LONG = "W" * 1500
HOSTILE = " ".join([*ELEMENTS, TEMPLATES, MARKDOWN.replace("\n", " "), RIGHT_TO_LEFT, LONG])
SHORT = "<b data-hostile onclick=alert(14)>\"'{{7007*1911}}\u202e" + "W" * 120
FERRY = "What does the ferry to Rottumeroog cost?"

# What on a page must not be: an element of ours has no handlers, and leads nowhere but to this service.
FOUND = """() => [...document.querySelectorAll('*')].filter((e) => [...e.attributes].some(({ name, value }) => {
  if (name === 'data-hostile' || name.startsWith('on') || name.startsWith('hx-on')) return true;
  const leads = /^(href|src|srcset|srcdoc|action|formaction|poster|xlink:href|hx-(get|post|put|delete))$/;
  if (!leads.test(name)) return false;
  return new URL(value, location).origin !== location.origin;
})).map((e) => e.outerHTML.slice(0, 200))"""
WIDE = """() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
  [...document.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > innerWidth)
    .map((e) => e.outerHTML.slice(0, 80))"""


class Answering(BaseChatModel):
    """Says something hostile, and the rest once the gate is open."""

    gate: threading.Event
    answer: str

    @property
    def _llm_type(self) -> str:
        return "answering"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        yield ChatGenerationChunk(message=AIMessageChunk(self.answer))
        assert self.gate.wait(60)
        last = AIMessageChunk(" That is all [1].", response_metadata={"finish_reason": "stop"})
        yield ChatGenerationChunk(message=last)


@dataclass(frozen=True)
class Filled:
    """A service in which everything that somebody may name or write is hostile."""

    running: Any
    gate: threading.Event
    document: str
    answer: dict
    memory: str
    collection: str


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    gate = threading.Event()
    gate.set()
    said = f"The ferry costs 61 euros [1]. {HOSTILE}"
    # Nothing is left to the reader, so that the language model answers.
    data = tmp_path_factory.mktemp("data")
    settings = Settings(data_dir=data, llm=f"openai:{SHORT}", specialist_wrong_budget=0, ingest_workers=1)
    running = Running(build(settings, llm=Answering(gate=gate, answer=said)))
    collection = f"c {SHORT}"
    text = f"<h1>{TEMPLATES} Ferries</h1><p>The ferry to Rottumeroog costs 61 euros. {escaped(HOSTILE)} \0 end</p>"
    page = f"<html><head><title>{escaped(SHORT)}</title></head><body>{text}{''.join(ELEMENTS)}</body></html>"
    document = running.upload(f"{SHORT.replace('/', '')}.html", page, collection=collection)
    running.upload(f"x {SHORT}.pdf", b"%PDF-1.4 broken", collection=SHORT)
    info, key = running.services.auth.create_key(SHORT, list(Scope), user=SHORT, group=SHORT)
    asker = {"authorization": f"Bearer {key}"}

    def call(method: str, path: str, **sent: Any) -> dict:
        answer = running.client.request(method, path, headers=asker, **sent)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else {}

    answer = call("POST", "/v1/chat", json={"question": f"{FERRY} {SHORT}", "collections": [collection]})
    assert answer["source"] == "llm", answer
    assert "data-hostile" in answer["answer"]
    call("POST", f"/v1/answers/{answer['answer_id']}/feedback", json={"verdict": "down", "correction": HOSTILE})
    for _ in range(3):  # asked often, and not covered
        call("POST", "/v1/chat", json={"question": f"Who paints the moon? {SHORT}", "memory": "skip", "llm": "never"})
    made = {"question": f"Where is the lamp? {HOSTILE}", "answer": HOSTILE, "collection": collection}
    memory = call("POST", "/v1/memories", json=made)["id"]
    for differs in (False, True):
        wording = {"question": f"Lamp {differs}? {HOSTILE}", "differs": differs}
        call("POST", f"/v1/memories/{memory}/wordings", json=wording)
    other = call("POST", "/v1/memories", json={"question": f"Which lamp? {HOSTILE}", "answer": HOSTILE})["id"]
    call("PATCH", f"/v1/memories/{other}", json={"review_at": "2020-01-01T00:00:00Z"})
    rejected = call("POST", "/v1/memories", json={"question": f"No lamp? {HOSTILE}", "answer": HOSTILE})["id"]
    call("POST", f"/v1/memories/{rejected}/reject", json={"reason": HOSTILE[:1900]})
    for subject in ("user", "group"):
        budget = {"subject": subject, "name": SHORT, "period": "day", "tokens": 10_000_000}
        call("PUT", "/v1/budgets", json=budget)
    # Documents that hold the same words may well be taken to cover it.
    running.services.suggest.refresh(lambda *_: False)
    yield Filled(running, gate, document, {**answer, "key_id": info.id}, memory, collection)
    running.stop()


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def text_only(page: Page, *shown: str) -> None:
    """The page shows it all as text, nothing of it became an element, and it does not push the page out of shape."""
    for text in shown:
        expect(page.locator("main")).to_contain_text(text, timeout=SLOW)
    assert page.evaluate(FOUND) == []
    assert "13390377" not in page.content(), "a template was worked out"
    assert page.evaluate(WIDE) == [], f"{page.url} scrolls sideways"


@pytest.fixture
def page(filled, open_page):
    with open_page(filled.running, key_id=filled.answer["key_id"]) as found:
        yield found


def test_hostile_text_stays_text_on_every_page(filled, page):
    url, memory = filled.running.url, filled.memory
    cited = filled.answer["citations"][0]
    at = urlencode({"version": 1, "start": cited["start"], "end": cited["end"]})
    asked = "<script data-hostile>alert(1)</script>"
    pages = {
        f"?conversation={filled.answer['conversation_id']}": ["onerror=alert(2)", "[p]: https://evil.example/p.png"],
        "documents": ["data-hostile", "{{7007*1911}}"],
        f"documents?{urlencode({'collection': filled.collection, 'status': 'ready'})}": ["data-hostile"],
        f"documents?{urlencode({'collection': asked, 'status': asked})}": [],
        f"documents/{filled.document}": ["onload=alert(3)"],
        f"documents/{filled.document}?{at}": ["onload=alert(3)"],
        "memories": ["Where is the lamp? <script data-hostile>"],
        f"memories?{urlencode({'query': asked})}": ["alert(1)"],
        f"memories/{memory}": ["Lamp True? <script data-hostile>", "Lamp False? <script data-hostile>"],
        "review": ["Who paints the moon?", "[p]: https://evil.example/p.png"],
        "feedback": ["onerror=alert(2)"],
        "audit": ["data-hostile"],
        **{f"savings?by={by}": [] for by in ("source", "day")},
        **{f"savings?by={by}": ["data-hostile"] for by in ("user", "group", "key", "collection", "document", "model")},
    }
    for path, shown in pages.items():
        page.goto(f"{url}/portal/{path}")
        text_only(page, *shown)


def test_hostile_text_stays_text_where_nothing_is_found(filled, page):
    for path in ("documents/", "memories/", "documents?after="):
        page.goto(f"{filled.running.url}/portal/{path}{quote(ELEMENTS[1], safe='')}")
        text_only(page)
    page.wrong[:] = [w for w in page.wrong if "404" not in w]


def test_hostile_text_stays_text_in_what_htmx_swaps_in(filled, page, tmp_path):
    page.goto(f"{filled.running.url}/portal/memories/{filled.memory}")
    page.locator("summary", has_text="Merge").click()
    expect(page.locator("#others")).to_contain_text("Which lamp?", timeout=SLOW)
    text_only(page, "Which lamp? <script data-hostile>")
    page.get_by_label("Another way to ask it").fill(f"By hand? {ELEMENTS[1]}")
    page.locator("form", has=page.get_by_label("Another way to ask it")).get_by_role("button", name="Add").click()
    text_only(page, "By hand? <img data-hostile")

    page.goto(f"{filled.running.url}/portal/memories")
    page.locator("summary", has_text="Import").click()
    rows = [("Where is the lamp?", "first"), ("Where is the lamp?", HOSTILE), (HOSTILE, "then"), (HOSTILE, "now")]
    csv = "question,answer\n" + "".join(f'"{_cell(q)}","{_cell(a)}"\n' for q, a in rows)
    page.locator("#import-file").set_input_files(
        {"name": f"{SHORT}.csv", "mimeType": "text/csv", "buffer": csv.encode()}
    )
    expect(page.locator("#import-result table")).to_be_visible(timeout=SLOW)
    text_only(page, "<script data-hostile>alert(1)</script>")

    page.goto(f"{filled.running.url}/portal/review")
    page.locator("article", has_text="Which lamp?").get_by_role("button", name="Approve").first.click()
    expect(page.locator(".done", has_text="Which lamp?")).to_be_visible(timeout=SLOW)
    text_only(page, "Which lamp? <script data-hostile>")

    page.goto(f"{filled.running.url}/portal/documents")
    page.locator("#collection").fill(f"new {SHORT}")
    files = [(f"e {SHORT}.md", b""), (f"u {SHORT}.md", f"# {SHORT}\n\n{HOSTILE}".encode())]
    page.locator("#files").set_input_files([{"name": n, "mimeType": "text/markdown", "buffer": b} for n, b in files])
    expect(page.locator("#refusals")).to_contain_text("data-hostile", timeout=SLOW)
    expect(page.locator("#tally")).to_contain_text("1 of 2 done, 1 failed", timeout=SLOW)
    text_only(page)


def test_hostile_text_stays_text_while_an_answer_streams_in(filled, page):
    filled.gate.clear()
    page.goto(f"{filled.running.url}/portal/")
    page.get_by_label("Your question").fill(f"Is the ferry to Rottumeroog dear? {ELEMENTS[1]}")
    page.keyboard.press("Enter")
    streamed = page.locator(".turn .answer")
    expect(streamed).to_contain_text("[p]: https://evil.example/p.png", timeout=SLOW)
    text_only(page, "onerror=alert(2)")
    filled.gate.set()
    expect(page.locator(".turn .about")).to_be_visible(timeout=SLOW)
    text_only(page, "onerror=alert(2)", "That is all [1].")
    assert set(page.locator(".answer a").all_text_contents()) == {"[1]"}, "a link that is no citation"


@pytest.mark.parametrize("path", ["/v1/documents/{}/content", "/v1/files/{}/content", "/v1/memories/export?format=csv"])
def test_a_download_is_an_attachment_and_never_a_page(filled, page, path):
    url = filled.running.url + path.format(filled.document)
    with page.expect_download() as download, pytest.raises(Error, match="Download is starting"):
        page.goto(url)
    assert re.search(r"\.(html|csv)$", download.value.suggested_filename)
    headers = page.request.get(url).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"].startswith("attachment")
    assert "html" not in headers["content-type"]
    assert "default-src 'none'" in headers["content-security-policy"]


def _cell(text: str) -> str:
    return text.replace('"', '""')
