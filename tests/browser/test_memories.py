"""What curators do in the portal: the review queue, the memory's list, and one memory's page."""

import json

import pytest
from playwright.sync_api import Page, expect
from running import Running

from zuinig.core.types import Scope

pytestmark = pytest.mark.browser

SLOW = 20_000  # ms: two small cores ask models
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}<script>alert(2)</script>"
# The heads of tables in which a word goes on on another line.
BROKEN = """() => [...document.querySelectorAll('thead th')].filter(({ firstChild: text }) =>
  [...text.data.matchAll(/\\S+/g)].some(({ 0: word, index }) => {
    const range = new Range();
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    const tops = [...range.getClientRects()].map((rect) => rect.top);
    return Math.max(...tops) - Math.min(...tops) > 5;
  })).map((th) => th.textContent)"""


@pytest.fixture(scope="module")
def reader(running):
    """The id of a key that may read and ask, and the header that carries it."""
    info, key = running.services.auth.create_key("Reader", [Scope.READ, Scope.ASK])
    return info.id, {"authorization": f"Bearer {key}"}


def call(running: Running, method: str, path: str, **sent) -> dict:
    answer = running.client.request(method, path, **sent)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else {}


def written(running: Running, question: str, answer: str) -> str:
    """The id of a memory that a person wrote."""
    return call(running, "POST", "/v1/memories", json={"question": question, "answer": answer})["id"]


def served(running: Running, question: str) -> str | None:
    """What memory answers."""
    found = call(running, "POST", "/v1/memories/lookup", json={"questions": [question]})["data"][0]["memory"]
    return found["answer"] if found else None


def go(page: Page, path: str) -> Page:
    page.goto(page.url.split("/portal")[0] + "/portal/" + path)
    return page


def card(page: Page, question: str):
    return page.locator("#queue article", has_text=question)


def listed(page: Page, text: str):
    return page.locator("#memories tbody tr", has_text=text)


def unfold(page: Page, name: str):
    """The fold of that name, opened."""
    fold = page.locator("details", has=page.locator("summary", has_text=name)).first
    fold.locator("summary").click()
    return fold


def deny(running: Running, reader, question: str, correction: str | None = None) -> dict:
    """A reader asks, and calls the answer wrong."""
    _, headers = reader
    answer = call(running, "POST", "/v1/chat", json={"question": question}, headers=headers)
    said = {"verdict": "down", "correction": correction}
    call(running, "POST", f"/v1/answers/{answer['answer_id']}/feedback", json=said, headers=headers)
    return answer


def test_a_correction_is_reviewed_approved_and_served(running, page, reader):
    running.upload("lamp.md", "# Lamps\n\nThe lamp in the hall takes bulbs of type E27.\n")
    question = "Which bulbs does the lamp in the hall take?"
    deny(running, reader, question, "Type E14, since the new lamp.")
    go(page, "memories")
    count = page.locator("#waiting .count")
    expect(count).to_contain_text("waiting")
    before = int(count.inner_text().split()[0])
    page.get_by_role("link", name="Review").click()
    found = card(page, question)
    expect(found).to_have_count(1)  # the doubted memory and its correction are one decision
    expect(found.locator("section", has_text="Was answered")).to_contain_text("E27")
    expect(found.locator("section", has_text="The reader says")).to_contain_text("Type E14, since the new lamp.")
    found.get_by_text("Edit first").click()
    found.get_by_label("Answer").fill("Bulbs of type E14.")
    found.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").filter(has_text="Approved")).to_be_focused()
    expect(page.locator("#waiting")).to_have_text(f"{before - 1} waiting" if before > 1 else "")
    page.locator("#queue").get_by_role("link", name=question).click()
    history = page.locator("section", has_text="History")
    expect(history).to_contain_text("Held back · Zuinig itself")
    expect(history).to_contain_text("Edited · admin")
    expect(page.locator("#memory .about")).to_contain_text("checked by admin")

    go(page, "").get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".turn .source")).to_contain_text("checked by admin", timeout=SLOW)
    expect(page.locator(".turn .answer")).to_have_text("Bulbs of type E14.")
    page.locator(".turn .source a").click()
    expect(page.locator("#memory h1")).to_have_text(question)


