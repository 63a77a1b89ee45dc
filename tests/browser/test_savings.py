"""The savings page in Chromium: groupings, the chart, budgets; and what an asker is told of a used-up budget."""

from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from playwright.sync_api import expect

from zuinig.core.settings import Settings
from zuinig.core.tables import LedgerEntry, now
from zuinig.core.types import Scope

pytestmark = pytest.mark.browser

SLOW = 20_000  # ms: two small cores read files and ask models
QUESTION = "Which bulbs does the lamp in the hall take?"
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}"


class Counting(BaseChatModel):
    """Answers at once, for 90 prompt tokens and 10 of the answer."""

    @property
    def _llm_type(self) -> str:
        return "counting"

    def _generate(self, *args, **kwargs) -> ChatResult:
        raise NotImplementedError

    def _stream(self, *args, **kwargs):
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                "It takes bulbs of type E27 [1].",
                response_metadata={"finish_reason": "stop"},
                usage_metadata={"input_tokens": 90, "output_tokens": 10, "total_tokens": 100},
            )
        )


@pytest.fixture
def spending(tmp_path, serve):
    """A service whose language model costs something, with what two users asked over a few weeks."""
    settings = Settings(data_dir=tmp_path, llm="openai:counting", llm_price_prompt=1000, llm_price_completion=4000)
    service = serve(settings, llm=Counting())
    service.upload("lamp.md", "# Lamps\n\nThe lamp in the hall takes bulbs of type E27.\n", collection="house")
    for user, days in ((HOSTILE, (0, 3, 9, 20)), ("bram", (1, 3))):
        _, key = service.services.auth.create_key(user, [Scope.ASK], user=user, group="helpdesk")
        headers = {"authorization": f"Bearer {key}"}
        for n in days:
            # Asked anew each time but the first: an LLM's answer, then one out of memory.
            body = {"question": QUESTION, "collections": ["house"], "memory": "skip" if n % 2 else "use"}
            answer = service.client.post("/v1/chat", json=body, headers=headers).json()
            with service.services.db.write() as session:
                entry = sa.update(LedgerEntry).where(LedgerEntry.answer_id == answer["answer_id"])
                session.execute(entry.values(created_at=now() - timedelta(days=n)))
    repeat = service.ask(QUESTION, collections=["house"])
    service.client.post(f"/v1/answers/{repeat['answer_id']}/feedback", json={"verdict": "down"})
    return service


def test_savings_are_shown_by_what_is_chosen_with_budgets(spending, open_page):
    budgets = spending.services.budgets
    budgets.put("service", "", "month", tokens=10_000, cost=Decimal(5), by="test")
    budgets.put("user", HOSTILE, "day", tokens=1, cost=None, by="test")
    with open_page(spending) as page:
        page.goto(f"{spending.url}/portal/savings")
        expect(page.locator(".figures")).to_contain_text("7")
        expect(page.locator(".numbers tbody tr", has_text="LLM")).to_contain_text("€")
        expect(page.locator(".numbers tbody tr", has_text="memory")).to_contain_text("1/1")
        expect(page.locator(".figures")).to_contain_text("1 of 1 judged")
        expect(page.locator(".chart rect.spent")).to_have_count(21)
        for by, shown in {
            "By collection": "house",
            "By document": "Lamps",
            "By user": HOSTILE,
            "By group": "helpdesk",
            "By model": "openai:counting",
            "By day (UTC)": f"{now():%Y-%m-%d}",
        }.items():
            page.get_by_role("link", name=by).click()
            expect(page.locator(".numbers tbody tr", has_text=shown)).to_have_count(1)
        page.get_by_role("link", name="7 days").click()
        expect(page.get_by_role("link", name="By day (UTC)")).to_have_attribute("aria-current", "true")
        expect(page.locator(".numbers tbody tr")).to_have_count(3)
        expect(page.locator("tr", has_text="the whole service, per month")).to_contain_text("10,000 tokens, €5.00")
        expect(page.locator("tr", has_text=HOSTILE)).to_contain_text("used up")
        page.get_by_role("button", name="Nederlands").click()
        expect(page.locator("tr", has_text="de hele dienst, per maand")).to_contain_text("tokens")


def test_what_was_saved_on_questions_without_an_answer_is_set_apart(spending, open_page):
    before = spending.client.get("/v1/ledger/summary?group_by=source").json()["total"]["saved_tokens"]
    with open_page(spending) as page:
        page.goto(f"{spending.url}/portal/savings?by=day")
        expect(page.locator("#numbers")).not_to_contain_text("without an answer")
        spending.ask("Who repairs the bicycles?", llm="never")
        page.reload()
        saved = page.locator(".figures div").first
        expect(saved).to_contain_text("of it on questions without an answer")
        after = spending.client.get("/v1/ledger/summary?group_by=source").json()["total"]["saved_tokens"]
        assert saved.locator("p data").get_attribute("value") == str(after - before)


def test_an_answer_without_a_model_for_want_of_a_budget_says_so(spending, open_page):
    spending.services.budgets.put("group", "secret group", "day", tokens=0, cost=None, by="test")
    info, _ = spending.services.auth.create_key("Carla", [Scope.ASK], group="secret group")
    with open_page(spending, key_id=info.id) as page:
        page.get_by_label("Your question").fill("What bulbs fit in that lamp of the hall?")
        page.keyboard.press("Enter")
        expect(page.locator(".notice")).to_contain_text("used up", timeout=SLOW)
        expect(page.locator(".answer")).to_contain_text("E27")
        expect(page.locator("main")).not_to_contain_text("secret group")
        page.reload()  # the conversation is still there, and what was told of it
        page.get_by_role("button", name="Nederlands").click()
        expect(page.locator(".notice")).to_contain_text("zonder taalmodel beantwoord")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_is_as_wide_as_its_window(spending, open_page, scheme, width):
    spending.services.budgets.put("user", HOSTILE * 3, "month", tokens=100, cost=Decimal(1), by="test")
    with open_page(spending, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        for by in ("source", "user", "day"):
            page.goto(f"{spending.url}/portal/savings?days=0&by={by}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
