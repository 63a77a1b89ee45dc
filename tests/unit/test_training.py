"""What the small models are trained on, and how they are measured."""

import json
import random
import re

import numpy as np
import pytest

from zuinig.training import helpdesk_questions, logistic, question_pairs, streams, unanswerable
from zuinig.training.near_misses import near_misses, rewordings
from zuinig.training.question_pairs import clusters, written_groups


@pytest.mark.parametrize(
    ("kind", "question", "expected"),
    [
        ("opposite", "How do I enable the alarm?", "How do I disable the alarm?"),
        ("direction", "May I travel from Ghent to Leeds?", "May I travel from Leeds to Ghent?"),
        ("direction", "How do I convert euros to pounds?", "How do I convert pounds to euros?"),
        ("direction", "Does the guide pay before boarding?", "Does the guide boarding before pay?"),
    ],
)
def test_a_near_miss_of_each_kind_is_made_where_the_question_has_a_place_for_it(kind, question, expected):
    assert dict(near_misses(question, random.Random(1)))[kind] == expected


def test_numbers_and_negation_change_and_nothing_else_does():
    made = dict(near_misses("Can I claim 40 euros?", random.Random(1)))
    assert re.fullmatch(r"Can I claim (?!40 )\d+ euros\?", made["number"])
    assert made["negation"] in ("Can't I claim 40 euros?", "Can I not claim 40 euros?")


def test_what_may_be_turned_round_is_a_rewording():
    made = dict(rewordings("What is the difference between tea and coffee?", random.Random(1)))
    assert made["order"] == "What is the difference between coffee and tea?"


def test_the_grid_gives_as_many_repeats_as_near_misses_and_no_pair_of_equals():
    pairs = list(helpdesk_questions.pairs(400, random.Random(1)))
    labels = [label for *_, label in pairs]
    assert 0.4 < np.mean(labels) < 0.6
    assert all(a != b for a, b, _ in pairs)


def test_chains_of_labels_join_questions():
    found = clusters(
        [{"a": "x", "b": "y", "label": 1}, {"a": "y", "b": "z", "label": 1}, {"a": "z", "b": "w", "label": 0}]
    )
    assert found["x"] == found["y"] == found["z"] != found["w"]


def test_what_was_written_has_rewordings_and_near_misses_and_a_part_is_held_out():
    trained, held_out = written_groups(held_out=False), written_groups(held_out=True)
    assert len(trained) > 5 * len(held_out) > 0
    for row in trained + held_out:
        assert len({row["question"], *row["repeats"], *row["near_misses"]}) >= 9


def test_what_two_files_may_both_ask_is_not_taken_for_different(embedder, tmp_path, monkeypatch):
    monkeypatch.setattr(question_pairs, "WRITTEN", tmp_path)
    monkeypatch.setattr(question_pairs, "_MINED_SHARE", 1)
    monkeypatch.setattr(question_pairs, "crc32", lambda _: 1)
    asked = "Where is the canteen?", "When does the canteen open?", "Where's the canteen?", "Why do cats purr?"
    rows = [json.dumps({"question": q, "repeats": [f"{q}!"], "near_misses": []}) for q in asked]
    (tmp_path / "one.jsonl").write_text("\n".join(rows[:2]))
    (tmp_path / "two.jsonl").write_text("\n".join(rows[2:]))
    mined = {
        frozenset((p.a, p.b)) for p in question_pairs.written(embedder, random.Random(1)) if p.source == "written mined"
    }
    assert frozenset(asked[:2]) in mined
    assert frozenset((asked[0], asked[3])) in mined
    assert frozenset((asked[0], asked[2])) not in mined


def test_logistic_regression_finds_the_weights_that_made_the_labels():
    chance = np.random.default_rng(1)
    x = chance.normal(size=(20_000, 2))
    labels = (chance.random(20_000) < 1 / (1 + np.exp(-(2 * x[:, 0] - x[:, 1] + 0.5)))).astype(float)
    assert logistic.fit(x, labels) == pytest.approx([2, -1, 0.5], abs=0.1)


def test_the_most_that_can_be_served_at_a_share_of_wrong_answers():
    scores, right = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([True, True, False, True, True])
    assert streams.served_at(scores, right, 8, 0.0) == (0.25, 0.8)
    assert streams.served_at(scores, right, 8, 0.2) == (0.5, 0.5)
    assert streams.served_at(scores, ~right, 8, 0.1) == (0.0, float("inf"))


def test_a_verdict_takes_the_place_of_a_label(embedder):
    stored, asked = "Where is the canteen?", "In which building is the canteen?"
    found = streams.make([(stored, 1)], [(asked, 2)], embedder, shortlist=1)
    assert not found.same.any()
    assert streams.adjudicated(found, {streams.pair_id(asked, stored): True}).all()


NEAR = ["In Kraków the Jagiellonian University was founded by Casimir III the Great in 1364."]
PASSAGE = "The University of Warsaw was established in 1816 by Alexander I. At most 200 students were allowed."


@pytest.mark.parametrize(
    "question",
    [
        "Who founded the University of Warsaw in 1816?",
        "What is the highest number of students allowed?",
        "When did Nikola Tesla move from Paris to New York?",
    ],
)
def test_a_question_that_is_altered_asks_of_what_the_passage_does_not_say(question):
    made = {unanswerable.altered(question, PASSAGE, NEAR, random.Random(n)) for n in range(30)} - {None}
    assert made
    for other in made:
        assert other != question
        put_in = set(re.findall(r"\w+", other)) - set(re.findall(r"\w+", question))
        assert not {word for word in put_in if word.isdigit()} & {"1816", "200"}


def test_what_has_no_place_for_a_change_is_left_alone():
    assert unanswerable.altered("lamp price hall", PASSAGE, NEAR, random.Random(1)) is None