def test_a_doubted_answer_is_found_right_after_its_correction_was_not(running, page, reader):
    document = running.upload("bell.md", "# Bells\n\nThe bell of the tower weighs 3200 kilograms.\n")
    question = "How much does the bell of the tower weigh?"
    deny(running, reader, question, "Nothing, it was sold.")
    assert served(running, question) is None
    go(page, "review")
    card(page, question).get_by_role("button", name="Reject").click()
    expect(page.get_by_role("status").filter(has_text="Dropped")).to_be_visible()
    left = card(page, "A reader called the answer wrong.").filter(has_text=question)
    left.locator(".citations a").click()
    expect(page.locator("mark")).to_contain_text("3200 kilograms")
    assert f"/documents/{document}" in page.url
    card(go(page, "review"), question).get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").filter(has_text="Approved")).to_be_visible()
    assert "3200" in served(running, question)


def test_questions_that_are_asked_often_are_gathered_and_approved(running, page, reader):
    _, headers = reader
    running.upload("tea.md", "# Tea\n\nThe tea in the canteen is served until half past four.\n")
    question = "Until when is the tea in the canteen served?"
    for _ in range(3):
        call(running, "POST", "/v1/chat", json={"question": question}, headers=headers)
    go(page, "review").get_by_role("button", name="Gather anew").click()
    expect(page.get_by_text("Gathered.")).to_be_visible(timeout=SLOW)
    expect(card(page, question)).to_contain_text("asked 3 times, by one person")
    card(page, question).get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").filter(has_text="Approved")).to_be_visible()
    go(page, "memories?query=canteen")
    expect(listed(page, question)).to_contain_text("checked by admin")


def test_a_gap_is_answered_where_it_stands(running, page, reader):
    _, headers = reader
    for question in ("Who waters the palm tree on the roof?", "Why is the moon made of cheese?"):
        asked = call(running, "POST", "/v1/chat", json={"question": question}, headers=headers)
        assert asked["source"] == "none"
    go(page, "review").get_by_role("button", name="Gather anew").click()
    gap = card(page, "palm tree")
    expect(gap).to_contain_text("asked once, by one person", timeout=SLOW)
    gap.get_by_text("Write the answer").click()
    gap.get_by_label("Answer").fill("Ann does,\non Fridays.")
    gap.get_by_role("button", name="Save the answer").click()
    expect(page.get_by_role("status").filter(has_text="palm tree")).to_contain_text("Approved")
    assert served(running, "Who waters the palm tree on the roof?") == "Ann does,\non Fridays."
    card(page, "moon").get_by_role("button", name="Not needed").click()
    expect(page.get_by_role("status").filter(has_text="moon")).to_contain_text("does not come back")
    expect(card(go(page, "review"), "moon")).to_have_count(0)


def test_the_list_is_searched_and_filtered(running, page):
    for n, name in enumerate(("Ann", "Bob")):
        written(running, f"Who keeps the key of cellar {n}?", f"{name} keeps it.")
    retired = written(running, "Who keeps the key of the attic?", "Nobody keeps it.")
    call(running, "PATCH", f"/v1/memories/{retired}", json={"status": "retired"})
    go(page, "memories").get_by_label("Search questions and answers").fill("keeps")
    page.keyboard.press("Enter")
    expect(page.locator("#memories tbody tr")).to_have_count(3)
    page.get_by_label("State").select_option("out of service")
    expect(page.locator("#memories tbody tr")).to_have_count(1)
    expect(listed(page, "attic")).to_contain_text("written by a person")
    page.wait_for_url("**/portal/memories?query=keeps&status=retired")
    page.reload()
    expect(page.locator("#memories tbody tr")).to_have_count(1)
    page.get_by_label("State").select_option("All")
    page.get_by_label("Checked").select_option("not checked")
    expect(page.locator("#memories")).to_contain_text("Nothing in memory fits this.")
    page.get_by_label("Checked").select_option("All")
    page.get_by_label("Search questions and answers").fill("BOB KEEPS")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#memories tbody tr")).to_have_count(1)


