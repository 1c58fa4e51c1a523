"""What a reader makes of a checkpoint that it was shown (docs/protocol.md, Reading).

Nothing here reads or stores: note, trust and what is held come in, a judgement comes out. That a larger checkpoint
continues what is held is proven afterwards, from tiles or entries (``hashpact_protocol.authenticate``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hashpact_protocol.card import WitnessKey
from hashpact_protocol.errors import ASK_WHICH_STORY, ForkError, SignatureError, VerificationError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.notes import (
    Checkpoint,
    Cosigned,
    Note,
    VerifierKey,
    cosignatures,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from hashpact_protocol.tlog_policy import TlogPolicy

__all__ = [
    "Head",
    "Judged",
    "LogTrust",
    "Verdict",
    "WitnessKey",
    "check_log_signatures",
    "is_stale",
    "judge_checkpoint",
]


@dataclass(frozen=True, slots=True)
class LogTrust:
    """Whom a reader believes about one log, out of the cards accepted now.

    ``keys`` are those that the publisher's card names for this log, ``other_keys`` those of its other logs.
    ``witnesses`` holds the witness keys of members by id; publisher and reader never count, even if they stand there.
    """

    origin: str
    keys: tuple[VerifierKey, ...]
    other_keys: tuple[VerifierKey, ...]
    publisher: str
    reader: str
    publisher_witness: tuple[WitnessKey, ...]
    witnesses: Mapping[str, tuple[WitnessKey, ...]]


@dataclass(frozen=True, slots=True)
class Head:
    """A size in entries, and the 32-byte root over them."""

    size: int
    root: bytes


class Verdict(StrEnum):
    """What a checkpoint means to the reader; a fork is no verdict but an error."""

    NO_NEWS = "no-news"
    OLD_ANSWER = "old-answer"
    GROWN = "grown"
    WAITING = "waiting"
    """Larger, and not cosigned by as many others, or those others, as the reader asks for."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A checkpoint whose signatures were verified, and what follows from it.

    ``own_cosigned_at`` is the newest acceptable cosignature of the publisher, in Unix seconds, or None.
    ``cosigners`` are the other members whose cosignatures count. ``notices`` are for people to read.
    """

    verdict: Verdict
    checkpoint: Checkpoint
    note: bytes
    own_cosigned_at: int | None
    cosigners: frozenset[str]
    notices: tuple[str, ...]


def judge_checkpoint(
    note: bytes,
    trust: LogTrust,
    *,
    held: Head | None,
    accepted_note: bytes | None,
    root_at: Callable[[int], bytes | None],
    now: datetime,
    require_witnesses: int | TlogPolicy = 0,
) -> Judged:
    """Judge the bytes of a checkpoint against the newest accepted one.

    ``held`` is what was accepted, ``accepted_note`` its note, None before the first. ``root_at`` gives the reader's own
    root at a size, or None where it does not hold the entries. ``require_witnesses`` counts other members; of a
    policy (C2SP tlog-policy) the quorum counts, by the keys that the policy names for its witnesses. Its logs do not
    matter, since cards say what signs a log.

    Raises ``NoteError`` for bytes that are no checkpoint, ``SignatureError`` when no key of the log signed or a key of
    the publisher signed wrongly, ``ForkError`` with both notes when two stories are told, and ``VerificationError``
    for another log's checkpoint, an impossible one, and one of more than 2**32 entries.
    """
    parsed = parse_note(note)
    checkpoint = parse_checkpoint(parsed.text)
    _check_sense(checkpoint, trust)
    check_log_signatures(parsed, trust)
    cosigners, notices = _count_cosigners(parsed, trust)
    if isinstance(require_witnesses, TlogPolicy):
        enough = require_witnesses.is_met(_witnessing(parsed, trust, require_witnesses))
    else:
        enough = len(cosigners) >= require_witnesses
    verdict = Verdict.GROWN if enough else Verdict.WAITING
    own_root = held.root if held is not None and checkpoint.size == held.size else root_at(checkpoint.size)
    _check_story(checkpoint, own_root, evidence=(accepted_note, note))
    if held is not None and checkpoint.size <= held.size:
        verdict = Verdict.NO_NEWS if checkpoint.size == held.size else Verdict.OLD_ANSWER
    own_cosigned_at = _own_cosigned_at(parsed, trust, now)
    if verdict is Verdict.OLD_ANSWER and own_root is None:
        # Nothing says yet that this log ever had that root, so it says nothing about how fresh the log is.
        own_cosigned_at = None
        notices.append(f"the root of the smaller size {checkpoint.size} cannot be confirmed yet")
    return Judged(verdict, checkpoint, note, own_cosigned_at, cosigners, tuple(notices))


def is_stale(
    own_cosigned_at: int | None, now: datetime, *, stale_after_seconds: int = LIMITS.stale_after_seconds
) -> bool:
    """Whether a log's newest own cosignature, in Unix seconds, is missing, too old, or ahead beyond the skew."""
    if own_cosigned_at is None:
        return True
    age = now.timestamp() - own_cosigned_at
    return not -LIMITS.clock_skew_seconds <= age <= stale_after_seconds


