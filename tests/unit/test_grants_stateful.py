"""Grants, groups, documents and memories against a model of who may read what: whatever is granted, taken back or
moved, and whoever asked before, nobody is told what they may not read at that moment.

The language model here tells everything it was shown and cites the first passage alone, as the worst of them do. Every
value is used once, so that a number alone tells where an answer comes from.
"""

import io
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import TOPICS, Gossip
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stateful import run

from zuinig.app.asked import Ask
from zuinig.app.services import build
from zuinig.core.settings import Settings
from zuinig.core.types import Reach
from zuinig.ingestion.parse import Parser
from zuinig.ingestion.pipeline import work_one

NUMBER = re.compile(r"\b1\d{4}\b")
GROUPS = ("A", "B")
PEOPLE = {"anna": {"A"}, "bram": {"B"}, "none": set(), "both": {"A", "B"}}
DOCUMENTS = ("first", "second", "third")
COLLECTION = {"first": "alpha", "second": "alpha", "third": "beta"}

topics, documents = st.sampled_from(list(TOPICS)), st.sampled_from(DOCUMENTS)
readers = st.one_of(st.none(), st.sets(st.sampled_from(GROUPS)).map(sorted))


class Office(RuleBasedStateMachine):
    """says: document -> the values it gives now. open_to: collection or document -> groups, None for everybody; of a
    document only where it has readers of its own.
    """

    def __init__(self, fresh: Callable[[], Path], reading: Parser) -> None:
        super().__init__()
        self.reading = reading
        settings = Settings(
            data_dir=fresh(), ingest_workers=0, suggest_every_minutes=0, specialist_wrong_budget=0, llm="openai:gossip"
        )
        self.services = build(settings, llm=Gossip())
        self.says: dict[str, set[str]] = {}
        self.ids: dict[str, str] = {}
        self.open_to: dict[str, list[str] | None] = {"alpha": None, "beta": None}
        self.groups = {name: set(groups) for name, groups in PEOPLE.items()}
        self.values = map(str, itertools.count(10_001))

    def teardown(self) -> None:
        self.services.close()

    @initialize()
    def begin(self) -> None:
        for name in GROUPS:
            self.services.people.create_group(name)
        for name, groups in PEOPLE.items():
            self.services.people.create(name, groups=groups)
        for document in DOCUMENTS:
            self.upload(document, list(TOPICS))

    # What happens

    @rule(document=documents, about=st.lists(topics, unique=True, min_size=1))
    def upload(self, document: str, about: list[str]) -> None:
        values = {topic: next(self.values) for topic in about}
        parts = [f"## About {t}\n\n{TOPICS[t][1].format(v)}\n" for t, v in values.items()]
        text = f"# The {document}\n\n" + "\n".join(parts)
        accepted = self.services.uploads.accept(f"{document}.md", io.BytesIO(text.encode()), COLLECTION[document])
        while work_one(self.services.pipeline, self.services.queue, self.reading):
            pass
        self.says[document], self.ids[document] = set(values.values()), accepted.document_id

    @rule(collection=st.sampled_from(["alpha", "beta"]), groups=readers)
    def grant(self, collection: str, groups: list[str] | None) -> None:
        self.services.grants.set_collection(collection, readers=groups, editors=())
        self.open_to[collection] = groups

    @rule(document=documents, groups=readers, own=st.booleans())
    def grant_one(self, document: str, groups: list[str] | None, own: bool) -> None:
        self.services.grants.set_document(self.ids[document], groups, own=own)
        self.open_to.pop(document, None)
        if own:
            self.open_to[document] = groups

    @rule(who=st.sampled_from(list(PEOPLE)), groups=st.sets(st.sampled_from(GROUPS)))
    def join(self, who: str, groups: set[str]) -> None:
        self.services.people.change(who, groups=sorted(groups))
        self.groups[who] = groups

    @rule(who=st.sampled_from(list(PEOPLE)), topic=topics, named=st.sampled_from([None, "alpha", "beta"]))
    def ask(self, who: str, topic: str, named: str | None) -> None:
        visible = {COLLECTION[d] for d in self.readable(who)}
        if named is not None and named not in visible:
            named = None
        answered = self.services.answers.ask(
            Ask(TOPICS[topic][0], collections=[named] if named else None), self.principal(who)
        )
        self.may_be_told(who, answered.answer)

    # What may be told

    def principal(self, who: str):
        return self.services.auth.of_session(self.services.auth.open_for(self.services.people.get(who).id))

    def readable(self, who: str) -> set[str]:
        def may(groups: list[str] | None) -> bool:
            return groups is None or not self.groups[who].isdisjoint(groups)

        return {d for d in DOCUMENTS if may(self.open_to.get(d, self.open_to[COLLECTION[d]]))}

    def may_be_told(self, who: str, text: str) -> None:
        allowed = set().union(*(self.says[d] for d in self.readable(who)))
        assert set(NUMBER.findall(text)) <= allowed, who

    @invariant()
    def nobody_lists_what_they_may_not_read(self) -> None:
        for who in PEOPLE if self.says else ():
            listed, _ = self.services.documents.page(limit=10, readable=self.principal(who).readable)
            assert {v.id for v in listed} == {self.ids[d] for d in self.readable(who)}

    @rule(who=st.sampled_from(list(PEOPLE)), topic=topics)
    def look(self, who: str, topic: str) -> None:
        reach, may = Reach(readable=self.principal(who).readable), self.readable(who)
        question = TOPICS[topic][0]
        hits = self.services.search.search(question, 10, shelves=reach.shelves)
        assert {h.document_id for h in hits} <= {self.ids[d] for d in may}
        for c in self.services.recall.find(question, reach).candidates:
            self.may_be_told(who, c.memory.answer)


@pytest.mark.timeout(300)
def test_nobody_is_told_what_they_may_not_read_at_that_moment(tmp_path, monkeypatch) -> None:
    run(Office, tmp_path, monkeypatch, steps=20)
