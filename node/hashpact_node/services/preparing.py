"""Prepare the successor of an own log: what it begins with, and its first checkpoint, signed before any card names it.

Its first size and root are reserved under its origin before they are signed, so that no size is ever signed under two
roots: where something else is to be signed after a crash, it gets another origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hashpact_keys.signers import NoteSigner
from hashpact_node.services.digests import counting_logs
from hashpact_node.services.drafts import encode_withdrawal
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_cards import OwnTrust, next_slug
from hashpact_node.services.release import append_entries
from hashpact_node.services.restating import Restated, restate
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import list_erasures, take_up_erasures
from hashpact_node.store.logs import (
    find_sequence,
    get_log,
    list_logs,
    make_sequence,
    place,
    see_own_cosignature,
    set_pending,
    show,
)
from hashpact_node.store.owners import page_of_owners
from hashpact_node.store.succession import drop_queued_listings, move_queue, reserve_log, take_reserved
from hashpact_protocol.card_logs import CardLog, LogKind, LogState
from hashpact_protocol.errors import ConflictError, RequestError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merge import Kind, id_text
from hashpact_protocol.merkle import CompactRange, leaf_hash
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    VerifierKey,
    cosignature,
    cosignature_message,
    format_checkpoint,
    format_note,
    log_signature,
)

ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Successor:
    """A log to be: what it begins with, and its first checkpoint, signed and cosigned at ``timestamp``."""

    number: int
    card: CardLog
    restated: Restated
    note: bytes
    timestamp: int


def prepare(
    database: Database,
    keyring: Keyring,
    trust: OwnTrust,
    name: str,
    *,
    fresh: bool,
    now: datetime,
    signer: NoteSigner | None = None,
    entries: tuple[bytes, ...] = (),
) -> Successor:
    """Gather what a successor begins with, reserve that under its origin, and sign its first checkpoint.

    One that is not ``fresh`` begins with ``entries``. ``signer`` is a key that no card names yet; without it, the log's
    row signs. The caller keeps others from releasing what stands before it.

    Raises RequestError for a name that no log can have, ConflictError where there is nothing to restate,
    KeyUnavailableError, ConfigurationError and StoreError.
    """
    kind = _kind_of(name)
    signer = signer or keyring.log_signers(name, kind.value)[0]
    with database.write() as connection:
        restated = _restate(connection, trust, name, now=now) if fresh else Restated(entries, frozenset())
        root = CompactRange().extend(leaf_hash(entry) for entry in restated.entries).root()
        first = _First(name, kind, signer.public, len(restated.entries), root)
        number, origin = _reserve(connection, trust, first)
    text = format_checkpoint(Checkpoint(origin, first.size, root))
    witness, witness_signer = keyring.witness_key(trust.card, now)
    timestamp = int(now.timestamp())
    key = first.key(origin)
    own = cosignature(witness, timestamp, witness_signer.sign(cosignature_message(text, timestamp)))
    note = format_note(Note(text, (log_signature(key, signer.sign(text)), own)))
    url = MemberUrl.parse(trust.peer.url).log_url(origin)
    card = CardLog(name, kind, origin, url, (key,), LogState.OPEN, fresh=first.size if fresh else None)
    return Successor(number, card, restated, note, timestamp)


def begin(connection: Connection, successor: Successor) -> None:
    """Give a successor, which the card in force names, its entries and checkpoint, and let what waits wait for it.

    Exactly the listings that were left out are written down as taken up: one whose erasure was asked for after the
    entries were gathered stands in this log, and waits for the next.
    """
    number, entries = successor.number, list(successor.restated.entries)
    size = len(entries)
    reserved = get_log(connection, number, lock=True)
    root = reserved.pending_root or CompactRange().root()
    take_reserved(connection, number, size=size, root=root)
    placed = append_entries(connection, get_log(connection, number), entries) if entries else CompactRange()
    place(connection, number, old_size=0, new_size=size, range=placed.encode())
    set_pending(connection, number, size=size, root=root)
    show(connection, number, old_size=0, note=successor.note, size=size, root=root, shown_at=successor.timestamp)
    see_own_cosignature(connection, number, successor.timestamp)
    others = [log.number for log in list_logs(connection, sequence=reserved.sequence) if log.number != number]
    move_queue(connection, others, number)
    left_out = successor.restated.left_out
    if left_out:
        drop_queued_listings(connection, number, {id_text(one) for one in left_out})
        take_up_erasures(connection, reserved.sequence, left_out, number)


@dataclass(frozen=True, slots=True)
class _First:
    name: str
    kind: LogKind
    public: bytes
    size: int
    root: bytes

    def key(self, origin: str) -> VerifierKey:
        return VerifierKey(origin, KeyType.ED25519, self.public)


def _restate(connection: Connection, trust: OwnTrust, name: str, *, now: datetime) -> Restated:
    sequence = find_sequence(connection, trust.peer.number, name)
    logs = [] if sequence is None else counting_logs(list_logs(connection, sequence=sequence))
    if sequence is None or not any(log.held_size for log in logs):
        raise ConflictError(f"nothing was published in {name}, so nothing can be restated", mend="leave --fresh out")
    restated = restate(connection, logs, {one.listing for one in list_erasures(connection, sequence, waiting=True)})
    if restated.entries:
        return restated
    # A fresh log needs an entry: one that says again that something is withdrawn changes nothing.
    owners = page_of_owners(connection, sequence, b"", limit=1_000)
    dead = next((row[1] for row in owners if row[2] == Kind.LISTING), None)
    if dead is None:
        raise ConflictError(f"nothing lives in {name}, and nothing was withdrawn", mend="leave --fresh out")
    entry = encode_withdrawal(id_text(dead), ERASED, None, now=now, log_kind=logs[0].kind)
    return Restated((entry,), restated.left_out)


def _kind_of(name: str) -> LogKind:
    for kind in LogKind:
        if name == kind.value or name.startswith(f"{kind.value}-"):
            return kind
    raise RequestError(
        f"no log can be named {name[:60]!r}",
        mend=f"name it {', '.join(LogKind)}",
    )


def _reserve(connection: Connection, trust: OwnTrust, first: _First) -> tuple[int, str]:
    """Reserve a size and root under an origin: one that a run before this was stopped with, or a new one."""
    member = MemberUrl.parse(trust.peer.url)
    for log in list_logs(connection, peer=trust.peer.number):
        unused = log.name == first.name and not log.named and log.accepted_note is None
        same = (log.pending_size, log.pending_root, log.keys) == (first.size, first.root, (str(first.key(log.origin)),))
        if unused and same:
            return log.number, log.origin
    if len(trust.card.logs) >= LIMITS.card_logs_max:
        raise ConflictError("the card names as many logs as it may", mend="sign a card without old closed logs")
    origin = f"{member.prefix}/logs/{next_slug(connection, trust, first.name, member.prefix)}"
    number = reserve_log(
        connection,
        peer=trust.peer.number,
        sequence=make_sequence(connection, trust.peer.number, first.name),
        kind=first.kind.value,
        origin=origin,
        url=member.log_url(origin),
        keys=[str(first.key(origin))],
        size=first.size,
        root=first.root,
    )
    return number, origin
