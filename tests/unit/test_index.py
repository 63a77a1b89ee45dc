"""Invariant 1: an index is a copy that can be rebuilt, and a damaged file is set aside."""

import json

import pytest
from running import ingest

from zuinig.app.services import build
from zuinig.core.types import Codec

TEXT = "# Doc {0}\n\nThe serial number of projector {0} is PX-{0}.\n"


@pytest.fixture
def saved(services):
    for n in range(3):
        ingest(services, f"{n}.md", TEXT.format(n))
    services.search.search("projector", 3)
    services.passages.save()
    return services


def found(services) -> list[str]:
    return sorted(h.filename for h in services.search.search("serial number of the projector", 5))


def damage_byte(folder):
    file = next(folder.glob("passages-*.index"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def truncate(folder):
    file = next(folder.glob("passages-*.index"))
    file.write_bytes(file.read_bytes()[:50])


def remove(folder):
    next(folder.glob("passages-*.index")).unlink()


def break_stamp(folder):
    (folder / "passages.json").write_text("{")


@pytest.mark.parametrize("harm", [damage_byte, truncate, remove, break_stamp])
def test_a_damaged_snapshot_is_set_aside_and_rebuilt(saved, harm):
    folder = saved.settings.index_dir
    harm(folder)
    again = build(saved.settings)
    assert found(again) == ["0.md", "1.md", "2.md"]
    assert list(folder.glob("damaged-passages-*/*"))
    assert json.loads((folder / "passages.json").read_text())["count"] == 3
    again.close()


def test_a_snapshot_newer_than_the_database_is_not_trusted(saved):
    stamp = saved.settings.index_dir / "passages.json"
    stamp.write_text(json.dumps({**json.loads(stamp.read_text()), "generation": 10_000}))
    again = build(saved.settings)
    assert again.passages.generation < 10_000
    assert found(again) == ["0.md", "1.md", "2.md"]
    again.close()


def test_another_process_sees_what_this_one_changed(saved):
    other = build(saved.settings)
    document = ingest(saved, "3.md", TEXT.format(3))
    assert "3.md" in found(other)
    saved.uploads.delete(document)
    assert "3.md" not in found(other)
    other.close()


def test_the_other_store_finds_the_same(saved):
    other = build(saved.settings.model_copy(update={"vector_store": "exact", "vector_codec": Codec.FLOAT32}))
    assert found(other) == found(saved)
    other.close()


def test_unchanged_passages_keep_their_vectors(services, monkeypatch):
    parts = [f"## Part {n}\n\nSentence number {n} of the document.\n" for n in range(5)]
    ingest(services, "d.md", "# D\n\n" + "\n".join(parts))
    embedded = []
    real = type(services.embedder).embed
    monkeypatch.setattr(type(services.embedder), "embed", lambda s, texts: embedded.extend(texts) or real(s, texts))
    parts[2] = "## Part 2\n\nSomething else.\n"
    document = ingest(services, "d.md", "# D\n\n" + "\n".join(parts))
    assert len(embedded) == 1
    assert services.documents.get(document).version == 2
