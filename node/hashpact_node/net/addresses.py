"""Which addresses this node connects to (docs/protocol.md, Names; docs/operations.md, Network).

A peer's URL is ``https://``, or ``http://`` on loopback. An address is spelled in one way only, so that what was
checked is what is connected to: no user, no query, no fragment, no zone, no number that merely means an address.
Names are resolved once for each connection, every address of the answer is checked, and the connection goes to one
of them; addresses that are not public are refused unless the operator allowed their network.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue
from urllib.parse import unquote

from hashpact_node.masking import without_passwords
from hashpact_protocol.errors import FetchError, FetchRefusedError, FetchTimeoutError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]

_ORIGIN = r"(?P<scheme>https?)://(?P<authority>[^/?#\\\s]+)"
_URL = re.compile(_ORIGIN + "(?P<path>/[A-Za-z0-9._~/-]*)", re.ASCII)
_ESCAPED_URL = re.compile(_ORIGIN + "(?P<path>/(?:[A-Za-z0-9._~/-]|%[0-9A-Fa-f]{2})*)", re.ASCII)
_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PORT_MAX = 65_535

# IPv6 addresses that carry an IPv4 address inside, and would reach it on some networks:
# mapped and compatible (RFC 4291), NAT64 (RFC 6052, RFC 8215), Teredo (RFC 4380), 6to4 (RFC 3056).
_CARRIERS = tuple(
    ip_network(text) for text in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
)

# What some versions of Python take for global: site-local addresses (RFC 3879), documentation (RFC 9637).
_INSIDE = tuple(ip_network(text) for text in ("fec0::/10", "3fff::/20"))


@dataclass(frozen=True, slots=True)
class PeerUrl:
    """A URL that was found to be of the right form; ``host`` has no brackets, ``path`` begins with a slash."""

    scheme: str
    host: str
    port: int
    path: str


def parse_url(url: str, *, escapes: bool = False) -> PeerUrl:
    """Take a peer's URL apart; with ``escapes`` its path may hold some (RFC 3986, section 2.1), which stay as they are.

    Raises FetchRefusedError for anything that is not spelled in the one accepted way, and for plain HTTP to anything
    but loopback. Whether the addresses behind a name are allowed is asked when the connection is made.
    """
    found = (_ESCAPED_URL if escapes else _URL).fullmatch(url)
    if found is None:
        raise FetchRefusedError(
            "this is not a peer's URL",
            where=repr(without_passwords(url)[:200]),
            mend="write https://host[:port]/path, without user, query, fragment or escapes",
        )
    scheme, authority, path = found.group("scheme", "authority", "path")
    if any(segment in {".", ".."} for segment in unquote(path).split("/")):
        raise FetchRefusedError(
            "a URL's path must not climb", where=without_passwords(url), mend="leave out . and .. segments"
        )
    host, port = _parse_authority(scheme, authority)
    return PeerUrl(scheme, host, port, path)


@lru_cache(maxsize=1024)
def _parse_authority(scheme: str, authority: str) -> tuple[str, int]:
    """Return host and port; cached, since one peer is asked thousands of times (errors are not cached)."""
    where = f"{scheme}://{authority}"
    if "@" in authority:
        # What stands before the @ may be a password: it is not repeated.
        raise FetchRefusedError("a peer's URL holds a user or password", mend="leave out what stands before the @")
    host, port_text = _split_port(authority, where)
    if port_text is None:
        port = _DEFAULT_PORTS[scheme]
    elif _PORT.fullmatch(port_text) and int(port_text) <= _PORT_MAX:
        port = int(port_text)
    else:
        raise FetchRefusedError("this is not a port", where=where, mend="write a number from 1 to 65535")
    literal = parse_literal(host, where=where)
    if literal is None and _HOST.fullmatch(host) is None:
        raise FetchRefusedError("this is not a host name", where=where, mend="write it in lower-case ASCII letters")
    if scheme == "http" and not _is_loopback(host, literal):
        raise FetchRefusedError("plain HTTP is for loopback only", where=where, mend="use https://")
    return host, port


def _split_port(authority: str, where: str) -> tuple[str, str | None]:
    """Return host (an IPv6 address still in brackets) and the port's text, None where there is none."""
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise FetchRefusedError("this is not an IPv6 address in brackets", where=where, mend="write [::1]:8470")
        return host + bracket, rest[1:] if rest else None
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def parse_literal(host: str, *, where: str) -> Address | None:
    """Return the address that ``host`` spells, or None for a name.

    Raises FetchRefusedError for whatever some library would read as an address although it is not spelled like one:
    decimal, octal and hexadecimal numbers, addresses in short form, zones, IPv4 inside IPv6.
    """
    if host.startswith("["):
        return _parse_ipv6(host.strip("[]"), where)
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]) is None:
        return None
    try:
        address = IPv4Address(host)
    except ValueError:
        raise FetchRefusedError(
            "a host that ends in a number must be an IPv4 address", where=where, mend="write it as 192.0.2.1"
        ) from None
    return address


