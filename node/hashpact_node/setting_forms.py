"""The forms of settings: what reads one from ``node.toml`` or the environment, and says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.names import MemberUrl, parse_fingerprint, parse_member_id

LOG_FORMATS = ("auto", "console", "json")
DIRECTORY_POLICIES = ("off", "ask", "auto")
DEFAULT_KEYS: Mapping[str, tuple[str, ...]] = {
    row: (f"file:keys/{row}.key",) for row in ("root", "targets", "online", "release", "crisis", "witness", "request")
}
"""Where the keys of each row live when nothing else is said, relative to the home."""

_AUDIENCE_LOG = re.compile(r"(listings|crisis|opinions)-[a-z0-9-]{1,64}")
"""The name of an audience's log, whose keys stand beside the rows (``services.audiences``)."""


def keys(value: object) -> Mapping[str, tuple[str, ...]]:
    """Read the table of key URIs, by row: one, or a list, which may be empty; rows that it leaves out keep theirs.

    Those of an audience's log stand under the name of the log.
    """
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part]
        value = {row: [uri for name, _, uri in pairs if name == row and uri] for row, _, _ in pairs}
    if not isinstance(value, Mapping):
        raise ConfigurationError("this is no table of key URIs by row")
    unknown = sorted(name for name in set(value) - set(DEFAULT_KEYS) if not _AUDIENCE_LOG.fullmatch(str(name)))
    if unknown:
        raise ConfigurationError(f"there is no row {unknown[0]!r}", mend=f"the rows are: {', '.join(DEFAULT_KEYS)}")
    return {**DEFAULT_KEYS, **{row: _uris(uris) for row, uris in value.items()}}


def _uris(value: object) -> tuple[str, ...]:
    return tuple(text(uri) for uri in (value if isinstance(value, list) else [value]))


def text(value: object) -> str:
    """Read a text on one line."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigurationError("this is no text on one line")
    return value


def integer(low: int, high: int) -> Callable[[object], int]:
    """Give what reads a whole number from ``low`` to ``high``."""

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,15}", value):
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise ConfigurationError(f"this is no whole number from {low} to {high}")
        return value

    return parse


def seconds(low: float, high: float) -> Callable[[object], float]:
    """Give what reads a number of seconds from ``low`` to ``high``."""

    def parse(value: object) -> float:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value):
            value = float(value)
        if type(value) not in {int, float} or not low <= value <= high:  # type: ignore[operator]  # a number by now
            raise ConfigurationError(f"this is no number of seconds from {low:g} to {high:g}")
        return float(value)  # type: ignore[arg-type]  # a number by now

    return parse


def yes_or_no(value: object) -> bool:
    """Read true or false."""
    found = {"true": True, "false": False}.get(value) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise ConfigurationError("this is neither true nor false")
    return found


def host(value: object) -> str:
    """Read an address to listen on."""
    name = text(value)
    if name != "localhost":
        try:
            ip_address(name)
        except ValueError:
            raise ConfigurationError("this is no IP address", mend="write 127.0.0.1, or 0.0.0.0 for all") from None
    return name


def is_loopback(host: str) -> bool:
    """Say whether nobody on another machine can reach what listens there."""
    return host == "localhost" or ip_address(host).is_loopback


def networks(value: object) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read networks; separated by commas in the environment."""
    texts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise ConfigurationError("this is no list of networks")
    try:
        return tuple(ip_network(text(each)) for each in texts)
    except ValueError as error:
        raise ConfigurationError(f"this is no network: {error}", mend="write it as 10.1.0.0/16") from None


def database_url(value: object) -> str:
    """Read the URL of a database."""
    url = text(value)
    if not re.match(r"(sqlite(\+pysqlite)?:///|postgresql(\+psycopg)?://)", url):
        raise ConfigurationError(
            "this is no database that a node can use",
            mend="write sqlite:///path, or postgresql://user:password@host/name",
        )
    return url


def member_url(value: object) -> str:
    """Read a member URL."""
    return str(MemberUrl.parse(text(value)))


def member_id(value: object) -> str:
    """Read a member's id."""
    return parse_member_id(text(value))


def fingerprint(value: object) -> str:
    """Read the fingerprint of a root."""
    return parse_fingerprint(text(value))


def directory_policy(value: object) -> str:
    """Read what a directory may do."""
    if value not in DIRECTORY_POLICIES:
        raise ConfigurationError(f"this is none of {', '.join(DIRECTORY_POLICIES)}")
    return str(value)


def log_format(value: object) -> str:
    """Read the name of a form of logs."""
    if value not in LOG_FORMATS:
        raise ConfigurationError(f"this is none of {', '.join(LOG_FORMATS)}")
    return str(value)


def path(value: object) -> Path:
    """Read a path."""
    return Path(text(value)).expanduser()


_required_number = integer(0, 64)


def required_witnesses(value: object) -> int | Path:
    """Read a number of witnesses, or the path of a policy file; what has no letter is meant as a number."""
    if isinstance(value, str) and re.search(r"[^\W\d_]", value):
        return path(value)
    return _required_number(value)
