"""Memories with evidence, as a language model's answers leave them, in a service of the tests."""

import numpy as np
import sqlalchemy as sa
from running import ingest

from zuinig.app.services import Services
from zuinig.core.tables import Document, DocumentVersion, Passage
from zuinig.core.types import Citation
from zuinig.memory.remember import NewMemory, remember

THINGS = (
    "lamp boat soup chair bridge clock kettle ladder mirror piano saddle tunnel wagon violin anchor basket candle "
    "drum engine fiddle garden hammer island jacket lantern magnet needle orchard pencil quilt rocket shovel teapot "
    "umbrella valley window barrel castle dagger easel"
).split()


def question(n: int, thing: str) -> str:
    return f"What does the {thing} of shelf {n} weigh?"


def sentence(n: int, thing: str) -> str:
    return f"The {thing} of shelf {n} has a weight of {n + 100} grams."


def fill(services: Services, count: int) -> list[str]:
    """A document of facts, and as many questions that were answered from it; returns the questions."""
    facts = [(n, THINGS[n % len(THINGS)]) for n in range(count)]
    ingest(services, "shelves.md", "# Shelves\n\n" + "\n\n".join(sentence(*f) for f in facts))
    for fact in facts:
        learn(services, question(*fact), sentence(*fact))
    return [question(*f) for f in facts]


def learn(services: Services, asked: str, quote: str, *, origin: str = "llm") -> int:
    with services.db.write() as session:
        passage, version, document = session.execute(
            sa.select(Passage, DocumentVersion, Document)
            .join(DocumentVersion, DocumentVersion.id == Passage.version_id)
            .join(Document, Document.id == DocumentVersion.document_id)
            .where(Passage.text.contains(quote))
            .limit(1)
        ).one()
        start = passage.start + passage.text.index(quote)
        citation = Citation(
            document.id, version.id, document.title, version.number, None, start, start + len(quote), quote,
            passage.id, passage.content_hash,
        )  # fmt: skip
        made = remember(
            session,
            NewMemory(
                question=asked,
                answer=f"{quote} [1]",
                scope="",
                origin=origin,
                confidence=0.9,
                citations=[citation],
                baseline_tokens=500,
                created_by="test",
                vector=np.ascontiguousarray(services.embedder.embed([asked])),
                embedder=services.embedder.id,
                since=services.search.seen(),
            ),
        )
    assert made is not None
    return made
