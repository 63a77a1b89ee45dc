"""What counts as right, and how the figures of an evaluation come about."""

import pytest
from running import ingest

from zuinig.app.evaluation import Case, Judged, contains, evaluate_answers, named, overlap, report
from zuinig.core.errors import NotFound
from zuinig.core.types import Source

HOTEL = "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
BADGE = "# Badge\n\nA lost badge costs 25 euros.\n"


@pytest.mark.parametrize(
    ("answer", "expected", "found"),
    [
        ("Quoted: “up to 143 euros per night” [1]", "143 euros", True),
        ("It costs 1430 euros.", "143", False),
        ("The 143, and euros.", "143 euros", False),
        ("Op de Grote Markt.", "grote markt", True),
        ("Anything.", "", False),
        ("Source [143].", "143", False),
    ],
)
def test_contained_is_whole_words_in_order(answer, expected, found):
    assert contains(answer, expected) == found


def test_overlap_is_token_f1():
    assert overlap("The cat sat.", "a cat sat") == 1
    assert overlap("one two three four", "one two") == pytest.approx(2 * 2 / 6)
    assert overlap("one", "two") == 0


def judged(verdict, source, *, expected=("x",), **more):
    return Judged(Case("?", expected), verdict, more.pop("how", None), source, "", more.pop("cited", None), **more)


def test_figures_are_of_each_rung_and_of_all():
    found = report(
        [
            judged("right", Source.SPECIALIST, how="contained", baseline_tokens=900, ms=10.0, cited=True),
            judged("right", Source.SPECIALIST, how="overlap", baseline_tokens=900, ms=30.0, cited=False),
            judged("wrong", Source.LLM, prompt_tokens=100, completion_tokens=20, baseline_tokens=900, ms=500.0),
            judged("abstained", Source.NONE, ms=5.0),
            judged("right", Source.NONE, expected=(), ms=5.0),
            judged("wrong", Source.SPECIALIST, expected=(), ms=40.0),
            judged("failed", None),
        ]
    )
    assert (found.total.questions, found.failed) == (6, 1)
    assert found.answered.share == 3 / 4
    assert found.abstained.share == 1 / 2
    quoted = found.rungs["specialist"]
    assert (quoted.answered, quoted.by_overlap) == (3, 1)
    assert (quoted.right.share, quoted.wrong.share) == pytest.approx((2 / 3, 1 / 3))
    assert quoted.wrong.low < 1 / 3 < quoted.wrong.high
    assert quoted.cited.share == 0.5
    assert (quoted.p50_ms, quoted.p95_ms) == (30, 40)
    assert (found.rungs["llm"].prompt_tokens, found.rungs["llm"].baseline_tokens) == (100, 900)
    assert found.rungs["none"].answered == 0
    assert set(found.rungs) == {"specialist", "llm", "none"}


def test_every_question_is_asked_of_its_collection_and_judged(services):
    ingest(services, "travel.md", HOTEL, "travel")
    ingest(services, "badge.md", BADGE, "other")
    cases = [
        Case("What is the maximum hotel price per night in Antwerp?", ("143 euros",), document="travel.md"),
        Case("What does a lost badge cost?", ("30 euros",), ("25",), collection="other", document="badge.md"),
        Case("What does a lost badge cost?", ("25 euros",), collection="travel"),
        Case("Who waters the purple cactus on the moon?", ()),
    ]
    with services.db.read() as session:
        documents = named(session, cases)
    principal = services.auth.of_key(services.auth.ensure_admin_key().read_text().strip())
    done = []
    found = evaluate_answers(
        services.answers,
        cases,
        documents,
        principal,
        memory="skip",
        llm="never",
        progress=lambda n, total: done.append((n, total)),
    )
    assert [(j.verdict, j.source, j.cited) for j in found.judged] == [
        ("right", Source.SPECIALIST, True),
        ("right", Source.SPECIALIST, True),
        ("abstained", Source.NONE, None),
        ("right", Source.NONE, None),
    ]
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found.total.baseline_tokens > found.total.prompt_tokens == 0


def test_a_document_is_named_by_its_path_or_the_end_of_it(services):
    first = ingest(services, "a/travel.md", HOTEL)
    second = ingest(services, "b/travel.md", BADGE)
    with services.db.read() as session:
        found = named(session, [Case("?", (), document=name) for name in ("travel.md", "a/travel.md", second)])
        assert found == {
            "travel.md": frozenset({first, second}),
            "a/travel.md": frozenset({first}),
            second: frozenset({second}),
        }
        with pytest.raises(NotFound, match="ravel"):
            named(session, [Case("?", (), document="ravel.md")])
