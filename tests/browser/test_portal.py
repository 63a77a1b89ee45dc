"""The whole path of the portal in Chromium, with hostile text on the way."""

import threading

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from playwright.sync_api import Page, expect

from zuinig.core.settings import Settings

pytestmark = pytest.mark.browser

SLOW = 20_000  # ms: two small cores read files and ask models
TRAVEL = "# Travel\n\nEmployees may book hotels up to {} euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"


def go(page: Page, path: str) -> Page:
    page.goto(page.url.split("/portal")[0] + "/portal/" + path)
    return page


def send(page: Page, *files) -> None:
    go(page, "documents")
    page.locator("#files").set_input_files(list(files))


def row(page: Page, name: str):
    return page.locator("#documents tr", has_text=name)


def ask(page: Page, question: str):
    """In the conversation that is open."""
    asked = page.locator(".turn").count()
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask").click()
    turn = page.locator(".turn").nth(asked)
    expect(turn.locator(".about")).to_be_visible(timeout=SLOW)
    return turn


def test_upload_ask_repeat_replace_and_delete(running, page, tmp_path):
    expect(page.get_by_text("There are no documents to answer from yet.")).to_be_visible()
    page.get_by_role("link", name="Add documents").click()
    expect(page.get_by_text("No documents yet")).to_be_visible()
    for name, text in {"travel.md": TRAVEL.format(143), "pets.md": "Dogs may visit on Fridays."}.items():
        (tmp_path / name).write_text(text)
    send(page, tmp_path / "travel.md", tmp_path / "pets.md")
    expect(page.locator("#tally")).to_contain_text("2 of 2 done", timeout=SLOW)
    expect(row(page, "travel.md")).to_contain_text("ready")
    expect(row(page, "pets.md")).to_contain_text("ready")

    turn = ask(go(page, ""), QUESTION)
    expect(turn.locator(".answer")).to_contain_text("143")
    expect(turn.locator(".source")).to_have_text("Quoted from your documents")
    expect(turn.locator(".about")).to_contain_text("0 tokens spent (€0.00)")
    turn.locator(".citations a").first.click()
    expect(page.locator("mark")).to_contain_text("143 euros")
    page.go_back()
    expect(page.locator(".turn .answer")).to_contain_text("143")

    turn = ask(go(page, ""), QUESTION.lower().rstrip("?"))
    expect(turn.locator(".source")).to_contain_text("From memory, first answered on")
    expect(turn.locator("time")).to_contain_text(":")
    expect(turn.locator(".about")).to_contain_text("0 tokens spent")

    go(page, "documents")
    (tmp_path / "newer.md").write_text(TRAVEL.format(177))
    row(page, "travel.md").locator("input[type=file]").set_input_files(tmp_path / "newer.md")
    expect(row(page, "version 2")).to_contain_text("ready", timeout=SLOW)
    page.goto(f"{running.url}/portal/")
    turn = ask(page, QUESTION)
    expect(turn.locator(".answer")).to_contain_text("177")

    row(go(page, "documents"), "version 2").get_by_role("button", name="Delete").click()
    expect(row(page, "version 2")).to_have_count(0)
    expect(ask(go(page, ""), QUESTION).locator(".source")).to_have_text("No sure answer")

    go(page, "savings")
    expect(page.get_by_role("row", name="memory")).to_be_visible()


def test_a_failed_file_stays_with_its_reason_and_can_be_tried_again(page, tmp_path):
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (tmp_path / "empty.md").write_bytes(b"")
    send(page, tmp_path / "broken.pdf", tmp_path / "empty.md")
    expect(page.locator("#tally")).to_contain_text("0 of 2 done, 2 failed", timeout=SLOW)
    expect(page.locator("#refusals")).to_contain_text("empty.md: This file is empty")
    expect(row(page, "broken.pdf").locator(".problem")).to_contain_text("damaged")
    with page.expect_response(lambda r: r.url.endswith("/retry")) as answer:
        row(page, "broken.pdf").get_by_role("button", name="Retry").click()
    assert answer.value.status == 202
    expect(row(page, "broken.pdf").locator(".problem")).to_contain_text("damaged", timeout=SLOW)
    page.get_by_role("link", name="failed", exact=True).click()
    expect(page.locator("#documents tbody tr")).to_have_count(1)
    assert "status=failed" in page.url


def test_a_dropped_folder_keeps_its_paths(page, tmp_path):
    folder = tmp_path / "handbook"
    (folder / "leave").mkdir(parents=True)
    for name in ("leave/annual.md", "leave/sick.md", "pay.md", ".DS_Store"):
        (folder / name).write_text(f"About {name}.")
    go(page, "documents")
    box = page.locator(".drop").bounding_box()
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        at = {"x": box["x"] + 20, "y": box["y"] + 20}
        devtools.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})
    expect(page.locator("#tally")).to_contain_text("3 of 3 done", timeout=SLOW)
    expect(row(page, "handbook/leave/annual.md")).to_contain_text("ready")


