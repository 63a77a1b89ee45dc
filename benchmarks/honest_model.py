"""A server of a language model that reads what it is sent, knows what answers, and counts every token of its prompts.

It speaks OpenAI's streaming chat protocol. Where an acceptable answer to the question stands in the sources it was
sent, it says the sentence that holds it, with the number of its source; else that they do not answer. No model reads
that well: what is counted as missed or wrong is the doing of what comes before it.
"""

import json
import re
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.stands import stands
from zuinig.app.prompt import NOT_COVERED
from zuinig.core.tokens import Tokens
from zuinig.retrieval import sentences

_PROMPT = re.compile(r"<sources>\n(?P<sources>.*)\n</sources>\nQuestion: (?P<question>.*)", re.DOTALL)
# Plain RAG's passages stand below their number and heading, Zuinig's packed ones on the line of their number.
_PASSAGE = re.compile(r"^\[(\d+)\] .*\n((?:(?!\[\d+\] ).*\n?)*)", re.MULTILINE)
_PACKED = re.compile(r"^\[(\d+)\] (.*)", re.MULTILINE)
_MESSAGE_OVERHEAD = 4  # tokens in which chat formats wrap each message


class HonestModel:
    """answers: by the question as it is put, none where it has none. spent: prompt tokens of all calls so far."""

    def __init__(self, tokens: Tokens, answers: Mapping[str, Sequence[str]]) -> None:
        self._tokens, self._answers = tokens, answers
        self.calls, self.spent = 0, 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, messages: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
        """What it says, and the tokens of the prompt."""
        prompt = sum(self._tokens.count(m["content"]) + _MESSAGE_OVERHEAD for m in messages)
        self.calls, self.spent = self.calls + 1, self.spent + prompt
        return reply(messages[-1]["content"], self._answers), prompt

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                said, prompt = model.take(request["messages"])
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                made = model._tokens.count(said)
                usage = {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}
                for delta, finish in (({"content": said}, None), ({}, "stop")):
                    self._tell({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
                self._tell({"choices": [], "usage": usage})
                self.wfile.write(b"data: [DONE]\n\n")

            def _tell(self, data: dict[str, Any]) -> None:
                chunk = {"id": "honest", "object": "chat.completion.chunk", "created": 0, "model": "honest", **data}
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def reply(message: str, answers: Mapping[str, Sequence[str]]) -> str:
    """To a message as `zuinig.app.prompt.user_message` makes it. Raises KeyError for a question it does not know."""
    asked = _PROMPT.fullmatch(message)
    if asked is None:
        raise ValueError("The prompt has changed; adapt the benchmark's model to it.")
    acceptable = answers[asked["question"]]
    sources = asked["sources"]
    for number, text in (_PASSAGE if sources.startswith("[1] ") else _PACKED).findall(sources):
        whole = text.strip()
        pieces = [whole[a:b] for a, b in sentences.split(whole)]
        # An answer may go over the end of a sentence.
        said = next((p for p in (*pieces, whole) if stands(p, acceptable)), None)
        if said is not None:
            return f"{said} [{number}]"
    return NOT_COVERED
