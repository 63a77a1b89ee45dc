"""The small model answers first, the large one where that does not hold: two models at one scripted server."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from running import ingest
from scripted import Scripted

from zuinig.app import router
from zuinig.app.asked import Answered, Ask, Delta
from zuinig.app.llm import endpoints
from zuinig.app.services import build
from zuinig.core.errors import ConfigurationError
from zuinig.core.settings import Settings
from zuinig.core.tables import LedgerEntry
from zuinig.core.types import Source

HOTEL = "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"
GOOD, BETTER = "At most 143 euros per night [1].", "Hotels in Antwerp: up to 143 euros per night [1]."
PRICES = {"llm_price_prompt": 100, "llm_large_price_prompt": 1000}


class Service:
    def __init__(self, tmp_path, server, settings):
        self.server = server
        settings = {"llm_large": "openai:large", "llm_large_base_url": server.url, **PRICES, **settings}
        settings.setdefault("specialist_wrong_budget", 0)
        self.services = build(
            Settings(
                data_dir=tmp_path,
                ingest_workers=0,
                llm="openai:small",
                llm_base_url=server.url,
                llm_retries=0,
                **settings,
            )
        )
        ingest(self.services, "travel.md", HOTEL)
        self.principal = self.services.auth.of_key(self.services.auth.ensure_admin_key().read_text().strip())

    def steps(self, question=QUESTION, **more):
        return self.services.answers.steps(Ask(question, **{"memory": "skip", **more}), self.principal)

    def ask(self, question=QUESTION, **more) -> Answered:
        return self.services.answers.ask(Ask(question, **{"memory": "skip", **more}), self.principal)

    def entry(self) -> LedgerEntry:
        with self.services.db.read() as session:
            found = session.query(LedgerEntry).order_by(LedgerEntry.id.desc()).first()
            session.expunge(found)
            return found

    def outcomes(self) -> list[tuple[str, str]]:
        return [(step["rung"], step["outcome"]) for step in self.entry().steps]


@pytest.fixture
def serve(tmp_path):
    made = []

    def start(small, large=(BETTER,), **settings) -> Service:
        server = Scripted("", small=list(small), large=list(large))
        made.append(server)
        made.append(Service(tmp_path, server, settings))
        return made[-1]

    yield start
    for each in made:
        (each.services if isinstance(each, Service) else each).close()


def test_a_small_answer_that_holds_is_served_and_the_large_model_is_not_asked(serve):
    service = serve([GOOD])
    found = service.ask()
    assert (found.source, found.answer, found.usage.model) == (Source.LLM, GOOD, "openai:small")
    assert service.server.asked() == ["small"]
    assert service.outcomes() == [("small", "answered")]
    assert found.usage.cost == 0.009


@pytest.mark.parametrize(
    ("small", "outcome"),
    [
        ("It is 143 euros.", "citations"),
        ("It is 143 euros [7].", "citations"),
        ("At most 999 euros per night [1].", "disagrees"),
        ("Breakfast, parking and laundry are always included [1].", "disagrees"),
        (("At most 143 euros [1], and", "length"), "cut_off"),
        (500, "failed"),
    ],
)
def test_a_small_answer_that_fails_a_check_is_not_shown_and_the_large_model_answers(serve, small, outcome):
    service = serve([small])
    *steps, found = service.steps()
    assert "".join(s.text for s in steps if isinstance(s, Delta)).strip() == BETTER
    assert (found.answer, found.usage.model) == (BETTER, "openai:large")
    assert service.server.asked() == ["small", "large"]
    assert service.outcomes() == [("small", outcome), ("large", "answered")]


def test_every_call_is_a_step_at_its_own_price_and_the_entry_is_their_sum(serve):
    service = serve(["It is 143 euros."], llm_price_completion=10, llm_large_price_completion=50)
    usage = service.ask().usage
    entry = service.entry()
    assert [(s["model"], s["prompt_tokens"], s["completion_tokens"], s["cost_micros"]) for s in entry.steps] == [
        ("openai:small", 90, 9, 9_090),
        ("openai:large", 90, 9, 90_450),
    ]
    assert all(s["ms"] > 0 for s in entry.steps)
    assert (entry.prompt_tokens, entry.completion_tokens, entry.cost_micros) == (180, 18, 99_540)
    assert (entry.model, usage.cost) == ("openai:large", 0.09954)


def test_plain_rag_would_have_asked_the_large_model(serve):
    service = serve([GOOD])
    usage = service.ask().usage
    baseline = usage.baseline_tokens
    answer = service.services.tokens.count(GOOD)
    assert usage.saved_cost == pytest.approx((baseline - answer) * 1000 / 1e6 - usage.cost, abs=1e-6)


def test_a_denial_is_believed_unless_the_reader_is_sure(serve, monkeypatch):
    service = serve(["NOT_COVERED"])
    monkeypatch.setattr("zuinig.app.rungs._READER_SURE", 1.1)
    assert service.ask().source == Source.NONE
    assert service.outcomes() == [("small", "not_covered")]
    monkeypatch.setattr("zuinig.app.rungs._READER_SURE", 0.5)
    assert service.ask().answer == BETTER
    assert service.outcomes() == [("small", "denied"), ("large", "answered")]


def test_without_the_large_model_what_the_small_one_said_is_shown_and_not_kept(serve):
    service = serve(["It is 143 euros."], [500])
    found = service.ask(memory="use")
    assert (found.source, found.answer, found.remembered) == (Source.LLM, "It is 143 euros.", False)
    assert (found.usage.model, service.outcomes()) == ("openai:small", [("small", "citations"), ("large", "failed")])


def test_without_either_what_comes_closest_is_shown_and_the_steps_are_told(serve):
    service = serve([500], [500])
    found = service.ask()
    assert (found.source, found.usage.model) == (Source.NONE, None)
    assert "143 euros" in found.answer
    assert service.outcomes() == [("small", "failed"), ("large", "failed")]


def test_half_an_answer_of_the_large_model_is_never_followed_by_another(serve):
    service = serve(["It is 143 euros."], [("Hotels in", None)])
    with pytest.raises(Exception, match="broke off"):
        service.ask()


def test_a_kind_of_question_that_the_small_model_fails_goes_straight_to_the_large_one(serve, monkeypatch):
    # Enough of them that ten failures speak, and no question tried in spite of it.
    monkeypatch.setattr(router, "_ENOUGH", 8)
    monkeypatch.setattr(router, "_KEPT_S", 0)
    monkeypatch.setattr(router, "_STILL_TRIED", 2**32)
    service = serve(["It is 143 euros."], llm_price_prompt=900)
    for _ in range(10):
        service.ask()
    assert service.outcomes() == [("small", "hard"), ("large", "answered")]
    assert service.entry().steps[0]["cost_micros"] == 0


def test_a_model_that_thinks_aloud_until_the_limit_gets_the_room_it_needs(serve):
    service = serve([("", "length"), GOOD, GOOD])
    assert service.ask().answer == GOOD
    assert service.outcomes() == [("small", "cut_off"), ("small", "answered")]
    service.ask()
    assert [r["max_tokens"] for r in service.server.requests] == [256, 400, 400]


def test_a_model_that_says_nothing_within_all_its_tokens_is_not_taken_for_not_covered(serve):
    service = serve([("", "length")], llm_large=None)
    assert service.ask().source == Source.NONE
    assert service.outcomes() == [("small", "cut_off"), ("small", "cut_off")]


def test_a_short_question_gets_a_short_limit(serve):
    service = serve([GOOD], llm_large=None)
    service.ask("How many euros per night may a hotel in Antwerp cost?")
    service.ask("Why may hotels in Antwerp cost 143 euros per night?")
    assert [r["max_tokens"] for r in service.server.requests] == [128, 400]


def test_identical_questions_at_a_time_are_asked_once_and_each_has_its_answer(serve):
    gate, entered = threading.Event(), threading.Event()

    def answer():
        entered.set()
        assert gate.wait(30)
        return GOOD

    service = serve([answer, GOOD])
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(service.ask)
        assert entered.wait(30)
        others = [pool.submit(service.ask, q) for q in (QUESTION, QUESTION.lower(), QUESTION, QUESTION)]
        flights = service.services.answers._rungs._flights
        while sum(f.aboard for f in flights._flights.values()) < 5:
            threading.Event().wait(0.01)
        gate.set()
        found = [f.result(30) for f in (first, *others)]
    assert service.server.asked() == ["small"]
    assert {f.answer for f in found} == {GOOD}
    assert len({f.answer_id for f in found}) == 5
    assert all(f.citations for f in found)
    assert sorted(f.usage.prompt_tokens for f in found) == [0, 0, 0, 0, 90]
    with service.services.db.read() as session:
        steps = [e.steps for e in session.query(LedgerEntry)]
    assert sorted(s[0]["outcome"] for s in steps) == ["answered", *["shared"] * 4]


def test_the_large_model_needs_a_small_one_beside_it():
    with pytest.raises(ConfigurationError, match="ZUINIG_LLM_LARGE needs ZUINIG_LLM"):
        endpoints(Settings(llm_large="openai:l"))
    with pytest.raises(ConfigurationError, match="ZUINIG_LLM_LARGE must name provider and model"):
        endpoints(Settings(llm="openai:s", llm_large="large"))


def test_a_key_goes_to_no_server_but_its_own():
    def key(**settings) -> object:
        found = endpoints(Settings(llm="openai:s", llm_api_key="sk-a", llm_large="openai:l", **settings))[1].api_key
        return found and found.get_secret_value()

    assert key() == "sk-a"
    assert key(llm_base_url="http://a", llm_large_base_url="http://a") == "sk-a"
    assert key(llm_base_url="http://a") is None
    assert key(llm_large_base_url="http://b") is None
    assert key(llm_large_base_url="http://b", llm_large_api_key="sk-b") == "sk-b"
