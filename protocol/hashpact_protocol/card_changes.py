"""What a new card changes in a member's logs: notices, and alarms for people to look at (docs/protocol.md, Card).

No change is a reason to refuse a card: the newest verified one wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hashpact_protocol.card import Card
from hashpact_protocol.card_logs import CardLog, LogState


class ChangeCode(StrEnum):
    """What changed; stable words for rows and metrics."""

    ADDED = "log-added"
    CLOSED = "log-closed"
    ERASED = "log-erased"
    FRESH_CHANGED = "log-fresh-changed"
    KEYS_CHANGED = "log-keys-changed"
    FINAL_CHANGED = "log-final-changed"
    REOPENED = "log-reopened"
    DROPPED = "log-dropped"
    RENAMED = "log-renamed"
    ORDER_CHANGED = "log-order-changed"


_ALARMS = frozenset(
    {
        ChangeCode.FINAL_CHANGED,
        ChangeCode.REOPENED,
        ChangeCode.DROPPED,
        ChangeCode.RENAMED,
        ChangeCode.ORDER_CHANGED,
    }
)


@dataclass(frozen=True, slots=True)
class CardChange:
    """One change; ``subject`` is a log's origin, or a log name where the order of its logs changed.

    ``reason`` is what the member says of why a log was closed.
    """

    code: ChangeCode
    subject: str
    what: str
    reason: str | None = None

    @property
    def alarm(self) -> bool:
        """Whether somebody has to look at it; the others are notices."""
        return self.code in _ALARMS or self.reason is not None


def card_changes(old: Card, new: Card) -> list[CardChange]:
    """Compare the logs of two cards of one member, the one accepted before and the one accepted now."""
    changes: list[CardChange] = []
    before = {log.origin: log for log in old.logs}
    after = {log.origin: log for log in new.logs}
    for origin, log in before.items():
        successor = after.get(origin)
        if successor is None:
            changes.append(CardChange(ChangeCode.DROPPED, origin, "the card names it no longer, so it stops counting"))
        else:
            changes += _log_changes(log, successor)
    changes += [CardChange(ChangeCode.ADDED, origin, "is new in the card") for origin in after if origin not in before]
    changes += [
        CardChange(ChangeCode.ORDER_CHANGED, name, "its logs follow each other in another order")
        for name in old.names
        if _common_order(old, new, name) != _common_order(new, old, name)
    ]
    return changes


def _common_order(card: Card, other: Card, name: str) -> list[str]:
    """The origins of the logs of one name that the other card names so too, in this card's order."""
    there = {log.origin for log in other.sequence(name)}
    return [log.origin for log in card.sequence(name) if log.origin in there]


def _log_changes(old: CardLog, new: CardLog) -> list[CardChange]:
    changes = []
    if (old.name, old.kind) != (new.name, new.kind):
        changes.append(CardChange(ChangeCode.RENAMED, new.origin, f"was named {old.name} and is now {new.name}"))
    if old.state is not new.state:
        reopened = new.state is LogState.OPEN
        code = ChangeCode.REOPENED if reopened else ChangeCode.CLOSED
        what = "is open again" if reopened else f"is closed at {_end(new)}"
        changes.append(CardChange(code, new.origin, what, new.reason))
    elif old.final != new.final:
        what = f"was closed at {_end(old)} and is now at {_end(new)}"
        changes.append(CardChange(ChangeCode.FINAL_CHANGED, new.origin, what))
    if old.keys != new.keys:
        changes.append(CardChange(ChangeCode.KEYS_CHANGED, new.origin, f"has {len(new.keys)} keys, and not the same"))
    if old.fresh != new.fresh:
        what = f"fresh was {old.fresh or 'absent'} and is {new.fresh or 'absent'}"
        changes.append(CardChange(ChangeCode.FRESH_CHANGED, new.origin, what))
    if new.erased and not old.erased:
        changes.append(CardChange(ChangeCode.ERASED, new.origin, "is erased: its entries and blobs are destroyed"))
    return changes


def _end(log: CardLog) -> str:
    """Where a log ends, in words: two finals of one size can differ by their roots."""
    return "no size" if log.final is None else f"size {log.final.size}, root {log.final.root.hex()[:16]}"
