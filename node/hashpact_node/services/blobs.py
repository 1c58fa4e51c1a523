"""Blobs of our own: taken in before a listing names them, served to who reads our logs, dropped when nothing does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hashpact_node.services.views import logs_by_number, own_number
from hashpact_node.store.blobs import blob_lengths, drop_unclaimed, keys_of_hash, put_blob, read_blob
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.drafts import count_undecided
from hashpact_node.store.feed import find_claims
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.queue import count_entries
from hashpact_protocol.blobs import blob_signal, parse_blob_name
from hashpact_protocol.claims import unpack_claims
from hashpact_protocol.errors import NotFoundError, RequestError, SignalError
from hashpact_protocol.signals import Signal

UNLISTED_KEPT: Final = timedelta(days=1)
"""How long a blob is kept that no listing names: so long there is to publish one."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob that was taken in, as the signal of a listing names it; ``existing`` where it was here already."""

    type: str
    sha256: str
    length: int
    existing: bool


@dataclass(frozen=True, slots=True)
class NewBlob:
    """A blob to be: its type, its bytes, and where it came from, for errors."""

    type: str
    data: bytes
    where: str


@dataclass(slots=True)
class Blobs:
    """Takes in and gives out blobs."""

    database: Database
    now: Callable[[], datetime]

    def put(self, type_name: str, data: bytes) -> StoredBlob:
        """Take a blob in, to be named by a listing within a day; SignalError for a type or form that is none."""
        signal = blob_signal(type_name, data)
        with self.database.write() as connection:
            new = store_own(connection, signal, data, now=self.now())
        return StoredBlob(signal.type, signal.value, len(data), existing=not new)

    def served(self, log_path: str, name: str) -> bytes:
        """Give the blob of that SHA-256 if a live listing in an own log of the same name as this one has it.

        So a successor serves what it restates, whichever log it was published in, and a log for some readers serves
        nothing of another. NotFoundError.
        """
        sha256 = parse_blob_name(name)
        with self.database.read() as connection:
            own = own_number(connection)
            logs = logs_by_number(connection)
            asked = [log for log in logs.values() if log.peer == own and log.named and _slug(log) == log_path]
            if sha256 is not None and asked:
                sequences = {log.sequence for log in asked}
                for key in keys_of_hash(connection, sha256):
                    if _claimed_in(connection, key, logs, sequences):
                        data = read_blob(connection, key)
                        if data is not None:
                            return data
        raise NotFoundError("no live listing of this log has such a blob", where=f"{log_path}/blob/{name}"[:200])

    def drop_unlisted(self) -> int:
        """Drop what no listing named within a day; how many blobs."""
        with self.database.write() as connection:
            return drop_unreferenced_blobs(connection, used_before=self.now() - UNLISTED_KEPT)


def store_own(connection: Connection, signal: Signal, data: bytes, *, now: datetime) -> bool:
    """Store a blob of our own under its signal; whether it is new."""
    own = own_number(connection)
    return put_blob(connection, signal.key, bytes.fromhex(signal.value), data, peer=own, now=now)


def read_new_blobs(blobs: Iterable[NewBlob]) -> list[tuple[Signal, bytes]]:
    """Make the signals of blobs; SignalError that names the one that is malformed."""
    made = []
    for blob in blobs:
        try:
            made.append((blob_signal(blob.type, blob.data), blob.data))
        except SignalError as error:
            where = f"{blob.where}: {error.where}" if error.where else blob.where
            raise SignalError(error.what, where=where, mend=error.mend) from None
    return made


def check_blobs(connection: Connection, signals: Iterable[Signal], *, where: str | None) -> Collection[bytes]:
    """Raise RequestError unless every blob that is to be listed is here; give the keys of those that are.

    A listing whose blob its readers cannot have would be an alarm to all of them.
    """
    named = {signal.key: signal for signal in signals if signal.blob_length is not None}
    if not named:
        return ()
    lengths = blob_lengths(connection, named)
    for key, signal in named.items():
        if lengths.get(key) != signal.blob_length:
            what = "is not here" if key not in lengths else f"is {lengths[key]} bytes long, not {signal.blob_length}"
            raise RequestError(
                f"the blob of type {signal.type} with the SHA-256 {signal.value} {what}",
                where=where,
                mend=f"send it first: POST /v1/blobs?type={signal.type}",
            )
    return named.keys()


def drop_unreferenced_blobs(connection: Connection, *, used_before: datetime) -> int:
    """Delete blobs that no live listing names and that were not used since then; how many.

    Own ones stay while something of our own waits to be approved, released or merged, since it may name them.
    """
    own = own_number(connection)
    waits = (
        count_entries(connection) > 0
        or count_undecided(connection) > 0
        or any(log.held_size < log.placed_size for log in list_logs(connection, peer=own))
    )
    return drop_unclaimed(connection, used_before=used_before, but_of=own if waits else None)


def _claimed_in(connection: Connection, key: bytes, logs: dict[int, Log], sequences: Collection[int]) -> bool:
    claims = find_claims(connection, [key]).get(key, b"")
    return any(claim.log in logs and logs[claim.log].sequence in sequences for claim in unpack_claims(claims))


def _slug(log: Log) -> str:
    return log.origin.rpartition("/logs/")[2]
