"""A program: the service at its main job, in a network of its own that has nothing but loopback.

`unshare -rn python tests/offline.py FOLDER` runs it cut off; without `unshare` it watches the service by an audit hook
instead, which sees what Python does, but not what a library does by itself. Exits with 1 and a reason where anything
tried to leave, or an answer was not right.
"""

import fcntl
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

import httpx
from scripted import Scripted
from serving import serving

ROOT = Path(__file__).parents[1]
HOTEL = b"# Travel\n\nEmployees may book hotels up to 143 euros per night in Antwerp.\n"
QUESTION = "What is the maximum hotel price per night in Antwerp?"
FORMATS = ("first-week.docx", "meeting-rooms.xlsx", "handleiding-kestrel-40.pdf", "planned-maintenance-march.eml")
FORMATS += ("it-for-new-colleagues.pptx", "wifi-and-printing.html", "pay-dates-2026.csv")

# Asked to report to LangSmith, as a developer's shell may well be.
TEMPTING = {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "lsv2_pt_tempting"}

HOOK = """
import os, sys
def _watch(event, args):
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event in ("socket.connect", "socket.sendto"):
        host = args[1][0] if isinstance(args[1], tuple) else "localhost"
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if host not in ("localhost", "::1") and not host.startswith("127."):
        with open(os.environ["ZUINIG_TEST_ATTEMPTS"], "a") as file:
            file.write(f"{event} {host}\\n")
sys.addaudithook(_watch)
"""


def cut_off() -> bool:
    """Whether this network has nothing but loopback; brings that up."""
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS
    return True


def sent_nowhere() -> int:
    """Packets of this network that had no way out: an attempt of whatever process, in whatever language."""
    names, counts = (r.split() for r in Path("/proc/net/snmp").read_text().splitlines() if r.startswith("Ip:"))
    six = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return int(dict(zip(names, counts, strict=True))["OutNoRoutes"]) + int(six["Ip6OutNoRoutes"])


def prove_that_it_counts() -> None:
    before = sent_nowhere()
    with socket.socket() as leaving, suppress(OSError):
        leaving.connect(("192.0.2.1", 80))
    assert sent_nowhere() > before, "an attempt to leave is not counted here"


def use(client: httpx.Client, llm: Scripted) -> None:
    """Upload, ask each rung, ask again, search, look."""
    documents = ROOT / "samples" / "documents"
    files = [("files", (name, next(documents.rglob(name)).read_bytes())) for name in FORMATS]
    answer = client.post("/v1/documents", files=[*files, ("files", ("travel.md", HOTEL))])
    assert answer.status_code == 202, answer.text
    for accepted in answer.json()["accepted"]:
        client.get(f"/v1/documents/{accepted['id']}/events")
        found = client.get(f"/v1/documents/{accepted['id']}").json()
        assert found["status"] == "ready", found
    asked = {"question": QUESTION}
    first, again = (client.post("/v1/chat", json=asked).json() for _ in range(2))
    assert "143" in first["answer"], first
    assert again["source"] == "memory", again
    client.post("/v1/chat", json={"question": "Which hotels in Antwerp does the travel team like best, and why?"})
    assert llm.requests, "the language model was never asked"
    assert client.post("/v1/search", json={"query": "hotel Antwerp"}).json()["data"]
    assert client.get("/openapi.json").status_code == 200
    assert client.get("/metrics").status_code == 200


def look(client: httpx.Client, link: str) -> None:
    client.headers.pop("authorization")
    assert client.get(link).status_code == 303
    for page in ("", "documents", "memories", "review", "savings", "feedback", "static/htmx.min.js"):
        assert client.get(f"/portal/{page}").status_code == 200, page


def main(folder: Path) -> None:
    isolated = cut_off()
    if isolated:
        prove_that_it_counts()
    before = sent_nowhere()
    hook, attempts = folder / "hook", folder / "attempts"
    hook.mkdir(parents=True)
    (hook / "sitecustomize.py").write_text(HOOK)
    variables = {**TEMPTING, "PYTHONPATH": f"{hook}:{ROOT}", "ZUINIG_TEST_ATTEMPTS": str(attempts)}
    llm = Scripted("At most 143 euros per night [1].")
    settings = {"llm": "openai:scripted", "llm_base_url": llm.url, "specialist_wrong_budget": 0}
    with serving(folder, variables=variables, **settings) as service:
        use(service.client, llm)
        look(service.client, service.link)
    llm.close()
    assert not attempts.exists(), attempts.read_text()
    assert not isolated or sent_nowhere() == before, "something other than Python tried to leave"
    sys.stdout.write("cut off\n" if isolated else "watched\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
