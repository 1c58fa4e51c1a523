"""The member card: which logs and keys a member has, now (docs/protocol.md, Card).

A card is the one product of a member's trust repository. It is accepted or refused whole, and what counts is a
function of the newest accepted one alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hashpact_protocol.base64_text import encode_base64
from hashpact_protocol.canonical import canonical_bytes
from hashpact_protocol.card_fields import Fields, read_object, refuse
from hashpact_protocol.card_logs import (
    CardLog,
    LogKind,
    check_sequences,
    counting_logs,
    log_names,
    log_sequence,
    read_bytes,
    read_key,
    read_log,
)
from hashpact_protocol.ed25519 import PUBLIC_KEY_BYTES, check_public_key
from hashpact_protocol.errors import MemberNameError, NoteError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.notes import KeyType, VerifierKey

# It stands between quotes in the parameters of a signature (RFC 9421, section 2.3).
_REQUEST_KEY_ID = re.compile(r"[!#-\[\]-~]{1,128}")


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A key for cosignatures; those with a timestamp from ``valid_from`` to ``valid_until``, both included, count."""

    key: VerifierKey
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An Ed25519 key, 32 bytes, for requests between nodes; valid from ``valid_from`` to ``valid_until``."""

    id: str
    public: bytes
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Card:
    """A card whose every rule was checked. Logs stand in card order."""

    member: str
    name: str
    url: str
    contacts: tuple[str, ...]
    logs: tuple[CardLog, ...]
    witness_keys: tuple[WitnessKey, ...]
    request_keys: tuple[RequestKey, ...]

    @property
    def names(self) -> list[str]:
        """The names of its logs, each once, in card order."""
        return log_names(self.logs)

    def sequence(self, name: str) -> list[CardLog]:
        """The logs of one name in the order in which they count: closed ones in card order, then the open one."""
        return log_sequence(self.logs, name)

    def counting(self, name: str) -> list[CardLog]:
        """The logs with which a new reader of that name starts: the last fresh one and what follows it."""
        return counting_logs(self.logs, name)

    def log(self, origin: str) -> CardLog | None:
        """The log with that origin, if the card names it."""
        return next((log for log in self.logs if log.origin == origin), None)

    def public_keys(self) -> Iterator[tuple[str, bytes]]:
        """Every public key, 32 bytes, with its row: ``release``, ``crisis``, ``witness`` or ``request``."""
        for log in self.logs:
            row = "crisis" if log.kind is LogKind.CRISIS else "release"
            yield from ((row, key.public) for key in log.keys)
        yield from (("witness", witness.key.public) for witness in self.witness_keys)
        yield from (("request", request.public) for request in self.request_keys)


def parse_card(data: bytes, *, member: str, url: str) -> Card:
    """Read the card of the member whose id and URL the operator pinned.

    Raises ``CardError``, which names the field, when any rule is broken (docs/protocol.md, Card).
    """
    fields = read_object(data)
    for name, pinned in (("member", member), ("url", url)):
        if fields.text(name) != pinned:
            fields.refuse(name, f"is not {pinned!r}, under which this member is known")
    try:
        member_url = MemberUrl.parse(url)
    except MemberNameError as error:
        fields.refuse("url", error.what)
    logs = tuple(read_log(log, member_url) for log in fields.objects("logs", LIMITS.card_logs_max))
    check_sequences(logs, fields)
    card = Card(
        member=member,
        name=fields.text("name"),
        url=url,
        contacts=tuple(fields.texts("contacts")),
        logs=logs,
        witness_keys=tuple(
            _read_witness_key(key, member_url) for key in fields.objects("witness_keys", LIMITS.card_keys_max)
        ),
        request_keys=tuple(_read_request_key(key) for key in fields.objects("request_keys", LIMITS.card_keys_max)),
    )
    _check_rows(card)
    return card


def encode_card(card: Card) -> bytes:
    """Write a card as canonical JSON (RFC 8785). Whoever signs it parses it first, which checks every rule."""
    value = {
        "contacts": list(card.contacts),
        "logs": [_log_value(log) for log in card.logs],
        "member": card.member,
        "name": card.name,
        "request_keys": [
            {"from": _time_text(key.valid_from), "id": key.id, "key": encode_base64(key.public)}
            | {"until": _time_text(key.valid_until)}
            for key in card.request_keys
        ],
        "url": card.url,
        "witness_keys": [
            {"from": _time_text(key.valid_from), "key": str(key.key), "until": _time_text(key.valid_until)}
            for key in card.witness_keys
        ],
    }
    return canonical_bytes(value)


def _read_witness_key(fields: Fields, member_url: MemberUrl) -> WitnessKey:
    key = read_key(fields, "key", fields.text("key"), KeyType.COSIGNATURE)
    try:
        member_url.check_witness_name(key.name)
    except MemberNameError as error:
        fields.refuse("key", error.what)
    return WitnessKey(key, *_read_validity(fields))


def _read_request_key(fields: Fields) -> RequestKey:
    key_id = fields.text("id")
    if _REQUEST_KEY_ID.fullmatch(key_id) is None:
        fields.refuse("id", "is not 1 to 128 visible ASCII characters other than quote and backslash")
    public = read_bytes(fields, "key", PUBLIC_KEY_BYTES)
    try:
        check_public_key(public)
    except NoteError as error:
        fields.refuse("key", f"is refused: {error}")
    return RequestKey(key_id, public, *_read_validity(fields))


def _read_validity(fields: Fields) -> tuple[datetime, datetime]:
    start, end = fields.time("from"), fields.time("until")
    if start >= end:
        fields.refuse("until", "is not later than from")
    return start, end


def _check_rows(card: Card) -> None:
    """Refuse a public key in two rows, whatever its names and key ids, and two request keys of one id."""
    rows: dict[bytes, str] = {}
    for row, public in card.public_keys():
        if rows.setdefault(public, row) != row:
            refuse(f"one key serves as {rows[public]} key and as {row} key", "card")
    if len({key.id for key in card.request_keys}) != len(card.request_keys):
        refuse("two keys have one id", "request_keys")


def _log_value(log: CardLog) -> dict[str, Any]:
    value: dict[str, Any] = {
        "keys": [str(key) for key in log.keys],
        "kind": log.kind.value,
        "name": log.name,
        "origin": log.origin,
        "state": log.state.value,
        "url": log.url,
    }
    if log.final is not None:
        value["final"] = {"root": encode_base64(log.final.root), "size": log.final.size}
    if log.fresh is not None:
        value["fresh"] = log.fresh
    if log.erased:
        value["erased"] = True
    if log.reason is not None:
        value["reason"] = log.reason
    return value


def _time_text(time: datetime) -> str:
    # %Y does not fill years below 1000 with zeros everywhere.
    return f"{time.year:04}{time:-%m-%dT%H:%M:%SZ}"