def test_a_memory_is_written_edited_taken_out_put_back_and_deleted(running, page):
    go(page, "memories")
    fold = unfold(page, "Write an answer")
    fold.get_by_label("Question").fill("Where is the spare fuse?")
    fold.get_by_label("Answer").fill("In the drawer.\nThe left one.")
    fold.get_by_role("button", name="Save").click()
    expect(page.locator("#memory h1")).to_have_text("Where is the spare fuse?")
    fold = unfold(page, "Edit")
    fold.get_by_role("button", name="Save").click()
    expect(page.locator(".done")).to_contain_text("Saved")
    expect(page.locator(".lines", has_text="Edited")).to_have_count(0)  # nothing was
    fold = unfold(page, "Edit")
    fold.get_by_label("Answer").fill("In the drawer.\nThe right one.")
    fold.get_by_role("button", name="Save").click()
    expect(page.locator("#memory .answer")).to_contain_text("The right one.")
    expect(page.locator(".lines", has_text="Edited")).to_contain_text("The left one.")
    page.get_by_role("button", name="Take out of service").click()
    expect(page.locator("#memory")).to_contain_text("Taken out of service by admin.")
    assert served(running, "Where is the spare fuse?") is None
    page.get_by_role("button", name="Put back into service").click()
    expect(page.locator(".done")).to_contain_text("Back in service")
    fold = unfold(page, "Reject")
    fold.get_by_label("What is wrong with it").fill("There is no drawer.")
    fold.get_by_role("button", name="Reject").click()
    expect(page.locator("#memory .card")).to_contain_text("There is no drawer.")
    dates = page.locator("section", has=page.get_by_role("heading", name="Dates"))
    page.get_by_label("No longer used from").fill("2031-02-03")
    dates.get_by_role("button", name="Save").click()
    expect(page.locator(".done")).to_contain_text("The dates are saved.")
    expect(page.get_by_label("No longer used from")).to_have_value("2031-02-03")
    page.get_by_role("button", name="Put back into service").click()
    expect(page.locator("#memory .state")).to_have_text("in service")
    page.get_by_label("No longer used from").fill("2021-02-03")
    dates.get_by_role("button", name="Save").click()
    expect(page.locator("#memory .state")).to_have_text("expired")
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/portal/memories")
    expect(listed(page, "spare fuse")).to_have_count(0)


def test_wordings_and_counter_examples_are_added_and_removed(running, page):
    memory = written(running, "How do I open the north gate?", "With the blue card.")
    go(page, f"memories/{memory}")
    page.get_by_label("Another way to ask it").fill("My badge does nothing at the north side, what now?")
    page.keyboard.press("Enter")
    expect(page.locator(".lines li", has_text="My badge").first).to_contain_text("admin")
    expect(page.get_by_label("Another way to ask it")).to_be_focused()
    expect(page.get_by_label("Another way to ask it")).to_have_value("")
    assert served(running, "My badge does nothing at the north side, what now?") == "With the blue card."
    page.get_by_label("A question that is not this one").fill("How do I open the north gate at night?")
    page.keyboard.press("Enter")
    not_this = page.locator("section", has=page.get_by_role("heading", name="Not this question"))
    expect(not_this).to_contain_text("at night")
    assert served(running, "How do I open the north gate at night?") is None
    page.get_by_role("button", name="Remove My badge").click()
    expect(page.locator(".sides")).not_to_contain_text("My badge")
    assert served(running, "My badge does nothing at the north side, what now?") is None


