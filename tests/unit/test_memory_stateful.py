"""The life of documents and memories against a dictionary of what may be said: nothing stale, ever.

Every value is used once, so that a number alone tells from which version an answer comes.
"""

import io
import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
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
from zuinig.core.settings import Settings
from zuinig.core.types import Citation, MemoryStatus, Source
from zuinig.ingestion.parse import Parser
from zuinig.ingestion.pipeline import work_one
from zuinig.memory.candidates import Remembered
from zuinig.memory.importing import Pair

PATHS = ["a.md", "b.md"]
NUMBER = re.compile(r"\b1\d{4}\b")

topics, paths = st.sampled_from(list(TOPICS)), st.sampled_from(PATHS)


class Life(RuleBasedStateMachine):
    """documents: path -> topic -> the value it gives now. written: topic -> the answer that people gave."""

    def __init__(self, fresh: Callable[[], Path], reading: Parser) -> None:
        super().__init__()
        self.reading = reading
        self.services = build(Settings(data_dir=fresh(), ingest_workers=0, specialist_wrong_budget=0.2))
        self.principal = self.services.auth.of_key(self.services.auth.ensure_admin_key().read_text().strip())
        self.documents: dict[str, dict[str, str]] = {}
        self.ids: dict[str, str] = {}
        self.written: dict[str, str] = {}
        self.retired: set[int] = set()
        self.values, self.printings = map(str, itertools.count(10_001)), itertools.count()

    def teardown(self) -> None:
        self.services.close()

    # What happens

    @initialize()
    def begin(self) -> None:
        self.upload("a.md", {"lamp": "new", "boat": "new"})

    @rule(path=paths, fates=st.dictionaries(topics, st.sampled_from(["keep", "new"])))
    def upload(self, path: str, fates: dict[str, str]) -> None:
        """The next version: each topic keeps its sentence, gets another, or is left out."""
        old = self.documents.get(path, {})
        new = {t: old[t] if fate == "keep" and t in old else next(self.values) for t, fate in fates.items()}
        # The order changes too, so that evidence that stays stands in another place.
        parts = [f"## About {t}\n\n{TOPICS[t][1].format(value)}\n" for t, value in sorted(new.items(), key=str)[::-1]]
        text = "\n".join([f"# Book\n\nOf {path}{' again' * next(self.printings)}.\n", *parts])
        accepted = self.services.uploads.accept(path, io.BytesIO(text.encode()), "default")
        while work_one(self.services.pipeline, self.services.queue, self.reading):
            pass
        self.documents[path], self.ids[path] = new, accepted.document_id

    @rule(topic=topics)
    def reprint(self, topic: str) -> None:
        """What was just asked is moved, word for word, by what else is in the next version."""
        self._ask(topic)
        for path, said in list(self.documents.items()):
            self.upload(path, dict.fromkeys(said, "keep"))

    @precondition(lambda self: self.documents)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(self.documents)))
        self.services.uploads.delete(self.ids.pop(path))
        del self.documents[path]

    @rule(topic=topics)
    def ask(self, topic: str) -> None:
        """Twice: what the ladder answered out of documents is a memory from then on."""
        first, again = self._ask(topic), self._ask(topic)
        if first.source != Source.NONE:
            assert (again.source, again.answer) == (Source.MEMORY, first.answer)
        elif not self.written.get(topic):
            assert again.source == Source.NONE

    @rule(topic=topics)
    def write(self, topic: str) -> None:
        self.written[topic] = f"Ann says {next(self.values)}."
        pair = Pair(TOPICS[topic][0], self.written[topic], topic)
        self.services.importing.run([pair], by="Ann")
        self.retired.discard(self._found(topic).id)

    @rule(topic=topics, forever=st.booleans())
    def take_out(self, topic: str, forever: bool) -> None:
        memory = self._found(topic)
        if memory is None:
            return
        if forever:
            self.services.curate.delete(memory.id)
        else:
            self.services.curate.set_status(memory.id, MemoryStatus.RETIRED, by="Bob")
        self.retired.add(memory.id)
        if memory.origin == "import":
            del self.written[topic]

    @rule(save=st.booleans())
    def restart(self, save: bool) -> None:
        if save:
            self.services.stop()
        self.services.close()
        self.services = build(self.services.settings)

    # What may be said

    def _ask(self, topic: str) -> Answered:
        answered = self.services.answers.ask(Ask(TOPICS[topic][0]), self.principal)
        if topic in self.written:
            assert (answered.source, answered.answer) == (Source.MEMORY, self.written[topic])
        else:
            self._is_current(answered.answer, answered.citations)
        return answered

    def _found(self, topic: str) -> Remembered | None:
        return self.services.recall.find(TOPICS[topic][0]).hit

    def _is_current(self, answer: str, citations: Sequence[Citation]) -> None:
        now = {value for document in self.documents.values() for value in document.values()}
        assert set(NUMBER.findall(answer)) <= now
        for citation in citations:
            view, text = self.services.documents.text(citation.document_id)
            assert view.version == citation.version
            assert text[citation.start : citation.end] == citation.quote

    @invariant()
    def memory_serves_what_people_wrote_or_what_the_documents_say(self) -> None:
        for topic in TOPICS:
            hit = self._found(topic)
            assert hit is None or hit.id not in self.retired
            if topic in self.written:
                assert hit.answer == self.written[topic]
            elif hit is not None:
                assert hit.origin != "import"
                self._is_current(hit.answer, [Citation(**c) for c in hit.citations])

    @invariant()
    def search_finds_every_live_passage_and_no_other(self) -> None:
        for question, _ in TOPICS.values():
            hits = self.services.search.search(question, 100)
            said = sorted((h.document_id, value) for h in hits for value in NUMBER.findall(h.text))
            assert said == sorted((self.ids[p], value) for p, d in self.documents.items() for value in d.values())

    @invariant()
    def full_text_and_index_hold_the_passages_and_nothing_else(self) -> None:
        passages = sum(len(d) + 1 for d in self.documents.values())
        with self.services.db.read() as session:
            assert session.scalar(sa.text("SELECT count(*) FROM passages_fts")) == passages
        assert self.services.passages.count() == passages


@pytest.mark.timeout(300)
def test_nothing_stale_is_ever_served(tmp_path, monkeypatch) -> None:
    run(Life, tmp_path, monkeypatch, steps=15)
