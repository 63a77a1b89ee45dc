"""Secrets end nowhere but in their own files: not in logs at debug, the database, errors, or the metrics."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from serving import serving

SECRET = "sk-marked-0123456789abcdef"
LARGE = "sk-marked-large-0123456789"
HOTEL = b"# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"
# Where it belongs: readable by its owner only.
PRIVATE = "admin.key"


@pytest.fixture
def telltale():
    """A language model's server that refuses a key by saying it back, as some do. The keys that it got, and its URL."""
    keys = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            keys.append(self.headers["authorization"])
            body = f'{{"error": {{"message": "Incorrect API key: {self.headers["authorization"]}"}}}}'.encode()
            self.send_response(401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield keys, f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_secret_is_found_nowhere(tmp_path, telltale, form):
    keys, url = telltale
    (tmp_path / "key").write_text(SECRET)
    settings = {"llm": "openai:a", "llm_base_url": url, "llm_large": "openai:b", "llm_large_base_url": url}
    settings |= {"llm_api_key_file": tmp_path / "key", "llm_large_api_key": LARGE, "log_format": form}
    seen = []
    with serving(tmp_path, log_level="debug", specialist_wrong_budget=0, **settings) as service:
        client = service.client
        document = client.post("/v1/documents", files=[("files", ("travel.md", HOTEL))]).json()["accepted"][0]["id"]
        client.get(f"/v1/documents/{document}/events")
        seen.append(client.post("/v1/chat", json={"question": QUESTION}))
        seen.append(client.post("/v1/chat", json={"question": QUESTION, "stream": True}))
        seen.append(client.post("/v1/chat", json={"question": [service.key], service.key: SECRET}))
        seen.append(client.post("/v1/chat", content=f'{{"question": "{service.key}'))
        wrong = f"{service.key}x"
        seen.append(client.get("/v1/documents", headers={"authorization": f"Bearer {wrong}"}))
        seen.append(client.post("/portal/sign-in", data={"key": wrong}, headers={"sec-fetch-site": "same-origin"}))
        signed_in = client.post("/portal/sign-in", data={"key": service.key}, headers={"sec-fetch-site": "same-origin"})
        session = signed_in.cookies["zuinig_session"]
        seen.append(client.get("/portal/", headers={"authorization": ""}))
        used = client.get(service.link)
        assert used.status_code == 303
        seen += [client.get("/metrics"), client.get("/readyz"), client.get("/openapi.json")]
    assert any(SECRET in key for key in keys), "the language model was never asked"
    token = service.link.partition("token=")[2]
    secrets = [SECRET, LARGE, service.key, session]
    said = service.said.read_text()
    for secret in secrets:
        assert secret not in said
        assert not [r.request.url for r in seen if secret in r.text]
    # The sign-in link is meant to be read, once, by who started the service.
    assert said.count(token) == 1
    data = tmp_path / "data"
    for path in (p for p in data.rglob("*") if p.is_file() and p.name != PRIVATE):
        kept = path.read_bytes()
        assert not [s for s in (*secrets, token) if s.encode() in kept], path
    assert oct((data / PRIVATE).stat().st_mode & 0o777) == "0o600"
