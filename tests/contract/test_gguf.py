"""A model in GGUF on own hardware: made small by the real llama.cpp, chatted with through its real server.

The model is a tiny Llama of random weights, so that what it says means nothing; what counts is that it is said whole,
and counted.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import tiny
from running import Running

from zuinig.app.services import build
from zuinig.core.errors import BadRequest, Unprocessable
from zuinig.core.settings import Settings
from zuinig.quantise import gguf, header, small
from zuinig.quantise.report import Asked

pytestmark = [pytest.mark.llama, pytest.mark.timeout(2400), pytest.mark.usefixtures("llama_cpp")]

HOTEL = "# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"
ASKED = [
    Asked(q, "Answer from the sources.", f"Sources: {HOTEL}\nQuestion: {q}")
    for q in (QUESTION, "Who pays for breakfast?", "How long may I work from abroad?")
]
MOST_TOKENS = 24


def quiet(_: str) -> small.Progress:
    return lambda done, total: None


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_gguf(tmp_path_factory.mktemp("model") / "tiny-f32.gguf")


@pytest.fixture(scope="module")
def made(whole: Path, llama_cpp: object) -> dict[str, small.Small]:
    return {kind: small.make(whole, None, kind, quiet) for kind in ("q8_0", "q4_k_m")}


# Eight bits and a scale of 16 for 32 weights are 8.5 of 32 bits: no Q8_0 is more than 73.4 % smaller.
@pytest.mark.parametrize(("kind", "least", "most"), [("q8_0", 0.72, 0.735), ("q4_k_m", 0.82, 0.86)])
def test_the_small_file_is_as_small_as_its_bits_say_and_stands_beside_the_source(whole, made, kind, least, most):
    found = made[kind]
    assert found.target == whole.with_name(f"tiny-{kind.upper()}.gguf")
    assert (found.bytes_before, found.bytes_after) == (whole.stat().st_size, found.target.stat().st_size)
    assert least < 1 - found.bytes_after / found.bytes_before < most
    assert found.bytes_after <= gguf.bytes_needed(header.read(whole), whole, kind)
    assert header.read(found.target).parameters == header.read(whole).parameters
    assert {p.name for p in whole.parent.iterdir()} == {whole.name, *(m.target.name for m in made.values())}


def test_a_model_agrees_with_itself_wholly_and_with_fewer_bits_less(whole, made):
    itself = small.Small(whole, whole, "q8_0", whole.stat().st_size, whole.stat().st_size)
    same, eight, four = (small.compare(m, ASKED, quiet) for m in (itself, made["q8_0"], made["q4_k_m"]))
    shares, divergences = ([c.agreements[n].value for c in (same, eight, four)] for n in (0, 1))
    assert shares[0] == 1
    assert divergences[0] < 1e-6 < divergences[1] < divergences[2]
    assert shares[1] > 0.9
    assert shares[2] > 0.5
    assert all(speed.before > 0 and speed.after > 0 for c in (same, eight, four) for speed in c.speeds)


def test_answers_are_as_long_as_allowed_and_counted_by_token(whole):
    prompts = [gguf.Prompt(a.system, a.prompt) for a in ASKED]
    found = gguf.answer(whole, prompts, MOST_TOKENS, lambda done, total: None)
    assert [len(a) for a in found.answers] == [MOST_TOKENS] * len(ASKED)
    assert len(found.references) == MOST_TOKENS * len(ASKED)
    # A byte-level vocabulary: the prompt is as long as its text, in the model's own template.
    texts = [f"<s>system: {a.system}\nuser: {a.prompt}\nassistant: " for a in ASKED]
    assert [abs(len(row) - len(text)) <= 4 for row, text in zip(found.prompts, texts, strict=True)] == [True] * 3


def test_a_question_longer_than_the_models_window_is_left_out(whole):
    prompts = [gguf.Prompt("", "x" * tiny.WINDOW), gguf.Prompt("", "Who pays?")]
    assert len(gguf.answer(whole, prompts, 4, lambda done, total: None).answers) == 1
    with pytest.raises(Unprocessable, match=str(tiny.WINDOW)):
        gguf.answer(whole, prompts[:1], 4, lambda done, total: None)


def test_what_is_small_already_is_not_quantised_again(made):
    with pytest.raises(BadRequest, match="already"):
        small.make(made["q8_0"].target, None, "q4_k_m", quiet)


def test_a_file_that_llama_cpp_refuses_gives_its_reason_and_leaves_nothing(whole, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(Unprocessable, match=r"cut\.gguf.*"):
        small.make(cut, None, "q8_0", quiet)
    assert [p.name for p in tmp_path.iterdir()] == ["cut.gguf"]


def test_the_command_tells_size_speed_and_agreement(whole, tmp_path):
    questions = tmp_path / "questions.jsonl"
    questions.write_text("".join(json.dumps({"question": a.question}) + "\n" for a in ASKED))
    command = [sys.executable, "-c", "from zuinig.app.cli import main; main()", "model", "quantise"]
    target = tmp_path / "out" / "small.gguf"
    done = subprocess.run(
        [*command, str(whole), str(target), "--questions", str(questions)],
        env={**os.environ, "ZUINIG_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert target.is_file()
    for told in ("% smaller", "answer tokens/s", "on 3 questions", "same next token", "KL divergence"):
        assert told in done.stdout, done.stdout


# The OpenAI-compatible server


@pytest.fixture(scope="module")
def server(made: dict[str, small.Small], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(made["q4_k_m"].target)]
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(tiny.WINDOW)],
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}/v1"
    try:
        until = time.monotonic() + 120
        while not _answers(f"{url}/models"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def service(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        llm="openai:tiny",
        llm_base_url=server,
        llm_max_output_tokens=MOST_TOKENS,
        llm_price_prompt=1000,
        llm_retries=0,
    )
    running = Running(build(settings))
    running.upload("travel.md", HOTEL)
    yield running
    running.stop()


def test_the_llama_cpp_server_answers_and_its_tokens_are_in_the_ledger(service):
    found = service.ask(QUESTION, memory="skip")
    assert found["source"] == "llm"
    assert found["answer"]
    entry = service.client.get("/v1/ledger", params={"limit": 1}).json()["data"][0]
    assert entry["model"] == "openai:tiny"
    assert entry["prompt_tokens"] > 50
    # A token of this vocabulary is a character, so that this many is all there can be.
    assert 0 < len(found["answer"]) <= MOST_TOKENS
    assert 0 < entry["completion_tokens"] <= MOST_TOKENS
    assert entry["cost"] > 0


def test_the_stream_of_the_llama_cpp_server_ends_as_a_whole_answer(service):
    body = {"question": QUESTION, "stream": True, "memory": "skip"}
    with service.client.stream("POST", "/v1/chat", json=body) as answer:
        blocks = answer.read().decode().strip().split("\n\n")
    names = [block.split("\n")[0].removeprefix("event: ") for block in blocks]
    data = [json.loads(block.split("\n")[1].removeprefix("data: ")) for block in blocks]
    assert names[-1] == "done"
    assert set(names[:-1]) == {"delta"}
    assert "".join(d["text"] for d in data[:-1]).strip()
    assert data[-1]["source"] == "llm"
