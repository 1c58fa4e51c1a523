"""New cards in which a key takes another's place: rotation, and revocation (docs/protocol.md, Card).

Pure: a card in, a card out. A log's key is replaced in two cards: the first names both keys, and both sign; the second
names the new one alone. Of a witness or request key one card is enough, since it says from when and until when a key
counts: the new one begins once every reader has read that card. Names are never used again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from hashpact_keys.rows import ROWS, RowName, row_of_log
from hashpact_protocol.card import Card, RequestKey, WitnessKey
from hashpact_protocol.card_logs import CardLog, LogState
from hashpact_protocol.errors import ConflictError, RequestError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.notes import KeyType, VerifierKey

LOG_ROWS: Final = (RowName.RELEASE, RowName.CRISIS)
DATED_ROWS: Final = (RowName.WITNESS, RowName.REQUEST)
"""Rows whose keys the card names with the time in which they count."""

OVERLAP: Final = timedelta(hours=2)
"""From a new key's card to the moment from which it stands alone: readers read cards hourly."""

GRACE: Final = timedelta(hours=1)
"""How long a witness or request key still counts once its successor has begun."""

KEPT: Final = timedelta(days=90)
"""How long a key that is over stays in the card: cosignatures from its time count as long as it does."""


@dataclass(frozen=True, slots=True)
class DatedKey:
    """A witness or request key: 32 bytes, and the time in which it counts."""

    public: bytes
    begins: datetime
    ends: datetime


def dated_keys(card: Card, row: RowName) -> list[DatedKey]:
    """The witness or request keys that a card names, the one that begins last at the end."""
    if row is RowName.WITNESS:
        found = [DatedKey(one.key.public, one.valid_from, one.valid_until) for one in card.witness_keys]
    else:
        found = [DatedKey(one.public, one.valid_from, one.valid_until) for one in card.request_keys]
    return sorted(found, key=lambda key: key.begins)


def open_logs(card: Card, row: RowName) -> list[CardLog]:
    """The open logs whose checkpoints this row signs, in card order; those of audiences have keys of their own."""
    logs = [log for log in card.logs if log.state is LogState.OPEN and row_of_log(log.kind.value) is row]
    return [log for log in logs if log.name == log.kind.value]


def named_keys(card: Card, row: RowName) -> frozenset[bytes]:
    """The public keys, 32 bytes each, that the card names for a row now; of logs, those of open ones."""
    if row in LOG_ROWS:
        return frozenset(key.public for log in open_logs(card, row) for key in log.keys)
    return frozenset(public for name, public in card.public_keys() if name == row.value)


def with_log_key(card: Card, row: RowName, public: bytes) -> Card:
    """Name a new key on each open log of a row, beside those that it has.

    Raises:
        RequestError: the card names this key elsewhere.
    """
    if public not in named_keys(card, row):
        _must_be_new(card, public)
    wanted = {log.origin for log in open_logs(card, row)}

    def name_it(log: CardLog) -> CardLog:
        key = VerifierKey(log.origin, KeyType.ED25519, public)
        return replace(log, keys=(*log.keys, key)) if log.origin in wanted and key not in log.keys else log

    return replace(card, logs=tuple(map(name_it, card.logs)))


def with_log_key_alone(card: Card, row: RowName, public: bytes) -> Card:
    """Leave each open log of a row with this key alone, which it has already.

    Raises:
        ConflictError: an open log does not name the key yet.
    """
    for log in open_logs(card, row):
        if public not in {key.public for key in log.keys}:
            raise ConflictError(
                "the card does not name the new key for this log yet",
                where=log.origin,
                mend=f"run `hashpact keys rotate {row.value}` first",
            )
    wanted = {log.origin for log in open_logs(card, row)}

    def leave_it(log: CardLog) -> CardLog:
        return replace(log, keys=(VerifierKey(log.origin, KeyType.ED25519, public),)) if log.origin in wanted else log

    return replace(card, logs=tuple(map(leave_it, card.logs)))


def with_next_key(card: Card, row: RowName, public: bytes, *, now: datetime, overlap: timedelta = OVERLAP) -> Card:
    """Name the witness or request key that comes next: it begins after ``overlap``, and those before it end soon after.

    Where no key counts now, it begins at once; where the last one ends before, then. Keys that have been over for long
    are left out.

    Raises:
        RequestError: the card names this key already.
        ConflictError: the key that comes next is named already, and has not begun.
    """
    _must_be_new(card, public)
    now = now.replace(microsecond=0)
    before = _dated(card, row)
    if any(key.valid_from > now for key in before):
        raise ConflictError(
            f"the next {row.value} key is in the card already, and has not begun",
            where=card.url,
            mend=f"see `hashpact keys rotate --status`; `hashpact keys revoke {row.value}` replaces both at once",
        )
    last = max((key.valid_until for key in before if key.valid_until > now), default=now)
    begins = min(now + overlap, last)
    ends = begins + GRACE
    lately = sorted((key for key in before if key.valid_until > now - KEPT), key=lambda key: key.valid_from)
    kept = [replace(key, valid_until=min(key.valid_until, ends)) for key in lately[-(LIMITS.card_keys_max - 1) :]]
    return _with_dated(card, row, (*kept, _next_key(card, row, public, begins)))


def with_only_key(card: Card, row: RowName, public: bytes, *, now: datetime) -> Card:
    """Name this witness or request key alone, from now on: whatever the others signed counts no more.

    Raises:
        RequestError: the card names this key already.
    """
    _must_be_new(card, public)
    return _with_dated(card, row, (_next_key(card, row, public, now.replace(microsecond=0)),))


def _must_be_new(card: Card, public: bytes) -> None:
    for row, known in card.public_keys():
        if known == public:
            raise RequestError(
                f"the card names this key already, as a {row} key",
                where=card.url,
                mend="give a key that never served before",
            )


def _dated(card: Card, row: RowName) -> tuple[WitnessKey, ...] | tuple[RequestKey, ...]:
    return card.witness_keys if row is RowName.WITNESS else card.request_keys


def _with_dated(card: Card, row: RowName, keys: Iterable[WitnessKey | RequestKey]) -> Card:
    if row is RowName.WITNESS:
        return replace(card, witness_keys=tuple(key for key in keys if isinstance(key, WitnessKey)))
    return replace(card, request_keys=tuple(key for key in keys if isinstance(key, RequestKey)))


def _next_key(card: Card, row: RowName, public: bytes, begins: datetime) -> WitnessKey | RequestKey:
    """A key under the next name of its row: numbers only rise, since the newest key never leaves the card."""
    validity = ROWS[row].card_validity
    if validity is None:
        raise ValueError(f"the card names no time for keys of the row {row.value}")
    if row is RowName.WITNESS:
        name = _next_name(f"{MemberUrl.parse(card.url).prefix}/witness-", (one.key.name for one in card.witness_keys))
        return WitnessKey(VerifierKey(name, KeyType.COSIGNATURE, public), begins, begins + validity)
    name = _next_name(f"{card.member}-request-", (one.id for one in card.request_keys))
    return RequestKey(name, public, begins, begins + validity)


def _next_name(stem: str, names: Iterable[str]) -> str:
    pattern = re.compile(re.escape(stem) + "([0-9]{1,9})")
    taken = [int(found[1]) for name in names if (found := pattern.fullmatch(name))]
    return f"{stem}{max(taken, default=0) + 1}"