def _check_sense(checkpoint: Checkpoint, trust: LogTrust) -> None:
    if checkpoint.origin != trust.origin:
        raise VerificationError(
            f"the checkpoint is of the log {checkpoint.origin!r}",
            where=trust.origin,
            mend="the member has to serve each log at the URL that its card names",
        )
    if checkpoint.size > LIMITS.log_max_entries:
        raise VerificationError(
            f"a log of {checkpoint.size} entries is refused, {LIMITS.log_max_entries} are the most",
            where=trust.origin,
            mend="the member has to go on in a successor",
        )
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise VerificationError(
            "the root is not that of an empty log, and the size is 0",
            where=trust.origin,
            mend="the member has to sign the hash of the empty tree (RFC 6962, section 2.1)",
        )


def check_log_signatures(note: Note, trust: LogTrust) -> None:
    """Check that a key of this log signed, and that nobody of the publisher signed wrongly; SignatureError."""
    witness_keys = {witness.key for witness in trust.publisher_witness}
    signers = verify_note(note, {*trust.keys, *trust.other_keys, *witness_keys})
    if not set(signers) & set(trust.keys):
        raise SignatureError(
            "no key that the card names for this log signed the checkpoint",
            where=trust.origin,
            mend="read the member's trust repository again: the key may be new",
        )


def _check_story(checkpoint: Checkpoint, own_root: bytes | None, *, evidence: tuple[bytes | None, bytes]) -> None:
    """Raise ``ForkError`` when the reader's own root at the checkpoint's size is another one."""
    if own_root is not None and own_root != checkpoint.root:
        raise ForkError(
            f"the log has two roots at size {checkpoint.size}",
            evidence=tuple(note for note in evidence if note is not None),
            where=checkpoint.origin,
            mend=ASK_WHICH_STORY,
        )


def _own_cosigned_at(note: Note, trust: LogTrust, now: datetime) -> int | None:
    latest = now.timestamp() + LIMITS.clock_skew_seconds
    own = cosignatures(note, {witness.key for witness in trust.publisher_witness})
    return max(
        (
            cosigned.timestamp
            for cosigned in own
            if cosigned.timestamp <= latest and _within_validity(cosigned, trust.publisher_witness)
        ),
        default=None,
    )


def _count_cosigners(note: Note, trust: LogTrust) -> tuple[frozenset[str], list[str]]:
    """Give the other members whose cosignatures count, and a notice for each that is wrong."""
    signed: dict[str, set[bytes]] = {}
    notices: list[str] = []
    for member, witness_keys in sorted(trust.witnesses.items()):
        right, wrong = _cosigned_by(note, witness_keys)
        if wrong:
            notices.append(f"a signature that claims to be the cosignature of {member} is wrong, and counts as none")
        if member not in {trust.publisher, trust.reader}:
            signed[member] = {cosigned.key.public for cosigned in right if _within_validity(cosigned, witness_keys)}
    own = _own_witness_keys(trust)
    return _distinct(signed, own), notices


def _own_witness_keys(trust: LogTrust) -> set[bytes]:
    """Give the public keys with which publisher and reader witness."""
    own = {witness.key.public for witness in trust.publisher_witness}
    return own | {
        witness.key.public for member in (trust.publisher, trust.reader) for witness in trust.witnesses.get(member, ())
    }


def _witnessing(note: Note, trust: LogTrust, policy: TlogPolicy) -> set[bytes]:
    """Give the names of the policy's witnesses that cosigned, without publisher and reader.

    A wrong line counts as none: anybody may have added it. The time that a cosignature tells does not matter.
    """
    own = _own_witness_keys(trust) | {key.public for key in (*trust.keys, *trust.other_keys)}
    return {name for name, key in policy.witnesses.items() if key.public not in own and _right_lines(note, key)[0]}


def _cosigned_by(note: Note, witness_keys: Iterable[WitnessKey]) -> tuple[list[Cosigned], bool]:
    """Verify one by one the lines that name one of the keys; say whether any of them is wrong."""
    right: list[Cosigned] = []
    wrong = False
    for key in {witness.key: None for witness in witness_keys}:
        by_key, by_nobody = _right_lines(note, key)
        right += by_key
        wrong = wrong or by_nobody
    return right, wrong


def _right_lines(note: Note, key: VerifierKey) -> tuple[list[Cosigned], bool]:
    right: list[Cosigned] = []
    wrong = False
    for line in note.signatures:
        try:
            right += cosignatures(Note(note.text, (line,)), (key,))
        except SignatureError:
            wrong = True
    return right, wrong


def _distinct(signed: Mapping[str, set[bytes]], used: set[bytes]) -> frozenset[str]:
    """The members that count when each public key speaks for one of them only, and those in ``used`` for none.

    A cosignature does not commit to the name of its key, so one witness that two members list signs for both. Those
    with a key of their own come first; then each shared key counts for the first by id. That never counts too many.
    """
    counted: set[str] = set()
    spent = set(used)
    shared = {
        key
        for member, keys in signed.items()
        for other, more in signed.items()
        if other != member
        for key in keys & more
    }
    for candidates in ({member: keys - shared for member, keys in signed.items()}, signed):
        for member in sorted(candidates.keys() - counted):
            free = sorted(candidates[member] - spent)
            if free:
                counted.add(member)
                spent.add(free[0])
    return frozenset(counted)


def _within_validity(cosigned: Cosigned, witness_keys: Iterable[WitnessKey]) -> bool:
    return any(
        witness.key == cosigned.key
        and witness.valid_from.timestamp() <= cosigned.timestamp <= witness.valid_until.timestamp()
        for witness in witness_keys
    )
