"""The threshold for serving: stricter at once, looser only by many."""

from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from zuinig.core.tables import Answer, Conversation, Feedback
from zuinig.core.types import Scope, Source, Usage, Verdict
from zuinig.memory.calibrate import Review, refine, reviews


@pytest.fixture
def verifier():
    """A probability says what share is right from there on."""
    return SimpleNamespace(threshold=lambda budget: 1 - budget)


def said(n: int, *, wrong: bool, probability: float = 0.995, weight: float = 1.0) -> list[Review]:
    return [Review(probability, wrong, weight, "")] * n


def test_without_reviews_the_shipped_threshold_holds(verifier):
    assert refine(verifier, 0.01, []) == 0.99


def test_each_reported_error_makes_it_stricter_and_never_looser(verifier):
    errors = [Review(p, True, 1.0, "") for p in (0.991, 0.993, 0.996, 0.999)]
    found = [refine(verifier, 0.01, errors[:n]) for n in range(5)]
    assert found == sorted(set(found))


def test_an_error_above_every_threshold_stops_all_but_the_very_words(verifier):
    assert refine(verifier, 0.01, said(20, wrong=True, probability=0.99995)) == float("inf")


def test_an_error_of_a_low_probability_does_not_count_against_the_sure_ones(verifier):
    assert refine(verifier, 0.01, said(5, wrong=True, probability=0.5)) == 0.99


def test_answers_found_right_bring_it_back(verifier):
    strict = refine(verifier, 0.01, said(2, wrong=True))
    assert refine(verifier, 0.01, said(2, wrong=True) + said(300, wrong=False)) < strict


def test_only_many_reviews_loosen_it_and_only_a_little(verifier):
    assert refine(verifier, 0.01, said(150, wrong=False)) == 0.99
    loosened = refine(verifier, 0.01, said(2000, wrong=False))
    assert 0.98 <= loosened < 0.99


def test_budget_zero_stays_closed_whatever_is_said(verifier):
    verifier.threshold = lambda budget: float("inf")
    assert refine(verifier, 0.0, said(5000, wrong=False)) == float("inf")


@pytest.fixture
def judged(quick):
    """judged(key, verdict, n): n answers out of memory, each judged so by the key's owner."""

    def judge(key_id: str, verdict: Verdict, n: int) -> None:
        with quick.db.write() as session:
            conversation = Conversation(owner_id=key_id)
            session.add(conversation)
            session.flush()
            for i in range(n):
                answer = Answer(
                    id=f"ans_{key_id}_{verdict}_{i}",
                    conversation_id=conversation.id,
                    owner_id=key_id,
                    question="Why?",
                    standalone_question="Why?",
                    answer="So.",
                    source=Source.MEMORY,
                    confidence=0.995,
                    citations=[],
                )
                session.add(answer)
                session.flush()
                quick.ledger.write(
                    session,
                    answer_id=answer.id,
                    key_id=key_id,
                    source=Source.MEMORY,
                    scope="",
                    usage=Usage(),
                    timing_ms={},
                )
                session.add(Feedback(answer_id=answer.id, owner_id=key_id, verdict=verdict))

    return judge


def test_one_reader_weighs_one_at_any_volume_a_curator_each_time(quick, judged):
    curator, _ = quick.auth.create_key("Ann", [Scope.ADMIN])
    reader, _ = quick.auth.create_key("Eve", [Scope.ASK])
    for key, verdict, n in ((curator, Verdict.UP, 5), (reader, Verdict.DOWN, 400), (reader, Verdict.UP, 300)):
        judged(key.id, verdict, n)
    with quick.db.read() as session:
        found = reviews(session)
    assert sum(r.weight for r in found if r.wrong) == pytest.approx(1)
    assert sum(r.weight for r in found if not r.wrong) == pytest.approx(5 + 1)


def test_what_a_curator_dismissed_no_longer_counts(quick, judged):
    reader, _ = quick.auth.create_key("Eve", [Scope.ASK])
    judged(reader.id, Verdict.DOWN, 3)
    before = quick.calibration.least("")
    with quick.db.write() as session:
        session.execute(sa.update(Feedback).values(dismissed=True))
    quick.calibration.forget()
    assert quick.calibration.least("") < before


def test_the_service_is_stricter_from_the_next_lookup_on(quick, judged):
    before = quick.calibration.least("")
    reader, _ = quick.auth.create_key("Eve", [Scope.ASK])
    judged(reader.id, Verdict.DOWN, 1)
    quick.calibration.forget()
    assert quick.calibration.least("") > before
