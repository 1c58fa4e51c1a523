"""What a security team must see about a member's keys: where they live, how old they are, what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from hashpact_keys.keystore import KeyFile, inspect_key_file
from hashpact_keys.rows import ROWS, RowName
from hashpact_keys.signers import key_path
from hashpact_keys.trust import TrustState
from hashpact_protocol.card import Card
from hashpact_protocol.errors import HashpactError

EXPIRES_SOON: Final = timedelta(days=30)
"""How long before its end people are told about a key or a role that only people can renew."""

_OFFLINE_MEND: Final = {
    RowName.ROOT: (
        "TRIAL MODE: the root key lies on the serving host, and one key alone is enough. Whoever takes this host can "
        "take this member's name for good. Before real use, make root keys on machines that are never online, with "
        "a threshold of 2 of 3 or more, and move this file away."
    ),
    RowName.TARGETS: (
        "TRIAL MODE: the targets key lies on the serving host. Whoever takes this host can change which logs and keys "
        "count. Before real use, move this file to a security officer's machine or an HSM, and sign cards there."
    ),
}


@dataclass(frozen=True, slots=True)
class KeyHealth:
    """One key as ``hashpact keys status`` shows it.

    ``age`` goes by the date of the key file. ``expires`` is when the first thing that hangs on this row ends: TUF
    metadata that it signed, or the key's entry in the card; ``None`` where it counts as long as the card names it.
    """

    row: RowName
    uri: str
    public: bytes | None
    age: timedelta | None
    expires: datetime | None
    warnings: tuple[str, ...]


def key_health(
    uris: Mapping[RowName, tuple[str, ...]], *, home: Path, state: TrustState, card: Card, now: datetime
) -> list[KeyHealth]:
    """The health of every configured key, in the order of the rows; a key that cannot be read is a warning."""
    entries = []
    for row, uri in ((name, uri) for name in ROWS for uri in uris.get(name, ())):
        try:
            file = inspect_key_file(home / key_path(uri))
        except HashpactError as error:
            expires = _expiry(row, None, state, card)
            warnings = (str(error), *_expiry_warnings(row, expires, now))
            entries.append(KeyHealth(row, uri, None, None, expires, warnings))
        else:
            expires = _expiry(row, file.public, state, card)
            warnings = (*_place_warnings(row), *_expiry_warnings(row, expires, now), *_card_warnings(row, file, card))
            entries.append(KeyHealth(row, uri, file.public, now - file.modified_at, expires, warnings))
    return entries


def _place_warnings(row: RowName) -> list[str]:
    return [] if ROWS[row].on_serving_host else [_OFFLINE_MEND[row]]


def _expiry(row: RowName, public: bytes | None, state: TrustState, card: Card) -> datetime | None:
    ends = [role.expires for role in state.roles if role.role in ROWS[row].roles]
    if row is RowName.WITNESS:
        ends += [key.valid_until for key in card.witness_keys if key.key.public == public]
    if row is RowName.REQUEST:
        ends += [key.valid_until for key in card.request_keys if key.public == public]
    return min(ends, default=None)


def _expiry_warnings(row: RowName, expires: datetime | None, now: datetime) -> list[str]:
    if expires is None:
        return []
    if expires <= now:
        return [f"expired at {expires:%Y-%m-%dT%H:%M:%SZ}: {_renewal(row)}"]
    if row is not RowName.ONLINE and expires - now <= EXPIRES_SOON:
        return [f"expires at {expires:%Y-%m-%dT%H:%M:%SZ}: {_renewal(row)}"]
    return []


def _renewal(row: RowName) -> str:
    if row is RowName.ONLINE:
        return "the renewal job has not run; look at the node's jobs"
    if row is RowName.ROOT:
        return "the root keys must sign a new root"
    return "sign a new card"


def _card_warnings(row: RowName, file: KeyFile, card: Card) -> list[str]:
    """A key that the card does not name signs what nobody believes; a log key may wait for its first log."""
    kinds = ROWS[row].log_kinds
    waits = bool(kinds) and not any(log.kind.value in kinds for log in card.logs)
    if ROWS[row].roles or waits or (row.value, file.public) in set(card.public_keys()):
        return []
    return ["the card does not name this key, so nobody believes what it signs: sign a new card"]
