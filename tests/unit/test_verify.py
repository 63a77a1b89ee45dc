"""Invariant 8: a verifier that fails counts as "not confident", never as a hit."""

import json
import shutil

import numpy as np
import pytest

from zuinig.app.services import build
from zuinig.core.errors import ConfigurationError
from zuinig.core.settings import Settings
from zuinig.core.trees import Trees
from zuinig.memory.evaluate import LabelledPair, evaluate, wilson
from zuinig.memory.importing import Pair
from zuinig.memory.verify import (
    MODELS,
    UNREAD,
    PairReader,
    Verifier,
    VerifierFailed,
    Wording,
    context,
    goes_on,
    worth_reading,
)
from zuinig.training.fit_verifier import grow

STORED = "How do I reset my Windows password?"
REPEAT = "how can I reset my windows password"
NEAR_MISSES = [
    "How do I not reset my Windows password?",
    "How do I reset my Windows PIN?",
    "How do I reset my manager's Windows password?",
    "Why do I reset my Windows password?",
]


ANOTHER = [
    ("What does error 504 mean?", "What does error 404 mean?"),
    ("What does error 504 mean?", "What does error 504 not mean?"),
    ("How do I enable two-factor?", "How do I disable two-factor?"),
    ("How do I go from Ghent to Leeds?", "How do I go from Leeds to Ghent?"),
    ("Can I learn C++ here?", "Can I learn C# here?"),
    ("May I pay with a card?", "May I pay without a card?"),
    ("What is due before the trip?", "What is due after the trip?"),
    ("Where is my badge?", "Where is your badge?"),
    ("Who is the manager?", "Who was the manager?"),
    ("When is salary paid?", "How is salary paid?"),
    ("Can I work from home?", "Must I work from home?"),
    ("What changed in version 2.1?", "What changed in version 2.2?"),
    ("Is a visa needed for India?", "Is a visa needed for China?"),
    ("Is the discount 10%?", "Is the discount 10?"),
    ("Can employees carry over leave?", "Can't employees carry over leave?"),
    ("Wie betaalt de reis?", "Wie betaalt de reis niet?"),
    ("Mag ik met de trein?", "Mag ik zonder de trein?"),
    ("What is the extension of desk 5001?", "What is the extension of desk 50010?"),
    ("Who reports to Anna?", "Who does Anna report to?"),
    ("Can I convert euros to pounds?", "Can I convert pounds to euros?"),
]


@pytest.fixture(scope="module")
def verifier():
    return Verifier(MODELS / "same-question-int8")


def test_a_repeat_is_likelier_than_any_near_miss(verifier, embedder):
    asked = [REPEAT, *NEAR_MISSES]
    cosines = embedder.embed(asked) @ embedder.embed([STORED])[0]
    [repeat], *misses = verifier.judge(asked, [[Wording(STORED, float(c))] for c in cosines])
    assert repeat >= verifier.threshold(0.01)
    assert max(misses) < [verifier.threshold(0.01)]


@pytest.mark.parametrize(("stored", "asked"), ANOTHER)
def test_a_near_miss_is_not_served(verifier, embedder, stored, asked):
    cosine = float(embedder.embed([asked])[0] @ embedder.embed([stored])[0])
    assert verifier.judge([asked], [[Wording(stored, cosine)]])[0][0] < verifier.threshold(0.01)


def test_questions_together_are_judged_as_one_by_one(verifier):
    asked = [REPEAT, NEAR_MISSES[1], "x", STORED]
    near = [[Wording(STORED, 0.9), Wording(REPEAT, 0.5)], [Wording(STORED, 0.9)], [], [Wording(REPEAT, 0.9)]]
    together = verifier.judge(asked, near)
    assert [len(p) for p in together] == [2, 1, 0, 1]
    for question, wordings, found in zip(asked, near, together, strict=True):
        assert found == pytest.approx(verifier.judge([question], [wordings])[0], abs=0.05)


