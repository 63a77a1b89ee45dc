"""Calls to other machines, checked on the address that is really connected to, at every hop.

A check of the URL alone is none: a name may resolve to another address a moment later (DNS rebinding), a redirect may
lead anywhere, and `http://2852039166/`, `http://0251.0376.0251.0376/` and `http://[::ffff:a9fe:a9fe]/` are all the
metadata service of a cloud. So the name is resolved once, where the connection is made, and what is connected to is an
address that was looked at.
"""

import importlib
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import ModuleType
from typing import Any, Literal, TypeVar

import anyio
import httpx

Reach = Literal["public", "local"]
"""public: addresses of the internet only, for what a user or another server names. local: also loopback and private
networks, for what the operator configured. Neither ever reaches link-local addresses or a cloud's metadata service.
"""

_TIMEOUT_S = 10

# Metadata services at addresses that are not link-local: of Amazon (IPv6), Alibaba, Oracle and Azure.
_METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")))
# An IPv4 address within an IPv6 one is where a translator delivers to (RFC 6052, RFC 8215).
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))

Client = TypeVar("Client")


def client(reach: Reach = "public", *, proxied: bool = False, **options: Any) -> httpx.Client:
    """options: as for httpx.Client. proxied: whether the environment's HTTPS_PROXY counts, which then resolves names
    itself and unchecked. Raises httpx.ConnectError for an address beyond reach, redirects included.
    """
    return guard(httpx.Client(**_options(proxied, options)), reach)


def async_client(reach: Reach = "public", *, proxied: bool = False, **options: Any) -> httpx.AsyncClient:
    """As `client`."""
    return guard(httpx.AsyncClient(**_options(proxied, options)), reach)


def transport(reach: Reach = "public") -> httpx.HTTPTransport:
    """For a library that makes its own httpx.Client."""
    made = httpx.HTTPTransport()
    _guard_pool(made._pool, reach)
    return made


def guard(client: Client, reach: Reach) -> Client:
    """The same client of httpx or httpx2 (or of a library that derives from one), which now checks where it connects.

    Connections through a proxy of the environment are left as they are.
    """
    made: Any = client
    _guard_pool(made._transport._pool, reach)
    return client


def permitted(address: str, reach: Reach) -> bool:
    """address: IPv4 or IPv6, as a resolver writes it."""
    ip = _plain(ip_address(address))
    if ip.is_link_local or ip.is_multicast or ip in _METADATA:
        return False
    # 0.0.0.0 is this very machine.
    return ip.is_global or (reach == "local" and (ip.is_private or ip.is_loopback or _shared(ip)))


def _options(proxied: bool, options: dict[str, Any]) -> dict[str, Any]:
    # The context is made here, so that SSL_CERT_FILE counts where the environment's proxies do not.
    return {"timeout": _TIMEOUT_S, "trust_env": proxied, "verify": httpx.create_ssl_context(), **options}


def _guard_pool(pool: Any, reach: Reach) -> None:
    """httpcore takes a network backend only where it makes the pool, which httpx does by itself."""
    core = importlib.import_module(type(pool).__module__.partition(".")[0])
    kind = _AsyncBackend if hasattr(pool, "aclose") else _Backend
    pool._network_backend = kind(pool._network_backend, core, reach)


class _Addresses:
    """backend: the one that connects. core: httpcore, or httpcore2, whose errors httpx and httpx2 know."""

    def __init__(self, backend: Any, core: ModuleType, reach: Reach) -> None:
        self._backend, self._core, self._reach = backend, core, reach

    def _checked(self, host: str, found: Sequence[tuple[Any, ...]]) -> list[str]:
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        kept = [a for a in addresses if permitted(a, self._reach)]
        if not kept:
            raise self._core.ConnectError(f"{host} is at an address that may not be called from here")
        return kept

    def _unresolved(self, host: str, error: Exception) -> Exception:
        failed: Exception = self._core.ConnectError(f"{host} could not be resolved: {error}")
        return failed


class _Backend(_Addresses):
    def connect_tcp(self, host: str, port: int, **options: Any) -> Any:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise self._unresolved(host, error) from error
        *others, last = self._checked(host, found)
        for address in others:
            try:
                return self._backend.connect_tcp(address, port, **options)
            except (self._core.ConnectError, self._core.ConnectTimeout):
                continue
        return self._backend.connect_tcp(last, port, **options)

    def connect_unix_socket(self, path: str, **options: Any) -> Any:
        raise self._core.ConnectError("sockets of this machine may not be called from here")

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _AsyncBackend(_Addresses):
    async def connect_tcp(self, host: str, port: int, **options: Any) -> Any:
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise self._unresolved(host, error) from error
        *others, last = self._checked(host, found)
        for address in others:
            try:
                return await self._backend.connect_tcp(address, port, **options)
            except (self._core.ConnectError, self._core.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(last, port, **options)

    async def connect_unix_socket(self, path: str, **options: Any) -> Any:
        raise self._core.ConnectError("sockets of this machine may not be called from here")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(ip, IPv4Address):
        return ip
    if any(ip in network for network in _NAT64):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


def _shared(ip: IPv4Address | IPv6Address) -> bool:
    """Of a provider's own network, which some VPNs use too (RFC 6598)."""
    return isinstance(ip, IPv4Address) and ip in ip_network("100.64.0.0/10")
