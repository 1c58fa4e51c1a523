"""Who must act about which row of keys, and by when (docs/protocol.md, Trust: rows of keys)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hashpact_keys.findings import Finding, Severity, finding
from hashpact_keys.rows import ROLE_VALIDITY, ROWS, RowName
from hashpact_keys.trust import RoleState, TrustState
from hashpact_protocol.card import Card
from hashpact_protocol.card_logs import LogState

WARN_DAYS: Final = (30, 14, 7, 1)
"""So many days before its end people are told of what only people can renew."""

URGENT_DAYS: Final = 7

LIFE_LEFT_LEAST: Final = 1 / 4
"""What the node signs anew by itself at half its life is late when less than this is left."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One row as people plan by it.

    ``threshold`` of ``named`` keys must sign; None in rows of the card, where each key counts for itself. ``expires``
    is when the row ends unless ``who`` does ``what`` by ``by``; None where it counts as long as the card names it.
    """

    row: RowName
    threshold: int | None
    named: int
    expires: datetime | None
    who: str
    what: str
    by: datetime | None


def duties(state: TrustState, card: Card) -> tuple[Duty, ...]:
    """Every row with who must act and by when, in the order of the rows."""
    return tuple(_duty(row, state, card) for row in ROWS)


def _duty(row: RowName, state: TrustState, card: Card) -> Duty:
    roles = _roles(row, state)
    expires = row_expires(row, state, card)
    who, what = _ACTS[row]
    by = None if row is RowName.ONLINE else expires
    if roles:
        return Duty(row, max(r.threshold for r in roles), max(len(r.key_ids) for r in roles), expires, who, what, by)
    open_logs = [log for log in card.logs if log.state is LogState.OPEN and log.kind.value in ROWS[row].log_kinds]
    named = {
        RowName.WITNESS: len(card.witness_keys),
        RowName.REQUEST: len(card.request_keys),
    }.get(row, len({key.public for log in open_logs for key in log.keys}))
    return Duty(row, None, named, expires, who, what, by)


def row_expires(row: RowName, state: TrustState, card: Card) -> datetime | None:
    """When a row ends: the first of its TUF roles, or the last of its keys in the card; None where nothing ends."""
    if ROWS[row].roles:
        return min((role.expires for role in _roles(row, state)), default=None)
    ends = [key.valid_until for key in card.witness_keys if row is RowName.WITNESS]
    ends += [key.valid_until for key in card.request_keys if row is RowName.REQUEST]
    return max(ends, default=None)


def key_expires(row: RowName, public: bytes | None, state: TrustState, card: Card) -> datetime | None:
    """When what hangs on one key ends: its row's roles, or its own entry in the card."""
    if ROWS[row].roles:
        return row_expires(row, state, card)
    ends = [key.valid_until for key in card.witness_keys if row is RowName.WITNESS and key.key.public == public]
    ends += [key.valid_until for key in card.request_keys if row is RowName.REQUEST and key.public == public]
    return max(ends, default=None)


def crossed(expires: datetime, now: datetime) -> int | None:
    """The smallest of ``WARN_DAYS`` within which ``expires`` lies, 0 when it is past, None when it is far."""
    if expires <= now:
        return 0
    return min((days for days in WARN_DAYS if expires - now <= timedelta(days=days)), default=None)


def expiry_findings(state: TrustState, card: Card, now: datetime) -> list[Finding]:
    """What ends soon or has ended, and what the node should have renewed."""
    found = []
    for duty in duties(state, card):
        days = None if duty.expires is None else crossed(duty.expires, now)
        act = f"{duty.who}: {duty.what}"
        if days == 0:
            found.append(finding("expired", duty.row, f"expired at {_text(duty.expires)}", mend=act))
        elif days is not None and duty.by is not None:
            severity = Severity.ERROR if days <= URGENT_DAYS else Severity.WARNING
            what = f"expires at {_text(duty.expires)}, in {days} days or less"
            found.append(finding("expires-soon", duty.row, what, mend=f"{act} by then", severity=severity))
    return found + _late(state, now)


def _late(state: TrustState, now: datetime) -> list[Finding]:
    late = [
        role
        for role in _roles(RowName.ONLINE, state)
        if now < role.expires < now + ROLE_VALIDITY[role.role] * LIFE_LEFT_LEAST
    ]
    return [
        finding("renewal-late", RowName.ONLINE, f"{role.role.value} expires at {_text(role.expires)}") for role in late
    ]


def _roles(row: RowName, state: TrustState) -> list[RoleState]:
    return [role for role in state.roles if role.role in ROWS[row].roles]


def _text(time: datetime | None) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


_ACTS: Final = {
    RowName.ROOT: ("the root holders", "sign a new root, `hashpact keys ceremony start`"),
    RowName.TARGETS: ("a security officer", "sign the card again, `hashpact keys ceremony start card.json --card`"),
    RowName.ONLINE: ("nobody", "the node renews it by itself"),
    RowName.RELEASE: ("nobody", "it counts as long as the card names it"),
    RowName.CRISIS: ("nobody", "it counts as long as the card names it"),
    RowName.WITNESS: ("a security officer", "sign a new card, `hashpact keys rotate witness`"),
    RowName.REQUEST: ("a security officer", "sign a new card, `hashpact keys rotate request`"),
}
"""Who does what, unless it is by a row's own doing."""
