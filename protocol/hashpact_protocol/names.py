"""Member ids, member URLs, and the names that hang below them (docs/protocol.md, Names).

Every name that a member signs under begins, by whole path segments, with host, port and path of that member's
URL. So nobody can squat on another member's names, as long as no two members' URLs collide.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from hashpact_protocol.errors import MemberNameError

_MEMBER_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::(?P<port>[0-9]+))?(?P<path>/.*)?")
_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_WITNESS = re.compile(r"witness-(?:0|[1-9][0-9]{0,8})")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
FINGERPRINT = re.compile(r"([1-9][0-9]{0,15}):sha256:([0-9a-f]{64})")
"""The fingerprint of a root: its version, and the SHA-256 of its file (docs/protocol.md, Trust)."""

_HOST_MAX_CHARACTERS = 253
_PORT_MAX = 65_535


def parse_member_id(text: str, *, where: str = "member id") -> str:
    """Return ``text`` if it is a member id, 2 to 63 characters of ``[a-z0-9-]`` that do not begin with a hyphen.

    Raises ``MemberNameError``.
    """
    if _MEMBER_ID.fullmatch(text) is None:
        raise MemberNameError(
            f"{text!r} is no member id",
            where=where,
            mend="use 2 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen",
        )
    return text


def parse_fingerprint(text: str, *, where: str = "fingerprint") -> str:
    """Return ``text`` if it is the fingerprint of a root, ``N:sha256:HEX``; raises ``MemberNameError``."""
    if FINGERPRINT.fullmatch(text) is None:
        raise MemberNameError(
            f"{text[:100]!r} is no fingerprint of a root",
            where=where,
            mend="write N:sha256:HEX, as the member's `hashpact peer invite` prints it",
        )
    return text


@dataclass(frozen=True, slots=True)
class MemberUrl:
    """The URL below which a member serves everything (docs/protocol.md, Names)."""

    scheme: str
    prefix: str
    """Host, port if it is not the scheme's default, and path: what every name of this member begins with."""

    @classmethod
    def parse(cls, text: str, *, where: str = "member url") -> MemberUrl:
        """Read ``text`` in its one accepted spelling, or raise ``MemberNameError``."""
        match = _URL.fullmatch(text)
        if match is None:
            raise MemberNameError(
                f"{text!r} is no member URL",
                where=where,
                mend="write https://, a lower-case ASCII host, and optionally a port and a path",
            )
        scheme, host, port, path = match.group("scheme", "host", "port", "path")
        loopback = _check_host(host, where)
        if scheme == "http" and not loopback:
            raise MemberNameError(
                f"{text!r} is not encrypted", where=where, mend="use https://; http:// is for loopback addresses"
            )
        _check_port(scheme, port, where)
        if path is not None:
            _check_path(path[1:], where)
        return cls(scheme, text.removeprefix(f"{scheme}://"))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.prefix}"

    def check_origin(self, origin: str, *, where: str = "origin") -> None:
        """Raise ``MemberNameError`` unless ``origin`` is a log name of this member: its prefix, ``/`` and a path."""
        _check_path(self._below(origin, where), where)

    def check_witness_name(self, name: str, *, where: str = "witness name") -> None:
        """Raise ``MemberNameError`` unless ``name`` is the prefix, ``/witness-`` and a decimal number."""
        if _WITNESS.fullmatch(self._below(name, where)) is None:
            raise MemberNameError(
                f"{name!r} is no witness name", where=where, mend=f"use {self.prefix}/witness-1, -2 and so on"
            )

    def log_url(self, origin: str) -> str:
        """The URL at which the log ``origin`` is served."""
        return f"{self.scheme}://{origin}"

    def _below(self, name: str, where: str) -> str:
        below = name.removeprefix(f"{self.prefix}/")
        if below == name:
            raise MemberNameError(
                f"{name!r} does not lie below {self}", where=where, mend=f"begin the name with {self.prefix}/"
            )
        return below


def collides(first: MemberUrl, second: MemberUrl) -> bool:
    """Whether names below one URL can be names below the other; the scheme is not part of a name."""
    one, other = f"{first.prefix}/", f"{second.prefix}/"
    return one.startswith(other) or other.startswith(one)


def _check_host(host: str, where: str) -> bool:
    """Raise unless ``host`` is in its one spelling; say whether it is a loopback address."""
    if host.startswith("["):
        return _check_address(host[1:-1], where)
    labels = host.split(".")
    if _NUMBER_LABEL.fullmatch(labels[-1]) is not None:
        # Resolvers take decimal, octal, hexadecimal and shortened forms for addresses; only one form is a name here.
        return _check_address(host, where)
    if len(host) > _HOST_MAX_CHARACTERS or any(_HOST_LABEL.fullmatch(label) is None for label in labels):
        raise MemberNameError(
            f"{host!r} is no host name", where=where, mend="use labels of a-z, 0-9 and inner hyphens, joined by dots"
        )
    return host == "localhost"


def _check_address(text: str, where: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise MemberNameError(f"{text!r} is no IP address", where=where, mend="write the address in full") from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise MemberNameError(f"{text!r} is an IPv4 address", where=where, mend=f"write {address.ipv4_mapped}")
    if str(address) != text:
        raise MemberNameError(
            f"{text!r} is not the usual spelling of an IP address", where=where, mend=f"write {address}"
        )
    return address.is_loopback


def _check_port(scheme: str, port: str | None, where: str) -> None:
    if port is None:
        return
    if _PORT.fullmatch(port) is None or int(port) > _PORT_MAX:
        raise MemberNameError(
            f"{port!r} is no port", where=where, mend="write a number from 1 to 65535 without leading zeros"
        )
    if port == _DEFAULT_PORTS[scheme]:
        raise MemberNameError(f"port {port} is the default of {scheme}", where=where, mend=f"leave :{port} out")


def _check_path(path: str, where: str) -> None:
    """Raise unless ``path``, without its first slash, is one or more plain segments."""
    for segment in path.split("/"):
        if segment in {".", ".."} or _SEGMENT.fullmatch(segment) is None:
            raise MemberNameError(
                f"path segment {segment!r} cannot stand in a name",
                where=where,
                mend="use segments of A-Z a-z 0-9 . _ ~ and -, not empty, not . or .., and no slash at the end",
            )
