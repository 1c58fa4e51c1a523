"""How a database's server or file is, for whoever looks after it; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

_MAGIC: Final = b"SQLite format 3\x00"
_FORMATS: Final = slice(18, 20)
_WRITE_AHEAD: Final = b"\x02\x02"
_MAJOR: Final = 10_000


@dataclass(frozen=True, slots=True)
class ServerCondition:
    """A PostgreSQL server: its major version, whether our connection is encrypted, whether it leaves this machine."""

    major: int
    encrypted: bool
    leaves: bool


def server_condition(connection: Connection) -> ServerCondition:
    """Ask PostgreSQL how our connection to it is."""
    query = (
        "SELECT current_setting('server_version_num')::int, host(inet_client_addr()), "
        "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"
    )
    version, address, encrypted = connection.execute(text(query)).one()
    leaves = address is not None and not ip_address(address).is_loopback
    return ServerCondition(version // _MAJOR, bool(encrypted), leaves)


def uses_write_ahead_log(file: Path) -> bool | None:
    """Say whether a SQLite file has a write-ahead log, by its head (the file format, section 1.3); OSError.

    None where it is no SQLite file, or an empty one.
    """
    with file.open("rb") as opened:
        head = opened.read(_FORMATS.stop)
    return head[_FORMATS] == _WRITE_AHEAD if head.startswith(_MAGIC) else None
