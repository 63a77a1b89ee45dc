"""A memory hit over HTTP, with many memories stored; and a question that only vectors could find, turned down."""

import argparse
import json
import time

from benchmarks.served import Served, fire, served
from zuinig.retrieval import embed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=50_000)
    parser.add_argument("--requests", type=int, default=600)
    args = parser.parse_args()
    with served() as service:
        print(f"idle: {service.memory_mb():.0f} MB resident")
        lines = "\n".join(
            json.dumps({"id": str(n), "question": f"What is the extension of desk number {n}?", "answer": f"Dial {n}."})
            for n in range(args.memories)
        )
        begun = time.perf_counter()
        headers = {"content-type": "application/x-ndjson"}
        service.client.post("/v1/memories/import", content=lines, headers=headers).raise_for_status()
        print(f"import: {args.memories / (time.perf_counter() - begun):.0f} memories/s")
        for name, form in (
            ("hit, same words", "what is the extension of desk number {}"),
            ("no hit (embedder and index)", "who sits at desk number {} in the other building?"),
        ):
            _ask(service, form, 20, 1, args.memories)
            for clients in (1, 16):
                print(f"{name}, {_ask(service, form, args.requests, clients, args.memories)}")
        print(f"loaded: {service.memory_mb():.0f} MB resident")
    embedder = embed.load("all-MiniLM-L6-v2-int8")
    took = []
    for n in range(200):
        begun = time.perf_counter()
        embedder.embed([f"please, what is an extension of the desk number {n}?"])
        took.append(time.perf_counter() - begun)
    print(f"of which the embedder: p50 {sorted(took)[100] * 1000:.1f} ms")


def _ask(service: Served, form: str, count: int, clients: int, memories: int) -> str:
    def send(n: int) -> float:
        question = form.format(n * 7919 % memories)
        begun = time.perf_counter()
        answer = service.client.post("/v1/chat", json={"question": question, "memory": "only"}).json()
        seconds = time.perf_counter() - begun
        assert answer["source"] in ("memory", "none"), answer
        return seconds

    return fire(send, count, clients)


if __name__ == "__main__":
    main()
