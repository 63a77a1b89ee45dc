"""Making models small, without llama.cpp: what is refused, how agreement is measured, and ONNX for real."""

import json
import shutil
import struct

import numpy as np
import onnx
import pytest
import tiny
from scipy.special import log_softmax, rel_entr
from scipy.stats import spearmanr

from zuinig.core.errors import BadRequest, Conflict, Unprocessable
from zuinig.quantise import agreement, header, small, texts
from zuinig.quantise.agreement import Reference
from zuinig.quantise.report import Asked
from zuinig.retrieval import embed

QUESTIONS = [
    "How do I reset my password?",
    "What may a hotel in Ghent cost?",
    "Who approves a day off?",
    "Where do I park my car?",
    "How long may I work from abroad?",
    "What does a lost badge cost?",
    "When is the office closed?",
    "Who pays for breakfast?",
    "How do I book a meeting room?",
    "May I bring a dog to work?",
    "What is the code of the alarm?",
    "How do I claim travel costs?",
]
ASKED = [Asked(q, "", q, (f"It is said about that: {q[::-1]}",)) for q in QUESTIONS]


def quiet(_: str) -> small.Progress:
    return lambda done, total: None


@pytest.fixture
def folder(tmp_path):
    def make(*, pairs: bool = False):
        made = tmp_path / "mine-fp32"
        made.mkdir()
        tiny.write_onnx(made / "model.onnx", pairs=pairs)
        shutil.copy(embed.MODELS / "all-MiniLM-L6-v2-int8" / "tokenizer.json", made)
        config = {"id": "mine-fp32", "dimension": tiny.WIDTH, "max_tokens": 128}
        (made / "config.json").write_text(json.dumps(config))
        return made

    return make


# The head of a GGUF


def test_the_head_tells_parameters_types_and_metadata(tmp_path):
    found = header.read(tiny.write_gguf(tmp_path / "tiny.gguf"))
    assert found.plain
    assert found.shards == 1
    assert found.metadata["general.architecture"] == "llama"
    assert found.metadata["llama.context_length"] == tiny.WINDOW
    assert found.parameters * 4 < (tmp_path / "tiny.gguf").stat().st_size < found.parameters * 4 + 40_000


@pytest.mark.parametrize("length", [4, 20, 300, 3000])
def test_a_head_that_is_cut_off_is_told(tmp_path, length):
    whole = tiny.write_gguf(tmp_path / "tiny.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:length])
    with pytest.raises(BadRequest, match="damaged, or cut off"):
        header.read(tmp_path / "cut.gguf")


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("<4sIQQ", b"GGUF", 1, 0, 0),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q", 1 << 60),
        struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 1) + b"k" + struct.pack("<I", 99),
        struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 4, 1 << 61),
    ],
    ids=["version", "length", "type", "list"],
)
def test_a_damaged_head_asks_for_no_memory(tmp_path, body):
    (tmp_path / "bad.gguf").write_bytes(body)
    with pytest.raises(BadRequest, match=r"bad\.gguf is damaged"):
        header.read(tmp_path / "bad.gguf")


def test_one_part_of_a_model_in_several_files_is_refused(tmp_path):
    key = b"split.count"
    body = struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, len(key)) + key + struct.pack("<IH", 2, 3)
    (tmp_path / "model-00001-of-00003.gguf").write_bytes(body)
    with pytest.raises(BadRequest, match="one of 3 files"):
        small.make(tmp_path / "model-00001-of-00003.gguf", None, None, quiet)


# Agreement


def test_divergence_is_exact_where_the_whole_vocabulary_is_kept():
    random = np.random.default_rng(1)
    large, little = (random.standard_normal(1000).astype(np.float32) * 3 for _ in range(2))
    step = Reference.of(large).beside(little)
    p, q = (np.exp(log_softmax(x.astype(np.float64))) for x in (large, little))
    assert step.divergence == pytest.approx(rel_entr(p, q).sum(), rel=1e-4)
    assert step.same == (large.argmax() == little.argmax())


def test_divergence_over_a_large_vocabulary_is_a_little_too_small_at_most():
    random = np.random.default_rng(2)
    large = random.standard_normal(50_000).astype(np.float32) * 4
    little = large + random.standard_normal(50_000).astype(np.float32) * 0.3
    found = Reference.of(large).beside(little).divergence
    p, q = (np.exp(log_softmax(x.astype(np.float64))) for x in (large, little))
    assert 0.9 < found / rel_entr(p, q).sum() <= 1
    assert Reference.of(large).beside(large).divergence < 1e-6


def test_rank_correlation_is_spearmans_with_ties():
    random = np.random.default_rng(3)
    a, b = random.integers(0, 9, 200).astype(float), random.standard_normal(200)
    assert agreement.rank_correlation(a, a + b) == pytest.approx(spearmanr(a, a + b).statistic)
    assert agreement.rank_correlation(a, np.ones(200)) == 0


def test_neighbours_kept_counts_the_nearest_others():
    rows = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    assert agreement.neighbours_kept(rows, rows, 1) == 1
    assert agreement.neighbours_kept(rows, rows[[0, 2, 1, 3]], 1) == 0


