"""What others say of our own logs: only what our own key signed counts; what of it is not here keeps us from signing.

A database that was restored from a copy does not know what was signed after it. Whoever followed us does, and can show
it, but can make nothing up: a checkpoint counts here only if the log's own key signed it (docs/protocol.md, Awakening).
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from enum import StrEnum

from hashpact_node.services.entries import EntryReader
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.awakening import Known, forget_heads, known_heads, learn_head
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import Log, get_log
from hashpact_protocol.errors import ConflictError, SignatureError, VerificationError
from hashpact_protocol.notes import Checkpoint, VerifierKey, parse_checkpoint, parse_note, verify_note

BEHIND = "own-log-behind"
FORKED = "own-log-forked"

SUCCEED = (
    "never publish in this log again: close it at its last good size, and open a successor (operations, Restoring)"
)


class Learned(StrEnum):
    """What a checkpoint of an own log means to what is held here."""

    HELD = "held"
    MORE = "more"
    OTHER = "other"
    """It contradicts what is held: somebody signed two stories with our key."""


def own_checkpoint(log: Log, note: bytes) -> Checkpoint:
    """Read a checkpoint of an own log that somebody else shows.

    Raises NoteError for bytes that are none, VerificationError for another log's, and SignatureError where no key of
    the log signed it: then it says nothing at all.
    """
    parsed = parse_note(note)
    checkpoint = parse_checkpoint(parsed.text)
    if checkpoint.origin != log.origin:
        raise VerificationError(f"this is a checkpoint of {checkpoint.origin[:200]!r}", where=log.origin)
    if not verify_note(parsed, {VerifierKey.parse(key) for key in log.keys}):
        raise SignatureError("no key of ours signed this checkpoint", where=log.origin)
    return checkpoint


def learn(connection: Connection, number: int, note: bytes, *, member: str, now: datetime) -> Learned:
    """Take up what ``member`` shows of an own log; where it is not held here, nothing is signed from now on.

    Raises what ``own_checkpoint`` does.
    """
    log = get_log(connection, number, lock=True)
    checkpoint = own_checkpoint(log, note)
    learned = _compare(connection, log, checkpoint.size, checkpoint.root)
    if learned is Learned.HELD:
        return learned
    learn_head(connection, number, size=checkpoint.size, root=checkpoint.root, note=note, member=member, now=now)
    if learned is Learned.MORE:
        what = (
            f"{log.origin}: {member} holds {checkpoint.size} entries that we signed, and {log.placed_size} are here: "
            "this database is an old copy; nothing is signed until they are read back"
        )
        mend = "they are fetched from the peers by themselves; see `hashpact status`"
        raise_alarm(connection, BEHIND, what, now=now, mend=mend, peer=log.peer, log=number)
    else:
        tell_forked(connection, log, checkpoint.size, note, now=now)
    return learned


def tell_forked(connection: Connection, log: Log, size: int, note: bytes, *, now: datetime) -> None:
    """Raise the alarm that our own key signed two stories; the notes are kept with it."""
    notes = [base64.b64encode(one).decode() for one in (log.accepted_note, note) if one]
    what = f"{log.origin}: a checkpoint of size {size} that we signed contradicts what is held here; nothing is signed"
    evidence = json.dumps({"notes": notes}).encode()
    raise_alarm(connection, FORKED, what, now=now, mend=SUCCEED, peer=log.peer, log=log.number, evidence=evidence)


def must_know(connection: Connection, log: Log) -> None:
    """Raise ConflictError when peers hold something of this own log, signed by us, that is not here: sign nothing."""
    heads = known_heads(connection, log.number)
    if not heads:
        return
    must_not_contradict(connection, log)
    newest = heads[-1]
    raise ConflictError(
        f"{newest.member} holds {newest.size} entries of this log that we signed, and {log.placed_size} are here",
        where=log.origin,
        mend="nothing is signed until they are read back from the peers, by themselves; see `hashpact status`",
    )


def must_not_contradict(connection: Connection, log: Log) -> None:
    """Raise ConflictError when something that our key signed of this log contradicts what is held."""
    for head in known_heads(connection, log.number):
        if _compare(connection, log, head.size, head.root) is Learned.OTHER:
            raise ConflictError("our key signed another story of this log", where=log.origin, mend=SUCCEED)


def settle(connection: Connection, log: Log, *, now: datetime) -> list[Known]:
    """Forget what is shown by now, and give what is not; the alarm ends with the last."""
    heads = known_heads(connection, log.number)
    shown = [head for head in heads if head.size <= log.accepted_size or log.pending_size is not None]
    held = [head for head in shown if _compare(connection, log, head.size, head.root) is Learned.HELD]
    forget_heads(connection, held)
    left = [head for head in heads if head not in held]
    if not left:
        clear_alarm(connection, BEHIND, now=now, peer=log.peer, log=log.number)
    return left


def _compare(connection: Connection, log: Log, size: int, root: bytes) -> Learned:
    if size > log.placed_size:
        return Learned.MORE
    return Learned.HELD if EntryReader(connection).root_at(log.number, size) == root else Learned.OTHER
