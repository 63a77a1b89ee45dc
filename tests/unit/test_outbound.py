"""Which addresses are called, over real sockets: each attack here succeeds with a plain httpx.Client."""

import socket
from http.server import BaseHTTPRequestHandler

import anyio
import httpx
import pytest
from scripted import Serving

from zuinig.core import outbound

METADATA = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%lo",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
]
LOCAL = ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "10.0.0.8", "172.16.0.1", "192.168.1.1", "fd12::1"]
LOCAL += ["100.64.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
PUBLIC = ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]


@pytest.mark.parametrize("address", METADATA)
def test_metadata_and_link_local_addresses_are_beyond_every_reach(address):
    assert not outbound.permitted(address, "public")
    assert not outbound.permitted(address, "local")


@pytest.mark.parametrize("address", LOCAL)
def test_private_addresses_are_for_what_the_operator_configured(address):
    assert not outbound.permitted(address, "public")
    assert outbound.permitted(address, "local")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_in_reach(address):
    assert outbound.permitted(address, "public")
    assert outbound.permitted(address, "local")


class Site(Serving):
    """Answers "secret" on loopback, and redirects /to?URL there."""

    def __init__(self):
        self.seen = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.seen.append((self.headers["host"], self.path))
                path, _, url = self.path.partition("?")
                self.send_response(302 if path == "/to" else 200)
                self.send_header("location", url)
                self.send_header("content-length", "6")
                self.end_headers()
                self.wfile.write(b"secret")

        super().__init__(Handler)


@pytest.fixture
def site():
    found = Site()
    yield found
    found.close()


@pytest.fixture(params=["sync", "async"])
def get(request):
    """get(url, reach) over either client, redirects followed."""

    async def later(url, reach):
        async with outbound.async_client(reach, follow_redirects=True) as client:
            return await client.get(url)

    def fetch(url, reach="public"):
        if request.param == "async":
            return anyio.run(later, url, reach)
        with outbound.client(reach, follow_redirects=True) as client:
            return client.get(url)

    return fetch


@pytest.fixture
def names(monkeypatch):
    """names["host"] = the addresses of each resolution in turn, the last one for all that follow."""
    known: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def resolve(host, port, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in known:
            return real(host, port, *args, **kwargs)
        answers = known[name]
        now = answers.pop(0) if len(answers) > 1 else answers[0]
        return [found for a in now for found in real(a, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.fixture
def connected(monkeypatch):
    """Every address that a socket was connected to, and none beyond loopback really is."""
    seen = []
    real = socket.socket.connect

    def connect(self, address):
        seen.append(address[0])
        if not outbound.permitted(address[0], "local") or outbound.permitted(address[0], "public"):
            raise ConnectionRefusedError(111, "not in a test")
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


# What libc's resolver takes for 127.0.0.1 besides, and what a check of the text overlooks.
WRITTEN = ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "0177.1", "localhost", "0.0.0.0"]
WRITTEN += ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]"]


@pytest.mark.parametrize("host", WRITTEN)
def test_loopback_is_refused_however_it_is_written(site, get, host):
    with pytest.raises(httpx.ConnectError, match="may not be called"):
        get(f"http://{host}:{site.port}/")
    assert site.seen == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_operators_own_machine_is_called(site, get, host):
    assert get(f"http://{host}:{site.port}/", "local").text == "secret"


@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "http://2852039166/"])
def test_a_redirect_to_the_metadata_service_is_not_followed(site, get, connected, to):
    with pytest.raises(httpx.ConnectError, match="may not be called"):
        get(f"http://127.0.0.1:{site.port}/to?{to}", "local")
    assert len(site.seen) == 1
    assert set(connected) <= {"127.0.0.1"}


def test_a_name_that_turns_private_once_it_was_looked_at_is_not_called(site, names):
    """DNS rebinding: the first answer is public, the ones after it are not."""
    names["rebind.example"] = [["1.1.1.1"], ["127.0.0.1"]]
    url = f"http://rebind.example:{site.port}/"
    looked_at = socket.getaddrinfo("rebind.example", site.port)[0][4][0]
    assert outbound.permitted(looked_at, "public")
    with outbound.client() as client, pytest.raises(httpx.ConnectError, match="may not be called"):
        client.get(url)
    assert site.seen == []


def test_what_was_looked_at_is_what_is_connected_to(names, connected):
    """Were the name resolved anew to connect, the second answer would count."""
    names["rebind.example"] = [["1.1.1.1"], ["127.0.0.1"]]
    with outbound.client() as client, pytest.raises(httpx.ConnectError):
        client.get("http://rebind.example/")
    assert connected == ["1.1.1.1"]


def test_only_the_permitted_ones_of_several_addresses_are_tried(names, connected):
    names["mixed.example"] = [["127.0.0.1", "1.1.1.1", "169.254.169.254", "8.8.8.8"]]
    with outbound.client() as client, pytest.raises(httpx.ConnectError):
        client.get("http://mixed.example/")
    assert connected == ["1.1.1.1", "8.8.8.8"]


def test_a_name_that_is_not_there_is_a_connect_error(names, get):
    with pytest.raises(httpx.ConnectError, match="could not be resolved"):
        get("http://nowhere.invalid/")


def test_a_proxy_of_the_environment_does_not_get_round_the_check(site, get, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{site.port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{site.port}")
    with pytest.raises(httpx.ConnectError, match="may not be called"):
        get("http://169.254.169.254/latest/meta-data")
    assert site.seen == []


def test_a_transport_checks_too(site):
    with httpx.Client(transport=outbound.transport()) as client, pytest.raises(httpx.ConnectError, match="may not be"):
        client.get(f"http://127.0.0.1:{site.port}/")
    assert site.seen == []