def _parse_ipv6(text: str, where: str) -> IPv6Address:
    try:
        address = IPv6Address(text)
    except ValueError:
        address = None
    if address is None or address.scope_id is not None or str(address) != text:
        raise FetchRefusedError(
            "this is not an IPv6 address in its normal form",
            where=where,
            mend="write it as RFC 5952 says, without a zone",
        )
    if any(address in network for network in _CARRIERS if address != IPv6Address(1)):
        raise FetchRefusedError("an IPv6 address that carries an IPv4 address", where=where, mend="write the IPv4 one")
    return address


def is_loopback_url(url: str) -> bool:
    """Say whether a member's URL leads to this machine alone; FetchRefusedError where it is none."""
    place = parse_url(f"{url}/")
    return _is_loopback(place.host, parse_literal(f"[{place.host}]" if ":" in place.host else place.host, where=url))


def _is_loopback(host: str, literal: Address | None) -> bool:
    return host == "localhost" if literal is None else literal.is_loopback


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver; returns addresses as text, and raises OSError as it does."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What the operator allows beyond public addresses; ``resolver`` is replaced in tests.

    ``loopback`` lets URLs that name this very machine be asked, without a network that allows it.
    """

    allow_networks: tuple[Network, ...] = ()
    resolver: Resolver = resolve
    loopback: bool = True

    @classmethod
    def of(cls, url: str | None, allow_networks: tuple[Network, ...]) -> AddressRules:
        """Give the rules of a member's node: its peers may be on loopback where its own URL is, as on trial.

        Else an URL that somebody talks its operator into would reach what this machine offers to itself alone.
        """
        return cls(allow_networks, loopback=url is not None and is_loopback_url(url))

    def addresses(self, host: str, port: int, *, timeout_seconds: float) -> tuple[str, ...]:
        """Return the checked addresses to which a connection to ``host`` may go, in the resolver's order.

        ``host`` is as :class:`PeerUrl` has it, or an IPv6 address without brackets.
        Raises FetchRefusedError when any of them is not allowed, FetchError when there is none, and
        FetchTimeoutError when the resolver did not answer in time.
        """
        literal = parse_literal(f"[{host}]" if ":" in host else host, where=host)
        if literal is not None:
            self._check(literal, where=host, loopback=self.loopback)
            return (str(literal),)
        texts = self._ask(host, port, timeout_seconds)
        for text in texts:
            # A public name that leads to loopback is how outsiders reach for a machine's inner services.
            self._check(ip_address(text), where=f"{host} ({text})", loopback=self.loopback and host == "localhost")
        return texts

    def _check(self, address: Address, *, where: str, loopback: bool) -> None:
        if any(address in network for network in self.allow_networks if network.version == address.version):
            return
        if address.is_loopback and loopback:
            return
        carrier = any(address in network for network in _CARRIERS if network.version == address.version)
        inside = any(address in network for network in _INSIDE if network.version == address.version)
        if carrier or inside or not address.is_global or address.is_multicast or address.is_reserved:
            raise FetchRefusedError(
                "this address is not on the public internet",
                where=where,
                mend="allow its network with HASHPACT_ALLOW_NETWORKS, if you run it",
            )

    def _ask(self, host: str, port: int, timeout_seconds: float) -> tuple[str, ...]:
        """Resolve in a thread of its own: the system's resolver knows no deadline."""
        answer: SimpleQueue[Sequence[str] | OSError | UnicodeError] = SimpleQueue()

        def ask() -> None:
            try:
                answer.put(self.resolver(host, port))
            except (OSError, UnicodeError) as error:
                answer.put(error)

        threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
        try:
            found = answer.get(timeout=max(timeout_seconds, 0.0))
        except Empty:
            raise FetchTimeoutError("the name was not resolved in time", where=host, mend="look at your DNS") from None
        if isinstance(found, Exception) or not found:
            reason = f": {found}" if isinstance(found, Exception) else ""
            raise FetchError(f"the name cannot be resolved{reason}", where=host, mend="check the name and your DNS")
        return tuple(found)
