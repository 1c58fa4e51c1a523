"""Members and their logs in a database, with real entries, for tests of what is derived from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from hashpact_node.services.absorb import Absorber
from hashpact_node.services.batches import BatchRequest, Frame, compress, read_batch
from hashpact_node.services.entries import EntryReader
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, LogTerms, get_log, put_card_logs
from hashpact_node.store.peers import Peer, add_peer
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import CompactRange
from hashpact_protocol.signals import Signal, make_signal
from hashpact_protocol.statements import Listing, WellFormed, Withdrawal, encode_statement
from hashpact_protocol.tiles import encode_bundle

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
TIME = "2026-11-24T04:00:00Z"


def uuid_of(number: int) -> str:
    """Give the id number ``number``, a UUIDv4."""
    return str(UUID(int=number, version=4))


def sha256(number: int) -> Signal:
    """Give a SHA-256 signal that only this number has."""
    return make_signal("sha256", f"{number:064x}")


def pdq(number: int, quality: int = 100) -> Signal:
    """Give the PDQ signal whose 256 bits are this number."""
    return make_signal("pdq", f"{number:064x}", quality)


def listing(
    number: int,
    *signals: Signal,
    labels: Iterable[str] = (),
    expires: str | None = None,
    content: str = "image",
    preserve: bool = False,
    time: str = TIME,
) -> Listing:
    """Make the listing with the id number ``number``."""
    return Listing(uuid_of(number), time, content, signals, tuple(labels), expires=expires, preserve=preserve)


def withdrawal(number: int, of: int, *, time: str = TIME) -> Withdrawal:
    """Make the withdrawal with the id number ``number`` of the listing with the id number ``of``."""
    return Withdrawal(uuid_of(number), time, uuid_of(of), "error")


def unknown(*, critical: bool = False) -> bytes:
    """Give an entry of a kind that nobody knows."""
    return json.dumps({"critical": critical, "kind": "poem"}, separators=(",", ":")).encode()


@dataclass
class TestLog:
    """A member's log in a database; what is appended is verified, stored and merged at once, as in a pull."""

    __test__ = False

    database: Database
    number: int
    clock: list[datetime] = field(default_factory=lambda: [NOW])

    @property
    def row(self) -> Log:
        """The log's row as it stands."""
        with self.database.read() as connection:
            return get_log(connection, self.number)

    def append(self, *statements: WellFormed | bytes) -> None:
        """Take entries into the log in one batch; statements are encoded, bytes stand as they are."""
        entries = [one if isinstance(one, bytes) else encode_statement(one) for one in statements]
        log = self.row
        held = CompactRange.decode(log.held_size, log.held_range)
        absorber = Absorber(self.database, log, held, now=lambda: self.clock[0])
        request = self._request(log, entries, merges=absorber.merges)
        absorber.absorb(request, read_batch(request, absorber.known), fresh=False)

    def _request(self, log: Log, entries: Sequence[bytes], *, merges: bool) -> BatchRequest:
        first, ahead = divmod(log.held_size, LIMITS.bundle_width)
        with self.database.read() as connection:
            reader = EntryReader(connection)
            before = reader.bundle(log.number, first)[:ahead] if ahead else []
            leaves = reader.leaf_hashes(log.number, first, ahead) if ahead else []
        rows = [*before, *entries]
        frames = [
            Frame(first + at // LIMITS.bundle_width, len(part), compress(encode_bundle(part)), "zstd")
            for at in range(0, len(rows), LIMITS.bundle_width)
            for part in [rows[at : at + LIMITS.bundle_width]]
        ]
        return BatchRequest(log.number, log.sequence, log.kind, tuple(frames), tuple(leaves), merges)


def terms(member: str, name: str = "listings-1", *, kind: str = "listings", fresh: int | None = None) -> LogTerms:
    """Give what a card says of a log ``name`` of a member; an open one."""
    origin = f"{member}.example/logs/{name}"
    return LogTerms(kind, kind, origin, f"https://{origin}", "open", ("key",), fresh=fresh)


def add_member(database: Database, member: str, *logs: LogTerms, own: bool = False) -> tuple[Peer, list[TestLog]]:
    """Add a member with these logs, in this order in its card; by default one open log, ``listings-1``."""
    with database.write() as connection:
        peer = add_peer(connection, member, f"https://{member}.example", now=NOW, own=own)
        rows = put_card_logs(connection, peer.number, logs or [terms(member)])
    return peer, [TestLog(database, row.number) for row in rows]


def add_log(database: Database, member: str, *, own: bool = False) -> TestLog:
    """Add a member with one open log of listings, and give the log."""
    return add_member(database, member, own=own)[1][0]
