import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest

from zuinig.memory.conversation import Model, Turn, standalone
from zuinig.training import train_followup
from zuinig.training.train_followup import Dialog, Said, Tally, crossed, examples, label, rules, threshold

THINGS = (
    "Kestrel lamp",
    "parental leave",
    "travel budget",
    "garage door",
    "throat cancer",
    "solar panel",
    "guest wifi",
)


def _dialog(thing: str) -> Dialog:
    said = (
        Said(f"How much does the {thing} cost?", f"How much does the {thing} cost?", "Twenty euros a month."),
        Said("Who pays it?", f"Who pays the {thing}?", "The employer."),
        Said("Is it taxed abroad?", f"Is the {thing} taxed abroad?", "Sometimes."),
        Said("When do shops open on Sundays?", "When do shops open on Sundays?", "At noon."),
    )
    return Dialog("CANARD", thing, said)


DIALOGS = [_dialog(t) for t in THINGS]


def test_a_turn_depends_when_its_rewrite_says_more() -> None:
    history = [Turn("Who was Frank Zappa?", "A musician.")]
    assert label(Said("when was he born", "When was Frank Zappa born?", ""), history) == (True, {"frank", "zappa"})
    assert label(Said("Where is Paris?", "where is paris", ""), history) == (False, frozenset())
    assert label(Said("Did he recieve it?", "Did he receive it?", ""), history) == (None, frozenset())
    assert label(Said("Was it?", "Was Hot Rats it?", ""), history) == (True, frozenset())


def test_the_history_of_an_example_has_the_terms_that_people_added() -> None:
    found = list(examples([_dialog("Kestrel lamp")]))
    assert [e.depends for e in found] == [True, True, False]
    assert found[1].history[0].question == "How much does the Kestrel lamp cost?"
    assert found[1].history[1] == Turn("Who pays it? (Kestrel lamp)", "The employer.")


def test_the_history_of_an_example_has_the_forms_of_the_model_where_one_is_given() -> None:
    model = train_followup.fit(list(examples(DIALOGS)), ["What is a bank?"])
    found = list(examples(DIALOGS, model))
    for before, e in pairwise(found):
        if len(e.history) == len(before.history) + 1:
            form = standalone(before.said.question, before.history, model=model)
            assert e.history[-1].question == form.question


def test_no_conversation_is_judged_by_weights_that_saw_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []
    fit = train_followup.fit

    def spy(found: list[train_followup.Example], *args: object, **kwargs: object) -> Model:
        seen.append({e.history[0].question for e in found})
        return fit(found, *args, **kwargs)

    monkeypatch.setattr(train_followup, "fit", spy)
    held_out = crossed([*DIALOGS, _dialog("Kestrel lamp")], ["Where do I park?"])
    assert sum(len(fold) for _, fold in held_out) == len(DIALOGS) + 1
    for known, (_, fold) in zip(seen, held_out, strict=True):
        assert known.isdisjoint(d.said[0].rewrite for d in fold)


def test_it_learns_the_pattern_and_comes_out_the_same_each_time() -> None:
    def fitted() -> Model:
        return train_followup.shipped_with(crossed(DIALOGS, []), DIALOGS, [])

    model = fitted()
    assert model == fitted()
    history = [Turn("How much does the coffee machine cost?", "Ten euros.")]
    assert standalone("Who pays it?", history, model=model).depends
    assert "coffee machine" in standalone("Who pays it?", history, model=model).question
    assert not standalone("When do banks open on Mondays?", history, model=model).depends


def test_the_threshold_misses_no_more_than_its_share() -> None:
    chances = [n / 1000 for n in range(1000)]
    least = threshold(chances)
    assert sum(c < least for c in chances) == 1000 * train_followup.MISSED
    assert threshold([0.5]) == 0.5


def test_the_rules_add_every_word_of_the_turn_before() -> None:
    assert rules("And in Belgium?", "How long is parental leave?") == (True, "And in Belgium? (long parental leave)")
    assert rules("Which laptop models can engineers order?", "Why?") == (
        False,
        "Which laptop models can engineers order?",
    )


def test_a_tally_counts_missed_and_added() -> None:
    tally = Tally()
    first, _, last = examples([_dialog("Kestrel lamp")])
    tally.count(first, True, "Who pays it? (Kestrel cost)")
    tally.count(last, True, last.said.question)
    assert (tally.dependent, tally.missed, tally.alone, tally.taken) == (1, 0, 1, 1)
    assert (tally.right, tally.added, tally.needed) == (1, 2, 2)


def test_files_are_read_and_weights_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    canard, cast = tmp_path / "canard_dev", tmp_path / "trec_cast"
    canard.mkdir()
    cast.mkdir()
    rows = []
    for n, dialog in enumerate(DIALOGS):
        history = [dialog.group, "Section"]
        for k, said in enumerate(dialog.said, 1):
            rows.append({"id": f"C_{n}#{k}", "history": history, "question": said.question, "rewrite": said.rewrite})
            history = [*history, said.question, said.answer]
    _write(canard / "canard_dev.jsonl.gz", rows)
    turn = {"year": 2019, "history": [], "response": None}
    _write(
        cast / "cast.jsonl.gz",
        [
            turn | {"id": "31_1", "question": "What is gout?", "rewrite": "What is gout?"},
            turn | {"id": "31_2", "question": "Is it treatable?", "rewrite": "Is gout treatable?"},
        ],
    )
    dialogs = [d for d in train_followup.read(tmp_path) if d.source in ("CANARD", "CAsT")]
    assert dialogs[0].group == THINGS[0]
    assert dialogs[0].said[:3] == DIALOGS[0].said[:3]
    assert dialogs[0].said[3] == Said(DIALOGS[0].said[3].question, DIALOGS[0].said[3].rewrite, "")
    assert dialogs[-1].said[1] == Said("Is it treatable?", "Is gout treatable?", "")
    monkeypatch.setattr("sys.argv", ["train_followup", str(tmp_path), "--out", str(tmp_path / "out")])
    monkeypatch.setattr(train_followup, "written_questions", lambda: ["Where do I park?"])
    train_followup.main()
    assert "| CANARD | learned |" in capsys.readouterr().out
    assert Model.read(tmp_path / "out" / "weights.json").terms_from > 0


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
