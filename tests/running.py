"""The real application on a real socket, with a data directory of its own."""

import io
import threading
import time

import httpx
import uvicorn

from zuinig.app.main import create_app
from zuinig.app.server import protocol
from zuinig.app.services import Services, parser
from zuinig.ingestion.pipeline import work_one


class Running:
    """A service that listens. `client` carries the admin key."""

    def __init__(self, services: Services, port: int = 0) -> None:
        self.services = services
        self.app = create_app(services)
        # As `zuinig serve` does: the application has the headers of proxies read itself.
        config = uvicorn.Config(
            self.app,
            host="127.0.0.1",
            port=port,
            http=protocol(services.settings.receive_timeout_s),
            log_config=None,
            lifespan="on",
            proxy_headers=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the service did not start"
            time.sleep(0.02)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.key = services.auth.ensure_admin_key().read_text().strip()
        self.client = httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.key}"}, timeout=60)

    def upload(self, name: str, text: str | bytes, **fields: str) -> str:
        """Upload a file and wait for its end; returns the document's id."""
        data = text.encode() if isinstance(text, str) else text
        answer = self.client.post("/v1/documents", files=[("files", (name, data))], data=fields)
        assert answer.status_code == 202, answer.text
        document = answer.json()["accepted"][0]["id"]
        self.wait(document)
        return document

    def wait(self, document: str) -> dict:
        """The last event of the document's stream."""
        with self.client.stream("GET", f"/v1/documents/{document}/events") as events:
            text = events.read().decode()
        assert text.rstrip().rsplit("event: ", 1)[1].startswith("done"), text
        return self.client.get(f"/v1/documents/{document}").json()

    def ask(self, question: str, **more: object) -> dict:
        answer = self.client.post("/v1/chat", json={"question": question, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stop(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join(20)


def ingest(services: Services, name: str, text: str, collection: str = "default") -> str:
    document = services.uploads.accept(name, io.BytesIO(text.encode()), collection).document_id
    with parser(services.settings) as reading:
        while work_one(services.pipeline, services.queue, reading):
            pass
    return document
