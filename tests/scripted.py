"""Servers that answer what a test scripts, of language models above all."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Serving:
    """A server on a port of its own that answers as the handler says."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], *, host: str = "127.0.0.1", path: str = "") -> None:
        class Quiet(handler):
            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer((host, 0), Quiet)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}{path}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Scripted(Serving):
    """Speaks OpenAI's streaming chat protocol. script: what each request gets; the last one for all that follow.

    A model named in models has a script of its own. A step is a status, a text, a text with its finish reason, or a
    function that returns one of these when it is time to answer.
    """

    def __init__(self, *script, **models):
        self.script, self.requests = {"": list(script), **{m: list(s) for m, s in models.items()}}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.requests.append(request)
                script = outer.script.get(request["model"], outer.script[""])
                step = script.pop(0) if len(script) > 1 else script[0]
                if callable(step):
                    step = step()
                if isinstance(step, int):
                    self.send_response(step)
                    self.end_headers()
                    self.wfile.write(b'{"error": {"message": "scripted"}}')
                    return
                text, finish = step if isinstance(step, tuple) else (step, "stop")
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                for delta, reason in [({"content": w + " "}, None) for w in text.split()] + [({}, finish)]:
                    self.chunk({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
                self.chunk({"choices": [], "usage": {"prompt_tokens": 90, "completion_tokens": 9, "total_tokens": 99}})
                self.wfile.write(b"data: [DONE]\n\n")

            def chunk(self, data):
                whole = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", **data}
                self.wfile.write(f"data: {json.dumps(whole)}\n\n".encode())

        super().__init__(Handler, path="/v1")

    def asked(self) -> list[str]:
        """The models, in the order in which they were asked."""
        return [request["model"] for request in self.requests]
