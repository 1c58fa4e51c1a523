"""What lies beyond the last good size of own logs, entry by entry, and which of it the owner reaffirms.

Where the logs end comes from the node's own record of what it showed (``store.shown``), or from whoever decides it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hashpact_keys.rows import RowName, row_of_log
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.views import own_number
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.queue import stream_entries
from hashpact_node.store.shown import list_shown, record_begins, shown_until
from hashpact_protocol.errors import NotFoundError, RequestError, StoreMovedError
from hashpact_protocol.merkle import EMPTY_ROOT, leaf_hash

LIST_MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a log, as people look at it: ``index`` is its place, None while it waits; ``leaf`` is hex.

    ``kind``, ``id``, ``time`` are what it says of itself, None where it is malformed.
    """

    log: str
    origin: str
    index: int | None
    leaf: str
    kind: str | None
    id: str | None
    time: str | None
    what: str
    data: bytes

    def line(self, *, keep: bool) -> dict[str, Any]:
        """Give the line of a list that people edit."""
        fields = ("log", "origin", "index", "leaf", "kind", "id", "time", "what")
        return {"keep": keep, **{name: getattr(self, name) for name in fields}, "entry": _text(self.data)}


@dataclass(frozen=True, slots=True)
class Suspect:
    """An own log whose key was stolen: where it is to end, and what it shows beyond.

    ``shown_at`` is when that size was first shown (Unix seconds), None where no record says so. ``waiting`` was never
    shown: it will go on to the successor.
    """

    log: Log
    size: int
    shown_at: int | None
    beyond: tuple[Entry, ...]
    waiting: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where logs end: at what they showed at a time, or at sizes by log name."""

    since: datetime | None = None
    sizes: Mapping[str, int] | None = None


def logs_of_row(connection: Connection, row: RowName) -> list[Log]:
    """Give the own open logs that a row's key signs; those of audiences have keys of their own."""
    logs = list_logs(connection, peer=own_number(connection))
    ordinary = [log for log in logs if log.named and log.state == "open" and log.name == log.kind]
    return [log for log in ordinary if row_of_log(log.kind) is row]


def suspects(connection: Connection, name: str, cut: Cut) -> list[Suspect]:
    """Give all open logs that the key of the named one signs, that one first, and what lies beyond where they end.

    Raises NotFoundError where no log of that name is open; RequestError where it cannot be said where one ends;
    StoreMovedError where what is stored is not what was shown.
    """
    own = list_logs(connection, peer=own_number(connection))
    named = next((log for log in own if log.name == name and log.named and log.state == "open"), None)
    if named is None:
        raise NotFoundError(f"no log named {name!r} is open", mend="see `hashpact logs status`")
    if named.name != named.kind:
        raise RequestError(
            "an audience's log has a key of its own, and ends with its audience",
            where=name,
            mend="make another audience, move there what is to stay, and close this one: `hashpact audience --help`",
        )
    logs = sorted(logs_of_row(connection, row_of_log(named.kind)), key=lambda log: log.name != name)
    if cut.since is None:
        cut = replace(cut, since=_moment(connection, named, (cut.sizes or {}).get(name)))
    unknown = set(cut.sizes or {}) - {log.name for log in logs}
    if unknown:
        raise RequestError(
            f"the key of {name} signs no open log named {', '.join(sorted(unknown))}", mend="see `hashpact logs status`"
        )
    return [_suspect(connection, log, cut) for log in logs]


def read_choices(path: Path, found: Sequence[Suspect]) -> dict[tuple[str, int | None, str], bool]:
    """Read an edited list; which entries are kept, by origin, index and leaf.

    Raises RequestError for a file that cannot be read, a line that is none of a list, and an entry that is not there.
    """
    known = {_key(entry) for suspect in found for entry in (*suspect.beyond, *suspect.waiting)}
    choices: dict[tuple[str, int | None, str], bool] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            value = json.loads(line)
            key, keep = (value["origin"], value["index"], value["leaf"]), value["keep"]
        except (ValueError, KeyError, TypeError):
            raise RequestError("this is no line of a list", where=where, mend=_EDIT) from None
        if not isinstance(keep, bool):
            raise RequestError('"keep" is neither true nor false', where=where, mend=_EDIT)
        if key not in known:
            raise RequestError(
                "no such entry lies beyond where the logs end", where=where, mend="make the list anew, and edit that"
            )
        choices[key] = keep
    return choices


def is_kept(entry: Entry, choices: Mapping[tuple[str, int | None, str], bool], *, default: bool) -> bool:
    """Say whether an entry is kept; what the list says nothing of is as ``default`` says."""
    return choices.get(_key(entry), default)


_EDIT = 'make the list with --list, and change nothing in it but false to true after "keep"'