def test_a_memory_is_merged_into_the_one_that_is_found(running, page):
    stays = written(running, "When is the pool open?", "From nine to five.")
    goes = written(running, "At what time does the swimming pool open?", "At nine.")
    go(page, f"memories/{goes}")
    fold = unfold(page, "Merge into another")
    expect(fold.get_by_role("link", name="When is the pool open?")).to_be_visible()  # the nearest is offered
    fold.get_by_label("Search questions and answers").fill("From nine to five")
    expect(fold.locator("li")).to_have_count(1)
    fold.get_by_role("button", name="Merge into this one").click()
    page.wait_for_url(f"**/memories/{stays}")
    expect(page.locator(".sides section").first).to_contain_text("At what time does the swimming pool open?")
    assert served(running, "At what time does the swimming pool open?") == "From nine to five."
    page.get_by_role("link", name=goes).click()
    expect(page.locator("#memory .card")).to_contain_text(f"Merged into {stays} by admin.")
    expect(page.get_by_role("button", name="Put back into service")).to_be_visible()


def test_an_import_shows_its_conflicts_first(running, page, tmp_path):
    written(running, "Where do I park my boat?", "At the old quay.")
    bad, good = tmp_path / "bad.jsonl", tmp_path / "good.csv"
    bad.write_text('{"question": "Where do I park my boat?"}\n')
    good.write_text("question;answer\nWhere do I park my boat?;At the new quay.\nWhere do I moor?;Nowhere.\n")
    fold = unfold(go(page, "memories"), "Import")
    fold.locator("input[type=file]").set_input_files(bad)
    expect(page.locator("#said")).to_contain_text("line 1: answer: Field required")
    page.wrong[:] = [w for w in page.wrong if "400" not in w]
    fold.locator("input[type=file]").set_input_files(good)
    expect(fold.get_by_role("status").first).to_contain_text("2 lines: 1 new, 1 changed, 0 unchanged.")
    conflict = fold.locator("tbody tr")
    expect(conflict).to_have_count(1)
    for text in ("Takes the place of another answer", "At the old quay.", "At the new quay."):
        expect(conflict).to_contain_text(text)
    fold.get_by_role("button", name="Cancel").click()
    expect(conflict).to_have_count(0)
    assert served(running, "Where do I park my boat?") == "At the old quay."
    fold.locator("input[type=file]").set_input_files(good)
    fold.get_by_role("button", name="Import").click()
    expect(fold.locator(".said")).to_have_text("Imported: 1 new, 1 changed, 0 unchanged.", timeout=SLOW)
    expect(listed(page, "Where do I moor?")).to_contain_text("imported")
    assert served(running, "Where do I park my boat?") == "At the new quay."
    unfold(page, "Export")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "At the new quay." in download.value.path().read_text()


def test_hostile_text_stays_text(running, page, reader, tmp_path):
    question = f"What does the ferry cost? {HOSTILE}"
    memory = written(running, question, f"Nothing. {HOSTILE} [1]")
    call(running, "POST", f"/v1/memories/{memory}/wordings", json={"question": f"The ferry? {HOSTILE}"})
    call(running, "PATCH", f"/v1/memories/{memory}", json={"answer": f"Little. {HOSTILE}"})
    deny(running, reader, question, f"Much. {HOSTILE}")
    call(running, "POST", f"/v1/memories/{memory}/reject", json={"reason": f"Wrong. {HOSTILE}"})
    (tmp_path / "hostile.jsonl").write_text(json.dumps({"question": question, "answer": HOSTILE}))
    for path, shown in ((f"memories/{memory}", "Wrong."), ("memories", "ferry"), ("review", "Much.")):
        expect(go(page, path).locator("main")).to_contain_text(f"{shown}")
        assert page.locator("img[onerror]").count() == 0
        assert "{{7*7}}" in page.locator("main").inner_text()
    fold = unfold(go(page, "memories"), "Import")
    fold.locator("input[type=file]").set_input_files(tmp_path / "hostile.jsonl")
    expect(fold.locator("tbody tr")).to_contain_text("onerror=alert(1)")
    card(go(page, "review"), "Much.").get_by_role("button", name="Reject").click()
    expect(page.locator(".done")).to_contain_text("onerror=alert(1)")


