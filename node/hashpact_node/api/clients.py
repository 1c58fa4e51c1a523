"""Who counts as one client: whoever may be anybody within a network counts as that network."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final

_IPV6_SITE: Final = 64
_IPV6_ORGANISATION: Final = 48


def client_key(host: str) -> str:
    """Give whose budget a client is on: an IPv4 address, or the /64 in which an IPv6 client can be anyone."""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{int(address) >> (128 - _IPV6_SITE):x}::/64"
    return str(address)


def organisation_key(host: str) -> str | None:
    """Give the /48 of an IPv6 client, which holds 65 536 of what :func:`client_key` tells apart; None for IPv4."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if not isinstance(address, IPv6Address) or address.ipv4_mapped is not None:
        return None
    return f"{int(address) >> (128 - _IPV6_ORGANISATION):x}::/48"