# ONNX


def test_an_embedder_becomes_a_folder_that_the_service_can_load(folder):
    source = folder()
    made = small.make(source, None, None, quiet)
    assert made.target == source.with_name("mine-int8") / "model.onnx"
    assert 0.7 < 1 - made.bytes_after / made.bytes_before < 0.8
    assert sorted(p.name for p in made.target.parent.iterdir()) == ["config.json", "model.onnx", "tokenizer.json"]
    plain, little = embed.OnnxEmbedder(source), embed.load(str(made.target.parent))
    assert (plain.id, little.id) == ("mine-fp32", "mine-int8")
    assert agreement.mean_cosine(plain.embed(QUESTIONS), little.embed(QUESTIONS)) > 0.99


def test_vectors_of_the_questions_are_compared_with_their_nearest(folder):
    compared = small.compare(small.make(folder(), None, None, quiet), ASKED, quiet)
    cosine, nearest = compared.agreements
    assert (cosine.of, nearest.of) == (len(QUESTIONS), len(QUESTIONS))
    assert 0.99 < cosine.value < 1
    assert nearest.share
    assert nearest.value > 0.9
    assert compared.speeds[0].before > 0


def test_scores_of_pairs_are_compared_by_rank(folder):
    compared = small.compare(small.make(folder(pairs=True), None, None, quiet), ASKED, quiet)
    [rank] = compared.agreements
    assert rank.what == "logit: rank correlation"
    assert rank.of == 4 * len(QUESTIONS)
    assert 0.98 < rank.value < 1


def test_a_single_file_is_made_small_and_needs_a_tokenizer_to_be_compared(tmp_path):
    tiny.write_onnx(tmp_path / "mine.onnx")
    made = small.make(tmp_path / "mine.onnx", None, None, quiet)
    assert made.target == tmp_path / "mine-int8.onnx"
    with pytest.raises(Unprocessable, match=r"tokenizer\.json"):
        small.compare(made, ASKED, quiet)


def test_a_model_that_reads_something_else_cannot_be_compared(folder):
    source = folder() / "model.onnx"
    model = onnx.load(source)
    model.graph.input[1].name = "pixels"
    onnx.save(model, source)
    with pytest.raises(Unprocessable, match="pixels"):
        texts.Model(source, source.with_name("tokenizer.json"))


# What is refused


def test_what_is_small_already_is_refused(folder):
    made = small.make(folder(), None, None, quiet)
    with pytest.raises(BadRequest, match="already"):
        small.make(made.target, None, None, quiet)
    with pytest.raises(BadRequest, match="already"):
        small.make(embed.MODELS / "all-MiniLM-L6-v2-int8", made.target.parent / "again", None, quiet)


@pytest.mark.parametrize("content", [b"", b"hello, I am no model\n", b"PK\x03\x04" + bytes(200)])
def test_a_file_that_is_neither_is_refused(tmp_path, content):
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(BadRequest, match="neither GGUF nor ONNX"):
        small.make(tmp_path / "x.bin", None, None, quiet)
    assert [p.name for p in tmp_path.iterdir()] == ["x.bin"]


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(BadRequest, match=r"model\.onnx"):
        small.make(tmp_path, None, None, quiet)


@pytest.mark.parametrize(("name", "kind"), [("tiny.gguf", "int8"), ("mine.onnx", "q8_0")])
def test_a_kind_of_the_other_format_is_refused(tmp_path, name, kind):
    write = tiny.write_gguf if name.endswith("gguf") else tiny.write_onnx
    write(tmp_path / name)
    with pytest.raises(BadRequest, match="the kind can be"):
        small.make(tmp_path / name, None, kind, quiet)


def test_what_is_there_is_kept_unless_it_is_to_be_replaced(tmp_path):
    source, target = tmp_path / "mine.onnx", tmp_path / "small.onnx"
    tiny.write_onnx(source)
    target.write_text("mine")
    with pytest.raises(Conflict, match="--force"):
        small.make(source, target, None, quiet)
    assert target.read_text() == "mine"
    assert small.make(source, target, None, quiet, force=True).bytes_after == target.stat().st_size > 1000
    with pytest.raises(Conflict, match="itself"):
        small.make(source, source, None, quiet, force=True)


def test_a_target_that_does_not_fit_is_refused_before_work_begins(tmp_path, monkeypatch):
    tiny.write_onnx(tmp_path / "mine.onnx")
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(Unprocessable, match="make room"):
        small.make(tmp_path / "mine.onnx", None, None, quiet)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.onnx"]


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    source, target = tmp_path / "mine.onnx", tmp_path / "small.onnx"
    tiny.write_onnx(source)
    target.write_text("mine")

    def fails(_, part):
        part.write_text("half")
        raise OSError("the disk is gone")

    monkeypatch.setattr(small.onnx, "quantise", fails)
    with pytest.raises(OSError, match="gone"):
        small.make(source, target, None, quiet, force=True)
    assert target.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.onnx", "small.onnx"]
