"""A database of before there were people and shelves goes on meaning the same."""

import sqlalchemy as sa
from alembic import command

from zuinig.app.services import build
from zuinig.core.db import _config, schema_differences
from zuinig.core.settings import Settings
from zuinig.core.tables import Conversation, Document, Memory, Shelf
from zuinig.core.types import Reach

OLD = (
    "INSERT INTO collections (id, name, created_at) VALUES (3, 'alpha', '2026-01-01'), (8, 'beta', '2026-01-01')",
    "INSERT INTO documents (id, collection_id, path, filename, title, sha256, created_at, updated_at) VALUES "
    "('doc_a', 3, 'a.md', 'a.md', 'A', 'x', '2026-01-01', '2026-01-01'), "
    "('doc_b', 8, 'b.md', 'b.md', 'B', 'y', '2026-01-01', '2026-01-01')",
    "INSERT INTO document_versions (id, document_id, number, filename, sha256, bytes, live, status, passages_total, "
    "passages_done, attempts, created_at) VALUES (1, 'doc_a', 1, 'a.md', 'x', 1, 1, 'ready', 0, 0, 0, '2026-01-01'), "
    "(2, 'doc_b', 1, 'b.md', 'y', 1, 1, 'ready', 0, 0, 0, '2026-01-01')",
    "INSERT INTO api_keys (id, name, key_hash, scopes, collections, created_at) VALUES "
    "('key_1', 'narrow', 'h', '[\"ask\", \"read\"]', '[8]', '2026-01-01')",
    "INSERT INTO conversations (id, key_id, created_at) VALUES ('conv_1', 'key_1', '2026-01-01')",
    "INSERT INTO memories (id, question, question_key, answer, scope, status, origin, confidence, citations, hits, "
    "vector, embedder, created_at, updated_at) VALUES (1, 'Q?', 'k', 'A.', '8', 'live', 'human', 1, '[]', 0, x'00', "
    "'old', '2026-01-01', '2026-01-01')",
)


def test_what_was_there_stands_on_a_shelf_of_the_collections_number(tmp_path):
    settings = Settings(data_dir=tmp_path, ingest_workers=0)
    command.upgrade(_config(settings.url), "0004")
    engine = sa.create_engine(settings.url)
    with engine.begin() as connection:
        for line in OLD:
            connection.exec_driver_sql(line)
    engine.dispose()
    services = build(settings)
    try:
        assert schema_differences(settings.url) == []
        with services.db.read() as session:
            shelves = {s.id: (s.collection_id, s.main, s.readers) for s in session.scalars(sa.select(Shelf))}
            assert shelves == {3: (3, True, None), 8: (8, True, None)}
            assert {d.id: d.shelf_id for d in session.scalars(sa.select(Document))} == {"doc_a": 3, "doc_b": 8}
            assert session.get(Conversation, "conv_1").owner_id == "key_1"
            assert session.get(Memory, 1).scope == Reach(readable=frozenset([8])).scope
        assert [v.id for v in services.documents.page(limit=9, readable=frozenset([8]))[0]] == ["doc_b"]
        # A number that was used is not given to a shelf again.
        services.grants.set_collection("gamma", readers=[], editors=[])
        with services.db.read() as session:
            assert session.scalar(sa.select(sa.func.max(Shelf.id))) == 9
    finally:
        services.close()
