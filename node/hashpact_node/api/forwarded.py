"""Who asks through a proxy: what a proxy that the operator trusts says, and nobody else."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

Network = IPv4Network | IPv6Network
_FIELD: Final = b"x-forwarded-for"


class Forwarded:
    """Takes the client of a request from ``X-Forwarded-For`` where it comes from a proxy that is trusted.

    Proxies add whoever asked them at the right end, so it is read from there, past those that are trusted; what
    stands further left anybody may have written.
    """

    def __init__(self, app: ASGIApp, proxies: Collection[Network]) -> None:
        self._app = app
        self._proxies = tuple(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        client = scope.get("client")
        if self._proxies and scope["type"] == "http" and client is not None and self._trusts(client[0]):
            said = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == _FIELD)
            scope = {**scope, "client": (self._client(client[0], said), client[1])}
        await self._app(scope, receive, send)

    def _client(self, proxy: str, said: str) -> str:
        """Give the nearest address that is no trusted proxy's; the proxy's own where it names none."""
        nearest = proxy
        for text in reversed(said.split(",")):
            address = _address(text.strip())
            if address is None:
                return nearest
            nearest = str(address)
            if not self._trusts(nearest):
                return nearest
        return nearest

    def _trusts(self, host: str) -> bool:
        address = _address(host)
        return address is not None and any(
            address in network for network in self._proxies if network.version == address.version
        )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
