"""A question goes straight to the large model only where small answers were seen to fail too often for their price."""

import pytest

from zuinig.app.llm import endpoints
from zuinig.app.router import Router, counted, is_hard, prior, signs, worth_up_to
from zuinig.core.settings import Settings
from zuinig.core.tables import Answer, Conversation, LedgerEntry, new_id
from zuinig.retrieval.sentences import of_hit


def pair(small: float, large: float):
    return endpoints(
        Settings(
            llm="openai:s",
            llm_large="openai:l",
            llm_price_prompt=small,
            llm_price_completion=small,
            llm_large_price_prompt=large,
            llm_large_price_completion=large,
        )
    )


@pytest.mark.parametrize(
    ("small", "large", "share"), [(1, 10, 0.9), (5, 10, 0.5), (0, 10, 1.0), (0, 0, 1.0), (10, 10, 0), (20, 10, 0)]
)
def test_how_often_a_small_answer_may_fail_follows_from_the_prices(small, large, share):
    assert worth_up_to(*pair(small, large)) == pytest.approx(share, abs=0.001)


def test_without_evidence_nothing_is_hard_however_it_looks():
    assert not is_hard("explains+unsure+spread+long", 0, 0, 0.0)
    assert not is_hard("explains+unsure+spread+long", 19, 19, 0.5)


def test_it_takes_more_failures_than_the_prices_allow_and_enough_of_them():
    asked = [(n, is_hard("", n, round(n * share), 0.5)) for share in (0.5, 0.9) for n in (20, 60, 400)]
    assert asked == [(20, False), (60, False), (400, False), (20, True), (60, True), (400, True)]
    assert not is_hard("", 400, 400, 1.0)  # what costs nothing is always asked first


def test_every_sign_makes_failing_likelier_beforehand():
    chances = [prior(s) for s in ("", "long", "explains+long", "explains+unsure+long", "explains+unsure+spread+long")]
    assert chances == sorted(set(chances))
    assert 0.1 < chances[0] < 0.15
    assert 0.6 < chances[-1] < 0.75


def test_signs_are_known_before_the_call(make_hit):
    ranked = [s for n in range(4) for s in of_hit(make_hit(f"Text number {n} of the handbook.", passage_id=n))]
    assert signs("What does it cost?", ranked[:1], 0.9) == ""
    assert signs("Why does it cost so much?", ranked[:1], 0.2) == "explains+unsure"
    assert signs("What does it cost?", ranked, 0.9) == "spread"
    assert signs("What is it " + "that we want to know " * 5, ranked[:1], 0.9) == "long"
    assert signs("What does it cost?", [], 0.2) == "unsure"


@pytest.fixture
def note(quick):
    """Write an entry with these steps into the ledger."""

    def write(*steps: tuple[str, str, str, str]) -> None:
        with quick.db.write() as session:
            conversation = Conversation(owner_id="k")
            session.add(conversation)
            session.flush()
            answer = Answer(
                id=new_id("ans"),
                conversation_id=conversation.id,
                owner_id="k",
                question="q",
                standalone_question="q",
                answer="a",
                source="llm",
                confidence=1.0,
                citations=[],
            )
            session.add(answer)
            session.flush()
            session.add(
                LedgerEntry(
                    answer_id=answer.id,
                    key_id="k",
                    source="llm",
                    prompt_tokens=0,
                    completion_tokens=0,
                    baseline_tokens=0,
                    cost_micros=0,
                    saved_cost_micros=0,
                    timing_ms={},
                    steps=[dict(zip(("rung", "model", "signs", "outcome"), s, strict=True)) for s in steps],
                )
            )

    return write


def test_the_ledger_is_counted_by_signs_for_this_small_model_alone(quick, note):
    note()
    note(("small", "openai:s", "", "answered"))
    note(("small", "openai:s", "", "citations"), ("large", "openai:l", "", "answered"))
    note(("small", "openai:s", "unsure", "denied"), ("large", "openai:l", "unsure", "disagrees"))
    note(("small", "openai:s", "unsure", "not_covered"))
    for outcome in ("hard", "shared", "failed"):  # not an answer, or not one of its own
        note(("small", "openai:s", "unsure", outcome))
    note(("small", "openai:older", "", "citations"))
    with quick.db.read() as session:
        assert counted(session, "openai:s") == {"": (2, 1), "unsure": (2, 1)}


def test_one_question_in_twenty_is_tried_in_spite_of_it(quick, note):
    for _ in range(30):
        note(("small", "openai:s", "", "citations"))
    router = Router(quick.db, *pair(5, 10))
    hard = [router.hard(f"What does lamp {n} cost?", "") for n in range(400)]
    assert 0.9 < sum(hard) / 400 < 0.98
    assert [router.hard(f"What does lamp {n} cost?", "") for n in range(400)] == hard
    assert not router.hard("What does the lamp cost?", "unsure")  # nothing is known of those
