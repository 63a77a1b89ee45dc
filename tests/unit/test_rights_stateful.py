"""Documents, rights, memories, readers and curators against a model of who may be told what: nothing stale, nothing
forbidden, nothing that a curator rejected, ever.

Every value is used once, so that a number alone tells where an answer comes from.
"""

import io
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import TOPICS
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from stateful import run

from zuinig.app.asked import Answered, Ask
from zuinig.app.services import build
from zuinig.core.errors import Conflict
from zuinig.core.settings import Settings
from zuinig.core.types import MemoryStatus, Principal, Reach, Scope, Verdict
from zuinig.ingestion.parse import Parser
from zuinig.ingestion.pipeline import work_one
from zuinig.memory.feedback import judge

COLLECTIONS = ["alpha", "beta"]
NUMBER = re.compile(r"\b1\d{4}\b")

topics, collections = st.sampled_from(list(TOPICS)), st.sampled_from(COLLECTIONS)
people = st.sampled_from(["all", *COLLECTIONS])


class Office(RuleBasedStateMachine):
    """documents: collection -> topic -> the value it gives now. written: (topic, collection or "") -> its value.

    rejected: answers, as texts, that a curator called wrong and no curator approved since.
    """

    def __init__(self, fresh: Callable[[], Path], reading: Parser) -> None:
        super().__init__()
        self.reading = reading
        self.services = build(
            Settings(data_dir=fresh(), ingest_workers=0, specialist_wrong_budget=0.2, suggest_every_minutes=0)
        )
        self.documents: dict[str, dict[str, str]] = {}
        self.ids: dict[str, str] = {}
        self.written: dict[tuple[str, str], str] = {}
        self.out_of_service: set[int] = set()
        self.answers: list[tuple[str, Answered]] = []
        self.values = map(str, itertools.count(10_001))
        self.principals: dict[str, Principal] = {}

    def teardown(self) -> None:
        self.services.close()

    @initialize()
    def begin(self) -> None:
        auth = self.services.auth
        self.principals["all"] = auth.of_key(auth.ensure_admin_key().read_text().strip())
        for name in COLLECTIONS:
            self.upload(name, dict.fromkeys(TOPICS, "new"))
            ids = self.services.search.collection_ids([name])
            self.principals[name] = auth.of_key(auth.create_key(name, [Scope.ASK], collections=ids)[1])

    # What happens

    @rule(collection=collections, fates=st.dictionaries(topics, st.sampled_from(["keep", "new"])))
    def upload(self, collection: str, fates: dict[str, str]) -> None:
        old = self.documents.get(collection, {})
        new = {t: old[t] if fate == "keep" and t in old else next(self.values) for t, fate in fates.items()}
        parts = [f"## About {t}\n\n{TOPICS[t][1].format(value)}\n" for t, value in new.items()]
        text = "\n".join([f"# Book of {collection}\n", *parts, f"Printed as {len(self.answers)} {fates}."])
        accepted = self.services.uploads.accept(f"{collection}.md", io.BytesIO(text.encode()), collection)
        while work_one(self.services.pipeline, self.services.queue, self.reading):
            pass
        self.documents[collection], self.ids[collection] = new, accepted.document_id

    @precondition(lambda self: self.documents)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        collection = data.draw(st.sampled_from(sorted(self.documents)))
        self.services.uploads.delete(self.ids.pop(collection))
        del self.documents[collection]

    @rule(topic=topics, who=people, named=st.booleans())
    def ask(self, topic: str, who: str, named: bool) -> None:
        chosen = [who] if named and who != "all" else None
        answered = self.services.answers.ask(Ask(TOPICS[topic][0], collections=chosen), self.principals[who])
        self._may_be_told(who, answered.answer)
        self.answers.append((who, answered))

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), correction=st.booleans())
    def object(self, data: st.DataObject, correction: bool) -> None:
        """A reader's word takes out what nobody verified, and changes no answer."""
        who, answered = data.draw(st.sampled_from(self.answers))
        before = self._row(answered)
        with self.services.db.write() as session:
            text = f"It is {next(self.values)}." if correction else None
            judge(session, answered.answer_id, self.principals[who].key_id, Verdict.DOWN, text)
        after = self._row(answered)
        if before is not None:
            expected = before.status
            if before.status == MemoryStatus.LIVE and before.verified_by is None:
                expected = MemoryStatus.HELD
                self.out_of_service.add(before.id)
            assert (after.status, after.answer) == (expected, before.answer)

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), approve=st.booleans())
    def decide(self, data: st.DataObject, approve: bool) -> None:
        _, answered = data.draw(st.sampled_from(self.answers))
        row = self._row(answered)
        if row is None:
            return
        if not approve:
            self.services.curate.reject(row.id, by="Cleo")
            self.out_of_service.add(row.id)
            self.written = {k: v for k, v in self.written.items() if v not in row.answer}
            return
        try:
            self.services.curate.approve(row.id, by="Cleo")
        except Conflict:
            return  # the documents say something else by now
        self.out_of_service.discard(row.id)
        if row.origin == "human":
            names = self.services.documents.collections()
            key = next(t for t, (q, _) in TOPICS.items() if q == row.question), names.get(int(row.scope or -1), "")
            self.written[key] = NUMBER.findall(row.answer)[0]

    @rule(topic=topics, scope=st.sampled_from(["", *COLLECTIONS]))
    def write(self, topic: str, scope: str) -> None:
        self.written[topic, scope] = next(self.values)
        reach = self.services.search.reach([scope] if scope else None)
        answer = f"Ann says {self.written[topic, scope]}."
        self.out_of_service.discard(self.services.curate.write(TOPICS[topic][0], answer, scope=reach.scope, by="Ann"))

    @rule()
    def restart(self) -> None:
        self.services.stop()
        self.services = build(self.services.settings)

    # What may be told

    def _row(self, answered: Answered):
        from zuinig.core.tables import Answer, Memory

        with self.services.db.read() as session:
            number = session.get(Answer, answered.answer_id).memory_id
            return session.get(Memory, number) if number is not None else None

    def _may_be_told(self, who: str, text: str) -> None:
        readable = COLLECTIONS if who == "all" else [who]
        said = {v for name in readable for v in self.documents.get(name, {}).values()}
        said |= {v for (_, scope), v in self.written.items() if scope in ("", *readable)}
        assert set(NUMBER.findall(text)) <= said

    @invariant()
    def memory_tells_nobody_what_is_stale_hidden_or_rejected(self) -> None:
        for who, principal in self.principals.items():
            for topic, (question, _) in TOPICS.items():
                found = self.services.recall.find(question, Reach(readable=principal.readable))
                for c in found.candidates:
                    assert c.memory.id not in self.out_of_service, topic
                if found.hit is not None:
                    self._may_be_told(who, found.hit.answer)


@pytest.mark.timeout(300)
def test_nobody_is_ever_told_what_is_not_for_them(tmp_path, monkeypatch) -> None:
    run(Office, tmp_path, monkeypatch, steps=20)
