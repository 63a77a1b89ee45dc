"""Whoever searches while documents change sees one version or the next; what was deleted stays away.

With vectors out of a hash, which take no time, readers and writers meet more often.
"""

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import sqlalchemy as sa
from running import ingest

from zuinig.app.services import Services, build, parser
from zuinig.core.tables import DocumentVersion, Memory, Passage
from zuinig.core.types import DocumentStatus, MemoryStatus
from zuinig.ingestion.parse import ParsedFile
from zuinig.ingestion.pipeline import work_one
from zuinig.memory.remember import NewMemory, remember
from zuinig.retrieval import lexical
from zuinig.retrieval.read import cite
from zuinig.retrieval.sentences import of_hit

EDITIONS, PARTS, READERS = 15, 5, 2
BY_WORDS, BY_VECTOR = "edition", "nothing like it"  # the second shares no word with any document


def edition(number: int) -> str:
    return "# Book\n\n" + "\n\n".join(f"## Part {p}\n\nPart {p} of edition {number}." for p in range(PARTS))


def believe(services: Services, question: str, answer: str, document: str) -> None:
    """A memory that rests on the document as it is now."""
    hits = [h for h in services.search.search(BY_WORDS, 50) if h.document_id == document]
    with services.db.write() as session:
        new = NewMemory(
            question=question,
            answer=answer,
            scope="",
            origin="llm",
            confidence=1.0,
            citations=[cite(s) for h in hits for s in of_hit(h)],
            baseline_tokens=1,
            created_by="test",
            vector=services.embedder.embed([question]),
            embedder=services.embedder.id,
            since=services.passages.generation,
        )
        assert remember(session, new) is not None


@contextmanager
def readers(*look: Callable[[], None]) -> Iterator[None]:
    """Each looks again and again in threads of its own while the block runs, and once more after it."""
    over = threading.Event()

    def until_over(once: Callable[[], None]) -> None:
        last = False
        while not last:
            last = over.is_set()
            once()

    with ThreadPoolExecutor(READERS * len(look)) as pool:
        running: list[Future[None]] = [pool.submit(until_over, once) for once in look for _ in range(READERS)]
        try:
            yield
        finally:
            over.set()
        for each in running:
            each.result()


def test_each_search_sees_exactly_one_version_while_versions_are_swapped(quick):
    swapped = begun = 0

    def hits_are_of_one_version(query: str) -> None:
        least = swapped
        hits = quick.search.search(query, 50)
        assert len({h.version for h in hits}) == 1
        assert len(hits) == PARTS
        assert least <= hits[0].version <= begun
        assert all(f"edition {h.version}." in h.text for h in hits)

    def full_text_is_of_the_version_in_the_rows() -> None:
        with quick.db.read() as session:
            found = set(lexical.search(session, BY_WORDS, 50, None))
            live = session.scalars(
                sa.select(Passage.id).join(DocumentVersion, DocumentVersion.id == Passage.version_id)
            ).all()
        assert found == set(live)
        assert len(found) == PARTS

    def a_memory_is_of_no_version_before() -> None:
        least = swapped
        hit = quick.recall.find("Which one is it?").hit
        assert hit is None or int(hit.answer) >= least

    def swap(number: int) -> None:
        nonlocal swapped, begun
        begun = number
        quick.uploads.accept("book.md", io.BytesIO(edition(number).encode()), "default")
        assert work_one(quick.pipeline, quick.queue, reading)
        swapped = number
        believe(quick, "Which one is it?", str(number), document)

    document = ingest(quick, "book.md", edition(1))
    swapped = begun = 1
    with (
        parser(quick.settings) as reading,
        readers(
            lambda: hits_are_of_one_version(BY_WORDS),
            lambda: hits_are_of_one_version(BY_VECTOR),
            full_text_is_of_the_version_in_the_rows,
            a_memory_is_of_no_version_before,
        ),
    ):
        for number in range(2, EDITIONS + 1):
            swap(number)
    assert quick.recall.find("Which one is it?").hit.answer == str(EDITIONS)
    assert (quick.passages.count(), quick.memories.count()) == (PARTS, 1)


def test_what_was_deleted_comes_back_from_nowhere(quick):
    documents = [ingest(quick, f"{n}.md", f"# Note {n}\n\nThe edition of note {n}.\n") for n in range(6)]
    for n, document in enumerate(documents):
        believe(quick, f"What is note {n}?", f"Note {n}.", document)
    gone: list[str] = []

    def no_hit_is_gone(query: str) -> None:
        before = set(gone)
        assert not before & {h.document_id for h in quick.search.search(query, 50)}

    def no_memory_is_gone() -> None:
        before = len(gone)
        found = quick.recall.lookup([f"What is note {n}?" for n in range(before)])
        assert [f.hit for f in found] == [None] * before

    with readers(lambda: no_hit_is_gone(BY_WORDS), lambda: no_hit_is_gone(BY_VECTOR), no_memory_is_gone):
        for document in documents:
            quick.uploads.delete(document)
            gone.append(document)
    again = build(quick.settings)
    assert (again.passages.count(), again.memories.count()) == (0, 0)
    assert again.search.search(BY_WORDS, 50) == again.search.search(BY_VECTOR, 50) == []
    with again.db.read() as session:
        assert set(session.scalars(sa.select(Memory.status))) == {MemoryStatus.STALE}
        assert session.scalar(sa.text("SELECT count(*) FROM passages_fts")) == 0
    again.close()


class Interrupted:
    """A parser that lets something happen while it reads."""

    def __init__(self, real, meanwhile: Callable[[], object]) -> None:
        self._real, self._meanwhile = real, meanwhile

    def parse(self, *arguments, **more) -> ParsedFile:
        found = self._real.parse(*arguments, **more)
        self._meanwhile()
        return found


def test_a_document_deleted_while_it_is_read_does_not_come_back(quick):
    document = quick.uploads.accept("book.md", io.BytesIO(edition(1).encode()), "default").document_id
    with parser(quick.settings) as real:
        assert work_one(quick.pipeline, quick.queue, Interrupted(real, lambda: quick.uploads.delete(document)))
    assert quick.search.search(BY_WORDS, 50) == []
    with quick.db.read() as session:
        assert session.scalars(sa.select(DocumentVersion)).all() == []
    assert [p for p in quick.settings.files_dir.rglob("*") if p.is_file()] == []


def test_a_version_replaced_while_it_is_read_never_answers(quick):
    def replace() -> None:
        quick.uploads.accept("book.md", io.BytesIO(edition(2).encode()), "default")

    quick.uploads.accept("book.md", io.BytesIO(edition(1).encode()), "default")
    with parser(quick.settings) as real:
        work_one(quick.pipeline, quick.queue, Interrupted(real, replace))
        assert quick.search.search(BY_WORDS, 50) == []
        work_one(quick.pipeline, quick.queue, real)
    assert {h.version for h in quick.search.search(BY_WORDS, 50)} == {2}
    with quick.db.read() as session:
        statuses = session.scalars(sa.select(DocumentVersion.status).order_by(DocumentVersion.number)).all()
    assert statuses == [DocumentStatus.CANCELLED, DocumentStatus.READY]