def test_what_stands_out_is_likelier_than_what_is_one_of_many():
    """Unless the many are answered alike, or are the same words."""
    logits, cosines, group = np.array([3.0, 2.5]), np.array([0.9, 0.88]), np.zeros(2, int)

    def margin(other: Wording) -> float:
        return context(logits, cosines, group, [Wording("Which bulb?", 0.9, "E27."), other])[0][0]

    assert margin(Wording("Which lamp?", 0.88, "Ours.")) == pytest.approx(0.5)
    for same in (Wording("Which lamp?", 0.88, "E27."), Wording("which BULB", 0.88, "E14.")):
        assert margin(same) == 3.0 - UNREAD


def test_the_trees_say_what_the_library_that_grew_them_says():
    chance = np.random.default_rng(1)
    x = chance.normal(size=(2000, 5))
    y = (x[:, 0] * x[:, 1] > 0) & (x[:, 2] < 1)
    config = grow([x.reshape(500, 4, 5)], [y.reshape(500, 4)], [np.ones(500, bool)])
    found = Trees.read(json.loads(json.dumps(config))).probability(x)
    assert ((found > 0.5) == y).mean() > 0.9
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("broken", [{}, {"base": 0.0, "feature": [[0]], "threshold": [[0.0, 1.0]]}])
def test_trees_that_do_not_fit_together_are_refused(broken):
    with pytest.raises((KeyError, ValueError)):
        Trees.read(broken)


def test_a_verifier_that_takes_too_long_is_a_miss(tmp_path, monkeypatch):
    """The pairs of one question get so long, and what runs is ended."""
    encoder = PairReader(MODELS / "same-question-int8", timeout_s=0.001)
    with pytest.raises(TimeoutError):
        encoder.logits([(f"{n} " * 40, "why " * 40) for n in range(64)])
    services = build(Settings(data_dir=tmp_path, ingest_workers=0))
    services.importing.run([Pair(STORED, "Ask the desk.")], by="test")
    late = services.verifier._model.encoder._model
    monkeypatch.setattr(late, "run", lambda batches, limit_s: [None] * len(batches))
    assert services.recall.find(REPEAT).hit is None
    assert services.recall.find(STORED.upper()).hit is not None
    services.close()


@pytest.mark.parametrize(
    ("said", "third", "read"),
    [
        (-2.1, 0.29, [0, 1]),  # the likeliest are other questions, and so, by cosine and signs, is the rest
        (-2.0, 0.29, [0, 1, 2, 3]),
        (-2.1, 0.30, [0, 1, 2, 3]),
    ],
)
def test_the_rest_is_read_unless_the_likeliest_rule_it_out(said, third, read):
    """Not the fifth, though it is likely enough, nor the one of another question, which is not."""
    early, group = np.array([0.5, 0.4, third, 0.1, 0.09, 0.2, 0.001]), np.array([0, 0, 0, 0, 0, 1, 1])
    first, rest = worth_reading(early, group, 0.005)
    assert np.flatnonzero(first).tolist() == [0, 1, 5]
    logits = np.where(first, [-5.0, said, 0, 0, 0, 5.0, 0], UNREAD)
    more = rest & goes_on(early, group, rest, logits)
    assert np.flatnonzero((first | more) & (group == 0)).tolist() == read


OTHERS = ["How do I cook rice for twelve people?", "Where is the rice kept?", "Who cooks on Friday?"]


@pytest.fixture
def read(monkeypatch):
    """What the cross-encoder is given, call by call: the pairs, how many were read before, and for how long."""
    calls, logits = [], PairReader.logits

    def noted(self, pairs, *, after=0, spent_s=0.0):
        calls.append((list(pairs), after, spent_s))
        return logits(self, pairs, after=after, spent_s=spent_s)

    monkeypatch.setattr(PairReader, "logits", noted)
    return calls


def near(first: str) -> list[Wording]:
    return [Wording(q, c) for q, c in zip([first, *OTHERS], (0.95, 0.72, 0.7, 0.69), strict=True)]