def test_the_rest_of_a_folder_can_be_called_off(tmp_path, serve, open_page):
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(30):
        (folder / f"{n}.md").write_text(f"Number {n}.")
    service = serve(Settings(data_dir=tmp_path / "data", ingest_workers=0))
    with open_page(service) as page:
        go(page, "documents")
        page.locator("#folder").set_input_files(folder)
        expect(page.locator("#tally")).to_contain_text("0 of 30 done")
        expect(page.locator("#documents")).to_contain_text("Under way: 30")
        expect(row(page, "many/7.md")).to_contain_text("waiting")
        page.get_by_role("button", name="Cancel the rest").click()
        expect(page.locator("#tally")).to_contain_text("0 of 30 done, 30 cancelled")
        expect(row(page, "many/7.md")).to_contain_text("cancelled")
        expect(page.get_by_role("button", name="Cancel the rest")).to_have_count(0)
        body = page.locator("body").inner_text()
        assert "NaN" not in body
        assert "0 of 0" not in body


def test_files_that_could_not_be_sent_wait_for_another_try(page, tmp_path):
    (tmp_path / "late.md").write_text("Late, but here.")
    page.route("**/v1/documents", lambda route: route.abort(), times=1)
    send(page, tmp_path / "late.md")
    expect(page.locator("#paused")).to_contain_text("cannot be reached")
    expect(page.locator("#tally")).to_contain_text("0 of 1 done")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#tally")).to_contain_text("1 of 1 done", timeout=SLOW)
    expect(page.locator("#paused")).to_be_hidden()
    page.wrong[:] = [w for w in page.wrong if "net::ERR_FAILED" not in w]


def test_hostile_names_and_texts_stay_text(running, page, tmp_path):
    name = "<img src=x onerror=alert(1)>'\"${alert(2)}{{7*7}}.html"
    (tmp_path / name).write_text(
        "<title><script>alert(3)</script><img src=//evil.example/a.png></title><script>alert(4)</script>"
        "<p>The ferry to Rottumeroog costs &lt;img src=x onerror=alert(5)&gt; 61 euros "
        "&lt;hx-partial hx-target=body&gt;&lt;script&gt;alert(6)&lt;/script&gt; per crossing.</p>"
        "<img src='https://evil.example/b.png' onerror='alert(7)'>"
    )
    send(page, tmp_path / name)
    expect(page.locator("#tally")).to_contain_text("1 of 1 done", timeout=SLOW)
    expect(row(page, "onerror=alert(1)")).to_contain_text("{{7*7}}")
    turn = ask(go(page, ""), "What does the ferry to Rottumeroog cost? <img src=x onerror=alert(8)>")
    expect(turn.locator(".answer")).to_contain_text("61 euros")
    expect(turn.locator("h2")).to_contain_text("onerror=alert(8)")
    turn.get_by_role("button", name="Wrong answer").click()
    turn.get_by_label("What should it have said?").fill("<script>alert(9)</script>")
    turn.get_by_role("button", name="Send").click()
    expect(turn).to_contain_text("Your correction is kept")
    turn.locator(".citations a").first.click()
    expect(page.locator("mark")).to_contain_text("61 euros")
    expect(go(page, "feedback").locator("td", has_text="alert(9)")).to_be_visible()
    row(go(page, "documents"), "onerror=alert(1)").get_by_role("button", name="Delete").click()
    expect(row(page, "onerror=alert(1)")).to_have_count(0)
    assert page.locator("img[onerror]").count() == 0


def test_a_correction_is_kept(running, page):
    running.upload("lamp.md", "# Lamps\n\nThe lamp in the hall takes bulbs of type E27.\n")
    turn = ask(page, "Which bulbs does the lamp in the hall take?")
    turn.get_by_role("button", name="Wrong answer").click()
    expect(turn).to_contain_text("no longer given from memory")
    turn.get_by_label("What should it have said?").fill("Type E14, since the new lamp.")
    turn.get_by_role("button", name="Send").click()
    expect(turn).to_contain_text("Your correction is kept with the question")
    said = go(page, "feedback").locator("tr", has_text="Which bulbs")
    expect(said).to_have_count(1)
    expect(said).to_contain_text("Type E14, since the new lamp.")
    turn = ask(go(page, ""), "Which bulbs does the lamp in the hall take?")
    expect(turn.locator(".source")).not_to_contain_text("From memory")
    turn.get_by_role("button", name="Good answer").click()
    expect(turn).to_contain_text("Thank you.")