def test_a_reader_sees_memories_and_changes_nothing(running, open_page, reader):
    key_id, headers = reader
    memory = written(running, "Who may ring the bell?", "Ann.")
    with open_page(running, key_id=key_id) as page:
        page.get_by_role("link", name="Memory").click()
        expect(page.get_by_role("link", name="Review")).to_have_count(0)
        expect(page.locator("main details")).to_have_count(0)
        listed(page, "Who may ring the bell?").get_by_role("link").click()
        expect(page.locator("#memory .answer")).to_have_text("Ann.")
        expect(page.locator("main button, main form")).to_have_count(0)
        expect(page.locator("main")).to_contain_text("History")
    for path, sent in (
        (f"memories/{memory}/approve", {}),
        (f"memories/{memory}/delete", {}),
        (f"memories/{memory}/edit", {"question": "Who?", "answer": "Bob."}),
        (f"review/{memory}/reject", {}),
        ("review/refresh", {}),
        ("memories", {"question": "Who?", "answer": "Bob."}),
        ("memories/import", {}),
    ):
        assert running.client.post(f"/portal/{path}", data=sent, headers=headers).status_code == 403, path
    assert running.client.get("/portal/review", headers=headers).status_code == 403
    assert served(running, "Who may ring the bell?") == "Ann."


def test_another_site_cannot_curate_with_the_session(running):
    memory = written(running, "Who may wind the clock?", "Ann.")
    cookie = {"cookie": f"zuinig_session={running.services.auth.sign_in_with_key(running.key)}", "authorization": ""}
    for path in (f"memories/{memory}/delete", f"review/{memory}/reject", "review/refresh", "memories/import"):
        foreign = {**cookie, "origin": "https://evil.example"}
        assert running.client.post(f"/portal/{path}", headers=foreign).status_code == 403, path
    assert served(running, "Who may wind the clock?") == "Ann."


def test_the_pages_speak_dutch_also_of_what_the_service_noted(running, open_page, reader):
    running.upload("mast.md", "# Mast\n\nThe mast of the radio station is 81 metres high.\n")
    question = "How high is the mast of the radio station?"
    deny(running, reader, question)
    with open_page(running, locale="nl-NL") as page:
        expect(go(page, "memories").get_by_role("heading", name="Geheugen")).to_be_visible()
        expect(listed(page, question)).to_contain_text("wacht op nakijken")
        expect(card(go(page, "review"), question)).to_contain_text("Een lezer noemde het antwoord fout.")
        card(page, question).get_by_role("button", name="Keur goed").click()
        expect(page.get_by_role("status").filter(has_text="Goedgekeurd")).to_be_visible()
        page.locator("#queue").get_by_role("link", name=question).click()
        expect(page.locator("section", has_text="Geschiedenis")).to_contain_text("Een lezer noemde het antwoord fout.")


@pytest.mark.parametrize("width", [1280, 740])
def test_no_word_in_the_head_of_a_table_is_broken(running, open_page, width):
    written(running, "Where does the head of a table stand?", "On top.")
    running.ask("Where does the head of a table stand?")
    with open_page(running, locale="nl-NL", viewport={"width": width, "height": 700}) as page:
        for path in ("memories", "documents", "groups", "people", "access", "savings"):
            go(page, path)
            broken = page.evaluate(BROKEN)
            assert broken == [], path
            assert page.evaluate("document.documentElement.scrollWidth") == width, path


def test_a_narrow_screen_needs_no_scrolling_sideways(running, open_page, reader):
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
    memory = written(running, f"What does the {long} do?", f"It is {long}.")
    call(running, "POST", f"/v1/memories/{memory}/wordings", json={"question": f"And {long}?"})
    deny(running, reader, f"What does the {long} do?", f"{long}!")
    with open_page(running, viewport={"width": 360, "height": 700}) as page:
        for path in ("memories", f"memories/{memory}", "review"):
            go(page, path)
            for fold in page.locator("main details > summary").all():
                fold.click()
            assert page.evaluate("document.documentElement.scrollWidth") == 360, path
            nameless = page.evaluate(
                "[...document.querySelectorAll('main :is(input:not([type=hidden]), select, textarea, button)')]"
                ".filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim())).map((e) => e.outerHTML)"
            )
            assert nameless == [], path
