"""Whatever the OpenAPI schema allows, and much that it does not, is answered as declared, and never crashes."""

import os

import pytest
import schemathesis
from fakes import FakeEmbedder
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from running import Running
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from zuinig.app.services import build
from zuinig.core.settings import Settings
from zuinig.retrieval import embed

EXAMPLES = int(os.environ.get("ZUINIG_TEST_EXAMPLES", "3"))
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """With vectors that take no time; files wait, since nobody reads them here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "load", lambda *_, **__: FakeEmbedder())
        built = build(Settings(data_dir=tmp_path_factory.mktemp("data"), ingest_workers=0))
    running = Running(built)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def schema(service):
    return schemathesis.openapi.from_dict(service.client.get("/openapi.json").json())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_nothing_that_a_client_sends_crashes_the_service(service, schema, mode):
    headers = {"authorization": f"Bearer {service.key}"}
    tried = []
    for found in schema.get_all_operations():
        operation = found.ok()
        # Their events end when a file was read, and nobody reads one here.
        if operation.path.endswith("/events"):
            continue

        @seed(1)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case):
            case.call_and_validate(base_url=service.url, headers=headers, checks=CHECKS, timeout=60)

        try:
            send()
        except Unsatisfiable:  # it takes nothing that could be wrong
            assert mode is GenerationMode.NEGATIVE
            continue
        tried.append(operation.label)
    assert len(tried) > (30 if mode is GenerationMode.POSITIVE else 15)
    assert service.client.get("/readyz").status_code == 200


BODY = (
    b'--b\r\nContent-Disposition: form-data; name="collection"\r\n\r\ndefault\r\n'
    b'--b\r\nContent-Disposition: form-data; name="paths"\r\n\r\na/b.md\r\n'
    b'--b\r\nContent-Disposition: form-data; name="files"; filename="b.md"\r\nContent-Type: text/markdown\r\n\r\n'
    b"# Hello\r\n--b--\r\n"
)
PIECES = [
    b"--b",
    b"--b--",
    b"\r\n",
    b"\n",
    b"\0",
    b'"',
    b"\xff\xfe",
    b"; filename*=UTF-8''%ff%00",
    b"x" * 9000,
    b": ",
    b"",
]
edits = st.lists(
    st.tuples(st.integers(0, len(BODY)), st.integers(0, 60), st.sampled_from(PIECES) | st.binary(max_size=30)),
    max_size=4,
)
boundaries = st.sampled_from(["b", '"b"', "", "bb", "b; charset=utf-16", "\x7f", "-" * 300])


@seed(1)
@settings(max_examples=60, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    edits=edits,
    boundary=boundaries,
    path=st.sampled_from(["/v1/documents", "/v1/files", "/portal/memories/import", "/portal/sign-in"]),
)
def test_no_multipart_body_crashes_the_service(service, edits, boundary, path):
    body = BODY
    for at, length, piece in edits:
        body = body[:at] + piece + body[at + length :]
    headers = {"content-type": f"multipart/form-data; boundary={boundary}", "sec-fetch-site": "same-origin"}
    answer = service.client.post(path, content=body, headers=headers)
    assert answer.status_code < 500, answer.text
    assert service.client.get("/healthz").status_code == 200