class Gated(BaseChatModel):
    """Says one piece, and the other once the gate is open."""

    gate: threading.Event

    @property
    def _llm_type(self) -> str:
        return "gated"

    def _generate(self, *args, **kwargs) -> ChatResult:
        raise NotImplementedError

    def _stream(self, *args, **kwargs):
        yield ChatGenerationChunk(message=AIMessageChunk("It takes bulbs "))
        assert self.gate.wait(60)
        last = AIMessageChunk("of type E27 [1].", response_metadata={"finish_reason": "stop"})
        yield ChatGenerationChunk(message=last)


def test_an_answer_streams_in_from_the_llm(tmp_path, serve, open_page):
    gate = threading.Event()
    settings = Settings(data_dir=tmp_path, llm="openai:gated", llm_price_prompt=1000, currency="USD")
    service = serve(settings, llm=Gated(gate=gate))
    service.upload("lamp.md", "# Lamps\n\nThe lamp in the hall takes bulbs of type E27.\n")
    with open_page(service) as page:
        page.get_by_label("Your question").fill("Which bulbs does the lamp in the hall take?")
        page.keyboard.press("Enter")
        expect(page.locator(".answer")).to_have_text("It takes bulbs", timeout=SLOW)
        expect(page.locator("#turns")).to_have_attribute("aria-busy", "true")
        gate.set()
        expect(page.locator(".source")).to_have_text("LLM: openai:gated", timeout=SLOW)
        expect(page.locator("#turns")).to_have_attribute("aria-busy", "false")
        expect(page.locator(".answer")).to_have_text("It takes bulbs of type E27 [1].")
        expect(page.locator(".about")).to_contain_text("US$0.")
        page.locator(".answer a").click()
        expect(page.locator("mark")).to_contain_text("E27")


def test_every_page_speaks_dutch(running, page, tmp_path):
    (tmp_path / "kapot.pdf").write_bytes(b"%PDF-1.4 kapot")
    send(page, tmp_path / "kapot.pdf")
    expect(row(page, "kapot.pdf")).to_contain_text("failed", timeout=SLOW)
    (tmp_path / "kort.md").write_text("Kort.")
    send(page, tmp_path / "kort.md")
    expect(row(page, "kort.md")).to_contain_text("· 1 passage ·", timeout=SLOW)
    page.get_by_role("button", name="Nederlands").click()
    expect(page.get_by_role("heading", name="Documenten")).to_be_visible()
    expect(row(page, "kort.md")).to_contain_text("· 1 passage ·")
    expect(row(page, "kapot.pdf").locator(".problem")).to_contain_text("beschadigd")
    for path, shown in {"": "Je vraag", "savings": "Besparing", "feedback": "Reacties"}.items():
        expect(go(page, path).locator("main")).to_contain_text(shown)
    page.get_by_role("button", name="Uitloggen").click()
    expect(page.get_by_role("heading", name="Inloggen")).to_be_visible()


def test_a_page_that_is_not_there_says_so(running, page):
    page.wrong.clear()
    page.goto(f"{running.url}/portal/documents/doc_nope")
    expect(page.locator("main")).to_contain_text("There is no such document")
    page.get_by_role("link", name="Back to your questions").click()
    expect(page.get_by_label("Your question")).to_be_visible()
    page.wrong[:] = [w for w in page.wrong if "404" not in w]


def test_a_replaced_document_marks_no_wrong_passage(running, page):
    document = running.upload("fees.md", "The fee is 5 euros.")
    answer = running.ask("What is the fee?")
    files = [("files", ("fees.md", b"# New\n\nThe charge for that is 9 euros now."))]
    assert running.client.put(f"/v1/documents/{document}", files=files).status_code == 202
    running.wait(document)
    at = answer["citations"][0]
    page.goto(f"{running.url}/portal/documents/{document}?version=1&start={at['start']}&end={at['end']}#quote")
    expect(page.locator("main")).to_contain_text("changed since that answer")
    expect(page.locator("mark")).to_have_count(0)


def test_sign_in_link_works_once(running):
    link = running.services.auth.sign_in_link().replace(running.services.settings.base_url, running.url)
    first = running.client.get(link, headers={"authorization": ""})
    assert first.status_code == 303
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert running.client.get(link, headers={"authorization": ""}).status_code == 401


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/chat", {"json": {"question": "hi"}}),
        ("/portal/uploads/cancel", {"data": {"ids": ""}}),
        ("/portal/answers/ans_1/feedback", {"data": {"verdict": "down"}}),
    ],
)
def test_another_site_cannot_act_with_the_session(running, path, sent):
    cookie = {"cookie": f"zuinig_session={running.services.auth.sign_in_with_key(running.key)}", "authorization": ""}
    foreign = running.client.post(path, **sent, headers={**cookie, "origin": "https://evil.example"})
    assert foreign.status_code == 403
    own = running.client.post(path, **sent, headers={**cookie, "origin": running.url})
    assert own.status_code in (200, 404)
