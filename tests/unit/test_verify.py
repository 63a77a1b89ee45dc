"""Invariant 8: a verifier that fails counts as "not confident", never as a hit."""

import json
import shutil

import numpy as np
import pytest

from zuinig.app.services import build
from zuinig.core.errors import ConfigurationError
from zuinig.core.settings import Settings
from zuinig.memory.curate import Pair
from zuinig.memory.evaluate import LabelledPair, evaluate, wilson
from zuinig.memory.verify import MODELS, Verifier, VerifierFailed

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
    repeat, *misses = verifier.probabilities([(q, STORED) for q in asked], cosines.tolist())
    assert repeat >= verifier.threshold(0.01)
    assert max(misses) < verifier.threshold(0.01)


@pytest.mark.parametrize(("stored", "asked"), ANOTHER)
def test_a_near_miss_is_not_served(verifier, embedder, stored, asked):
    cosine = float(embedder.embed([asked])[0] @ embedder.embed([stored])[0])
    assert verifier.probabilities([(asked, stored)], [cosine])[0] < verifier.threshold(0.01)


def test_a_batch_is_judged_as_its_pairs_are_one_by_one(verifier):
    pairs = [(REPEAT, STORED), (NEAR_MISSES[1], STORED), ("x", STORED), (STORED, REPEAT)]
    together = verifier.probabilities(pairs, [0.9] * 4)
    alone = [verifier.probabilities([p], [0.9])[0] for p in pairs]
    assert together == pytest.approx(alone, abs=0.05)


def test_a_smaller_budget_never_lowers_the_threshold(verifier):
    thresholds = [verifier.threshold(b) for b in (0.0, 0.005, 0.01, 0.02, 0.05, 0.2)]
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] == float("inf")


def test_nothing_to_judge_is_no_failure(verifier):
    assert len(verifier.probabilities([], [])) == 0


@pytest.mark.parametrize("broken", [RuntimeError("out of memory"), np.array([np.nan])])
def test_a_verifier_that_fails_serves_nothing_but_the_same_words(tmp_path, monkeypatch, broken):
    services = build(Settings(data_dir=tmp_path, ingest_workers=0))
    services.curate.import_pairs([Pair(STORED, "Ask the desk.")], created_by="test")
    assert services.recall.find(REPEAT, None).hit is not None

    def logits(pairs):
        if isinstance(broken, Exception):
            raise broken
        return np.repeat(broken, len(pairs))

    monkeypatch.setattr(services.verifier._encoder, "logits", logits)
    with pytest.raises(VerifierFailed):
        services.verifier.probabilities([(REPEAT, STORED)], [0.99])
    assert services.recall.find(REPEAT, None).hit is None
    assert services.recall.find(STORED.upper(), None).hit is not None
    services.close()


def test_budget_zero_serves_the_same_words_only(tmp_path):
    services = build(Settings(data_dir=tmp_path, ingest_workers=0, memory_wrong_budget=0))
    services.curate.import_pairs([Pair(STORED, "Ask the desk.")], created_by="test")
    assert services.recall.find(STORED.upper(), None).hit is not None
    assert services.recall.find(REPEAT, None).hit is None
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
