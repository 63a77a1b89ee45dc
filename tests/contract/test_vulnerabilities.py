"""The audit of dependencies, by the real pip-audit, against a service that speaks OSV's protocol."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from scripted import Serving

SCRIPT = Path(__file__).parents[2] / "scripts" / "_audit.py"
FLAW = {
    "id": "GHSA-made-up0-0001",
    "summary": "A flaw.",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999.1"}]}],
        }
    ],
}

if not os.environ.get("CI"):
    pytest.importorskip("pip_audit", reason="pip-audit comes with scripts/check")


class Advisories(Serving):
    """known: what it says of a package, by its name; None for a service that is out of order."""

    def __init__(self, known: dict[str, dict] | None):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["package"]["name"]
                found = {"vulns": [known[asked]]} if asked in (known or {}) else {}
                body = json.dumps(found).encode()
                self.send_response(200 if known is not None else 503)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(Handler)


def audit(service: Advisories) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": f"{service.url}/v1/query"}
    done = subprocess.run([sys.executable, SCRIPT], env=env, capture_output=True, text=True, check=False)
    service.close()
    return done


def test_a_vulnerability_that_is_known_fails_the_check_and_is_named():
    done = audit(Advisories({"jinja2": FLAW}))
    assert done.returncode == 1, done.stderr
    assert "jinja2" in done.stdout and "GHSA-made-up0-0001, mended in 999.1" in done.stdout


def test_none_that_is_known_passes_and_says_of_how_many():
    done = audit(Advisories({}))
    assert (done.returncode, done.stderr) == (0, "")
    assert "no known vulnerability in" in done.stdout


def test_a_service_that_cannot_be_asked_is_told_loudly_and_fails_nothing():
    done = audit(Advisories(None))
    assert done.returncode == 0
    assert "NOT audited" in done.stderr and "no known vulnerability" not in done.stdout