def _key(entry: Entry) -> tuple[str, int | None, str]:
    return entry.origin, entry.index, entry.leaf


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > LIST_MAX_BYTES:
            raise RequestError(f"the list is larger than {LIST_MAX_BYTES >> 20} MiB", where=str(path), mend=_EDIT)
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"the list cannot be read: {error}", where=str(path), mend=_EDIT) from None


def _moment(connection: Connection, log: Log, size: int | None) -> datetime | None:
    """Say until when a log showed no more than ``size`` entries, by the record; None where it does not know."""
    if size is None:
        return None
    later = [one.shown_at for one in list_shown(connection, log.number) if one.size > size]
    known = any(one.size == size for one in list_shown(connection, log.number))
    return datetime.fromtimestamp(min(later) - 1, UTC) if later and known else None


def _suspect(connection: Connection, log: Log, cut: Cut) -> Suspect:
    size = (cut.sizes or {}).get(log.name)
    shown_at = None
    if size is None:
        size, shown_at = _recorded(connection, log, cut.since)
    if not 0 <= size <= log.accepted_size:
        raise RequestError(
            f"{log.accepted_size} entries were shown, so it cannot end at {size}",
            where=log.origin,
            mend="give a size that was shown, the last good one",
        )
    reader = EntryReader(connection)
    beyond = tuple(_entry(log, at, reader.entry(log.number, at)) for at in range(size, log.accepted_size))
    unshown = [reader.entry(log.number, at) for at in range(log.accepted_size, log.placed_size)]
    waiting = tuple(_entry(log, None, data) for data in (*unshown, *stream_entries(connection, log.number)))
    return Suspect(log, size, shown_at, beyond, waiting)


def _recorded(connection: Connection, log: Log, since: datetime | None) -> tuple[int, int | None]:
    """Give what a log showed at a time, and since when, by the record; RequestError where it does not say."""
    mend = f"say it yourself: --size {log.name}=N (it shows {log.accepted_size} entries now)"
    if since is None:
        raise RequestError("it is not known what was shown at that time", where=log.origin, mend=mend)
    shown = shown_until(connection, log.number, since)
    if shown is None:
        empty = any(not one.size for one in list_shown(connection, log.number))
        if empty and not _follows_another(connection, log):
            return 0, None  # its record begins with the empty log, and so does its name
        begins = record_begins(connection, log.number)
        what = "nothing is" if begins is None else f"what it showed before {_time_text(begins)} is not"
        raise RequestError(f"{what} on record", where=log.origin, mend=mend)
    if shown.size > log.accepted_size or _root(connection, log, shown.size) != shown.root:
        raise StoreMovedError(
            f"the {shown.size} entries that were shown at {_time_text(shown.shown_at)} are not those that are stored",
            where=log.origin,
            mend="the database was altered: restore a backup from before the theft, or give --size",
        )
    return shown.size, shown.shown_at


def _follows_another(connection: Connection, log: Log) -> bool:
    """Say whether a log is a successor: the same recovery again would end what goes on for the one before it."""
    return any(other.named and other.number != log.number for other in list_logs(connection, sequence=log.sequence))


def _root(connection: Connection, log: Log, size: int) -> bytes:
    return EntryReader(connection).root_at(log.number, size) if size else EMPTY_ROOT


def _entry(log: Log, index: int | None, data: bytes) -> Entry:
    said = describe(data)
    leaf = leaf_hash(data).hex()
    return Entry(log.name, log.origin, index, leaf, said.kind, said.id, said.time, said.what, data)


@dataclass(frozen=True, slots=True)
class Said:
    """What an entry says of itself, None where it does not, and in words what it is.

    ``about`` is the id of the listing that it lists or withdraws.
    """

    kind: str | None
    id: str | None
    time: str | None
    what: str
    about: str | None


def describe(data: bytes) -> Said:
    """Read what an entry says of itself, however malformed it is."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return Said(None, None, None, "not readable", None)
    kind, identifier, time = (_string(value.get(name)) for name in ("kind", "id", "time"))
    words = _WORDS.get(kind or "", _unknown)
    about = {"listing": identifier, "withdrawal": _string(value.get("listing"))}.get(kind or "")
    return Said(kind, identifier, time, words(value), about)


def _unknown(_value: dict[str, Any]) -> str:
    return "unknown kind"


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _listing(value: dict[str, Any]) -> str:
    signals = value.get("signals")
    told = [
        f"{one.get('type')}:{one.get('value', one.get('sha256'))}"
        for one in (signals if isinstance(signals, list) else [])
        if isinstance(one, dict)
    ]
    return f"{value.get('content')} {' '.join(told)}"


_WORDS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "listing": _listing,
    "withdrawal": lambda value: f"withdraws {value.get('listing')}: {value.get('reason')}",
    "opinion": lambda value: f"{value.get('verdict')} on {value.get('member')}'s {value.get('listing')}",
    "incident": lambda value: f"{value.get('status')} {value.get('incident')}: {value.get('title')}",
}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _time_text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
