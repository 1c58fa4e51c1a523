"""A peer that remembers a member's log: it shows what it cosigned of it, and serves its entries as a mirror does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from follower import InlineWorkers
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.awakening import Awakening
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.restoring import Restorer
from hashpact_node.store.locks import Locks
from hashpact_node.store.peers import add_peer
from hashpact_protocol.errors import TileError
from hashpact_protocol.notes import Checkpoint, Note, format_checkpoint, format_note, log_signature
from hashpact_protocol.statements import encode_statement
from hashpact_protocol.tiles import parse_path
from hashpact_protocol.witness import origin_hash
from members import listing, sha256
from own_member import NOW, OwnMember
from publisher import Asked, Publisher, Reply, ScriptedLog


def signed(own: OwnMember, size: int, root: bytes, origin: str | None = None) -> bytes:
    """Sign a checkpoint with a member's own key, true or not."""
    ((key, signer),) = own.keyring.log_keys(own.log)
    text = format_checkpoint(Checkpoint(origin or own.log.origin, size, root))
    return format_note(Note(text, (log_signature(key, signer.sign(text)),)))


class Rememberer(Publisher):
    """Remembers the log of another: ``shows`` is the checkpoint that it cosigned last, ``log_of`` the entries."""

    def __init__(self, member: str = "beta") -> None:
        super().__init__(member)
        self.shows: bytes | None = None
        self.remembered: ScriptedLog | None = None
        self.name = ""

    def remember(self, own: OwnMember, entries: list[bytes]) -> None:
        """Remember these entries as those of a member's log, with a checkpoint that the member signed."""
        log = ScriptedLog("https://acme.example")
        log.append(*entries)
        self.name = origin_hash(own.log.origin)
        self.remembered = log
        self.shows = signed(own, log.size, log.root())

    def _honest(self, asked: Asked) -> Reply | None:
        if asked.path.startswith("witness/"):
            known = self.shows is not None and asked.path == f"witness/{self.name}/checkpoint"
            return Reply(200, self.shows or b"") if known else Reply(404, b"unknown log")
        place = f"mirror/{self.name}/"
        if not asked.path.startswith("mirror/"):
            return super()._honest(asked)
        if self.remembered is None or not asked.path.startswith(place) or asked.path == f"{place}checkpoint":
            return Reply(404, b"unknown log")
        try:
            data = self.remembered.read(parse_path(asked.path.removeprefix(place)))
        except TileError:
            return None
        return Reply(404) if data is None else Reply(200, data)


def further(own: OwnMember, count: int, first: int = 10_000) -> list[bytes]:
    """Give what a member's log holds, and so many listings more: what was signed after the copy was made."""
    log = own.log
    with own.database.read() as connection:
        reader = EntryReader(connection)
        entries = [reader.entry(log.number, at) for at in range(log.placed_size)]
    return entries + [encode_statement(listing(n, sha256(n))) for n in range(first, first + count)]


@dataclass
class Waker:
    """What a process of a member has to wake with; ``clock[0]`` is what time it is."""

    own: OwnMember
    fetcher: Fetcher
    clock: list[datetime] = field(default_factory=lambda: [NOW])

    def add(self, peer: Publisher) -> None:
        """Follow a peer."""
        self.add_url(peer.member, peer.url)

    def add_url(self, member: str, url: str) -> None:
        """Follow a peer, whether it is there or not."""
        with self.own.database.write() as connection:
            add_peer(connection, member, url, now=NOW)

    def process(self, *, serves: bool = False, alone: bool = False) -> Awakening:
        """Give one more process of the member, not awake yet."""
        locks = Locks(self.own.database, self.own.home)
        return Awakening(self.own.database, locks, self.fetcher, lambda: self.clock[0], serves=serves, alone=alone)

    def restorer(self) -> Restorer:
        """Give what reads back."""
        locks = Locks(self.own.database, self.own.home)
        return Restorer(self.own.database, locks, self.fetcher, InlineWorkers(), 2, lambda: self.clock[0])