def test_what_the_likeliest_rule_out_is_not_read(verifier, read):
    verifier.judge(["How do I book a table for Friday?"], [near("How do I book rice?")[1:]])
    assert len(read) == 1
    assert len(read[0][0]) <= 2


def test_beside_a_likely_one_the_rest_is_read_in_the_time_that_is_left(verifier, read):
    verifier.judge([REPEAT], [near(STORED)])
    (first, none, nothing), (rest, after, spent) = read
    assert (REPEAT, STORED) in first
    assert {stored for _, stored in rest} < set(OTHERS)
    assert (none, nothing, after) == (0, 0.0, 2)
    assert spent > 0


def test_no_more_than_four_are_read(verifier, read):
    verifier.judge([REPEAT], [[Wording(f"{STORED} {n}", 0.95) for n in range(8)]])
    assert [len(pairs) for pairs, *_ in read] == [2, 2]


def test_many_questions_together_have_the_time_of_all(read):
    """The second reading of a few is not to end for the time that the first of many took."""
    encoder = PairReader(MODELS / "same-question-int8", timeout_s=1)
    assert np.isfinite(encoder.logits([(REPEAT, STORED)], after=64, spent_s=5)).all()
    with pytest.raises(TimeoutError):
        encoder.logits([(f"{n} " * 40, "why " * 40) for n in range(8)], after=8, spent_s=5)


def test_a_smaller_budget_never_lowers_the_threshold(verifier):
    thresholds = [verifier.threshold(b) for b in (0.0, 0.005, 0.01, 0.02, 0.05, 0.2)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] == float("inf")


def test_nothing_to_judge_is_no_failure(verifier):
    assert verifier.judge([], []) == []
    assert verifier.judge(["x"], [[]]) == [[]]


@pytest.mark.parametrize("broken", [RuntimeError("out of memory"), np.array([np.nan])])
def test_a_verifier_that_fails_serves_nothing_but_the_same_words(tmp_path, monkeypatch, broken):
    services = build(Settings(data_dir=tmp_path, ingest_workers=0))
    services.importing.run([Pair(STORED, "Ask the desk.")], by="test")
    assert services.recall.find(REPEAT).hit is not None

    def logits(pairs, *, after, spent_s):
        if isinstance(broken, Exception):
            raise broken
        return np.repeat(broken, len(pairs))

    monkeypatch.setattr(services.verifier._model.encoder, "logits", logits)
    with pytest.raises(VerifierFailed):
        services.verifier.judge([REPEAT], [[Wording(STORED, 0.99)]])
    assert services.recall.find(REPEAT).hit is None
    assert services.recall.find(STORED.upper()).hit is not None
    services.close()


def test_budget_zero_serves_the_same_words_only(tmp_path):
    services = build(Settings(data_dir=tmp_path, ingest_workers=0, memory_wrong_budget=0))
    services.importing.run([Pair(STORED, "Ask the desk.")], by="test")
    assert services.recall.find(STORED.upper()).hit is not None
    assert services.recall.find(REPEAT).hit is None
    services.close()


def test_a_folder_that_is_no_verifier_is_refused_with_its_name(tmp_path):
    shutil.copytree(MODELS / "same-question-int8", tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(json.dumps({"id": "x"}))
    with pytest.raises(ConfigurationError, match="model"):
        Verifier(tmp_path / "model")


def test_evaluate_counts_repeats_served_and_wrong_answers(verifier, embedder):
    pairs = [LabelledPair(STORED, REPEAT, True), LabelledPair(STORED, NEAR_MISSES[1], False)]
    pairs.append(LabelledPair("Where is the canteen?", "where is THE canteen", False))
    [outcome] = evaluate(pairs, embedder, verifier, [0.01])
    assert (outcome.asked, outcome.repeats, outcome.served) == (3, 1, 2)
    assert outcome.hits.share == 1
    assert outcome.wrong.share == 0.5  # the same words, though the label says otherwise: labels decide


def test_wilson_of_nothing_says_nothing():
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
    assert wilson(1, 100).low < 0.01 < wilson(1, 100).high
