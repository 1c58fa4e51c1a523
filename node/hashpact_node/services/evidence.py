"""Keep what proves that a member told two stories: each thing once, bounded, and shown to people."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from hashpact_keys.evidence import Charge, Proven, prove
from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_files import card_of, newest, roots
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.problems import alarm_about
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.evidence import Kept, add_evidence, find_evidence, list_evidence, read_evidence
from hashpact_node.store.logs import Log, get_log
from hashpact_node.store.peers import get_peer
from hashpact_node.store.trust import load_files
from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.errors import (
    ConsistencyError,
    EvidenceError,
    ForkError,
    HashpactError,
    NotFoundError,
    SignatureError,
    TileError,
    TrustError,
)
from hashpact_protocol.evidence import (
    Divergence,
    Evidence,
    SignedCard,
    encode_evidence,
    find_divergence,
    parse_evidence,
)
from hashpact_protocol.follow import Head
from hashpact_protocol.notes import VerifierKey, parse_checkpoint, parse_note, verify_note
from hashpact_protocol.statement_fields import format_time

FORKED: Final = ForkError.code
CARDS_FORKED: Final = Charge.CARDS.value
UNPROVEN_FORMAT: Final = "hashpact-unproven@v1"
_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Keeping:
    """What became of evidence: its number, None where there was no room for it, and whether it is new."""

    number: int | None
    new: bool


@dataclass(slots=True)
class EvidenceKeeper:
    """Keeps evidence about the logs and cards of all members."""

    database: Database
    now: Callable[[], datetime]

    def keep_fork(self, error: ForkError, log: int) -> Keeping:
        """Keep what a fork's error carries about the log of that number, and raise its alarm when it is new.

        What is known already costs no write. ``error.mend`` then says how to export it. Raises SignatureError when the
        checkpoint shown is not signed by a key that the card names for that log, and other errors of the store.
        """
        with self.database.read() as connection:
            row = get_log(connection, log)
            digest = _digest(row.origin, error.evidence)
            number = find_evidence(connection, digest, proven=True)
            if number is None:
                _check_signed(row, error.evidence)
                proven, data, what = _file(connection, row, error)
                number = None if proven else find_evidence(connection, digest, proven=False)
        if number is not None:
            error.mend = _mend(number)
            return Keeping(number, new=False)
        with self.database.write() as connection:
            number = add_evidence(
                connection,
                peer=row.peer,
                log=row.number,
                proven=proven,
                charge=FORKED,
                what=what,
                digest=digest,
                data=data,
                now=self.now(),
            )
            if number is not None:
                error.mend = _mend(number)
                alarm_about(connection, error, now=self.now(), peer=row.peer, log=row.number)
        return Keeping(number, new=number is not None)

    def keep_cards(self, peer: int, member: str, url: str, *targets: bytes) -> Keeping:
        """Keep two targets metadata of one version that the member of that number signed.

        What is known already costs no write. Raises TrustError and VerificationError when it is not proven, and
        EvidenceError when it is too large.
        """
        with self.database.read() as connection:
            files = load_files(connection, peer)
            held = tuple(roots(files).values())
            evidence = Evidence(member, url, held, tuple(SignedCard(one) for one in targets))
            proven = _prove(evidence)
            # Of two, whatever their order, and whatever signatures somebody adds to them.
            digest = hashlib.sha256(f"{member} {proven.card_version}".encode()).digest()
            number = find_evidence(connection, digest, proven=True)
        if number is not None:
            return Keeping(number, new=False)
        data, now = encode_evidence(evidence), self.now()
        with self.database.write() as connection:
            number = add_evidence(
                connection,
                peer=peer,
                log=None,
                proven=True,
                charge=CARDS_FORKED,
                what=proven.what,
                digest=digest,
                data=data,
                now=now,
            )
            if number is not None:
                raise_alarm(connection, CARDS_FORKED, proven.what, now=now, mend=_mend(number), peer=peer)
        return Keeping(number, new=number is not None)

    def list(self) -> list[Kept]:
        """List what is kept, the newest last."""
        with self.database.read() as connection:
            return list_evidence(connection)

    def read(self, number: int) -> Kept:
        """Give what is kept under a number, with the newest card of the member added, which may void it.

        NotFoundError where there is nothing.
        """
        with self.database.read() as connection:
            kept = read_evidence(connection, number)
            if kept is None:
                raise NotFoundError(f"there is no evidence {number}", mend="see `hashpact evidence list`")
            data = _with_newest(connection, kept) if kept.proven else kept.data
        return replace(kept, data=data)


def examine(kept: Kept) -> Proven | None:
    """Say what kept evidence proves, by the roots that it holds; None where it is not proven."""
    return _prove(parse_evidence(kept.data)) if kept.proven else None


def kept_at(kept: Kept) -> str:
    """Say since when evidence is kept, as times are on the wire."""
    return format_time(datetime.fromtimestamp(kept.kept_at, UTC))


def notes_of(kept: Kept) -> list[bytes]:
    """Give the signed checkpoints in kept evidence."""
    if kept.proven:
        return list(parse_evidence(kept.data).notes)
    return [note.encode() for note in parse_canonical(kept.data.removesuffix(b"\n"))["notes"]]


def _mend(number: int) -> str:
    return (
        f"`hashpact evidence export {number} FILE`, and ask the member by another channel which story is true; "
        "the list held stays in force"
    )


def _digest(origin: str, notes: tuple[bytes, ...]) -> bytes:
    """Name what contradicts what: the log, and the heads, whoever cosigned them."""
    texts = sorted({parse_note(note).text for note in notes})
    return hashlib.sha256(b"\0".join((origin.encode(), *texts))).digest()


def _check_signed(log: Log, notes: tuple[bytes, ...]) -> None:
    """Raise SignatureError unless the log signed the checkpoint that was shown last."""
    keys = [VerifierKey.parse(key) for key in log.keys]
    if not notes:
        raise SignatureError("there is no checkpoint in this evidence", where=log.origin)
    verify_note(parse_note(notes[-1]), keys)


def _file(connection: Connection, log: Log, error: ForkError) -> tuple[bool, bytes, str]:
    """Give whether a fork is proven, the file to keep, and what to say of it."""
    try:
        evidence = _evidence(connection, log, error)
        proven = _prove(evidence)
        return True, encode_evidence(evidence), proven.what
    except HashpactError as reason:
        told = str(reason)
    notes = [note.decode() for note in error.evidence]
    value = {"format": UNPROVEN_FORMAT, "member": log.member, "notes": notes, "origin": log.origin, "reason": told}
    what = f"{log.origin}: {error.what}; it is not proven to others yet: {told}"
    return False, canonical_bytes(value) + b"\n", what


def _evidence(connection: Connection, log: Log, error: ForkError) -> Evidence:
    if len(error.evidence) != _TWO:
        raise EvidenceError("only one of the two checkpoints is held")
    files = load_files(connection, log.peer)
    targets = newest(files, TrustRole.TARGETS)
    if targets is None:
        raise TrustError("the member's targets metadata are not held", where=log.member)
    return Evidence(
        member=log.member,
        url=get_peer(connection, log.member).url,
        roots=tuple(roots(files).values()),
        cards=(SignedCard(targets, files.get(card_of(targets, where=log.member), b"")),),
        notes=error.evidence,
        divergence=_divergence(connection, log, error),
    )


def _divergence(connection: Connection, log: Log, error: ForkError) -> Divergence | None:
    """Give the divergence that the error carries, or the one that the tree held here shows."""
    if error.prefix_root is not None:
        return Divergence(error.prefix_root, error.proof)
    smaller, larger = sorted((parse_checkpoint(parse_note(note).text) for note in error.evidence), key=lambda c: c.size)
    if smaller.size == larger.size or larger.size > log.held_size:
        return None
    tree = EntryReader(connection).tree(log.number, larger.size)
    try:
        return find_divergence(smaller.size, Head(larger.size, larger.root), tree.node)
    except (ConsistencyError, NotFoundError, TileError):
        return None


def _prove(evidence: Evidence) -> Proven:
    if not evidence.roots:
        raise TrustError("no root of the member is held", where=evidence.member)
    return prove(evidence, evidence.roots[0])


def _with_newest(connection: Connection, kept: Kept) -> bytes:
    """Give kept evidence with the roots and the card that came since; as it was kept where those do not fit."""
    evidence = parse_evidence(kept.data)
    files = load_files(connection, kept.peer)
    targets = newest(files, TrustRole.TARGETS)
    if targets is None or targets == evidence.cards[-1].targets:
        return kept.data
    later = SignedCard(targets, files.get(card_of(targets, where=kept.member), b""))
    added = replace(evidence, roots=tuple(roots(files).values()), cards=(*evidence.cards, later))
    try:
        _prove(added)
        return encode_evidence(added)
    except HashpactError:  # another member's repository by now, or too large
        return kept.data
