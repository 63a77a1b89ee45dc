"""Invariant 6: every answer has its entry, and the sums say what was spent and saved."""

from running import ingest

from zuinig.app.asked import Ask

TEXT = "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What may a hotel in Antwerp cost per night?"


def test_the_summary_names_collections_and_adds_up(services):
    principal = services.auth.of_key(services.auth.ensure_admin_key().read_text().strip())
    ingest(services, "travel.md", TEXT, "travel")
    answers = [services.answers.ask(Ask(QUESTION, collections=c), principal) for c in (None, ["travel"], ["travel"])]
    rows = {row.group: row for row in services.ledger.summary("collection")}
    assert {name: row.answers for name, row in rows.items()} == {"all": 1, "travel": 2}
    assert rows["travel"].baseline_tokens == sum(a.usage.baseline_tokens for a in answers[1:])
    assert {row.group: row.answers for row in services.ledger.summary("source")} == {"specialist": 2, "memory": 1}
    [day] = services.ledger.summary("day")
    assert (day.answers, day.prompt_tokens) == (3, 0)
