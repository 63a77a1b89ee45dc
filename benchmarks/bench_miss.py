"""A question to its packed context over HTTP, without a language model, over many passages of made-up text."""

import argparse
import random
import time

from benchmarks.served import fire, served

_WORDS = "travel leave badge laptop invoice contract manager office parking network printer salary".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=100)
    args = parser.parse_args()
    chance = random.Random(1)
    with served() as service:
        ids = []
        begun = time.perf_counter()
        for document in range(args.passages // 100):
            parts = [
                f"## Part {n}\n\nThe {chance.choice(_WORDS)} rule {document}-{n} says that the {chance.choice(_WORDS)} "
                f"of the {chance.choice(_WORDS)} costs {chance.randint(1, 999)} euros. Ask desk {n}."
                for n in range(100)
            ]
            files = [("files", (f"{document}.md", f"# Book {document}\n\n" + "\n\n".join(parts)))]
            ids.append(service.client.post("/v1/documents", files=files).json()["accepted"][0]["id"])
        while ids:
            if service.client.get(f"/v1/documents/{ids[-1]}").json()["status"] == "ready":
                ids.pop()
            else:
                time.sleep(0.2)
        print(f"ingested {args.passages / (time.perf_counter() - begun):.0f} passages/s")

        def send(n: int) -> float:
            question = f"What does the {_WORDS[n % 12]} rule {n % 90}-{n % 70} say about the {_WORDS[n % 7]}?"
            begun = time.perf_counter()
            service.client.post("/v1/context", json={"question": question}).raise_for_status()
            return time.perf_counter() - begun

        fire(send, 5, 1)
        print(f"miss to packed context over {args.passages} passages, {fire(send, args.requests, 1)}")
        print(f"loaded: {service.memory_mb():.0f} MB resident")


if __name__ == "__main__":
    main()
