"""What an explanation says: values, which the command line and the API show as they are. Times are as on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hashpact_node.services.explaining_history import Event
from hashpact_node.services.explaining_reasons import WouldChange

NOT_KEPT: Final = "this node keeps when a signal changed last, and not when each listing arrived"
"""Why "since when" is what the publisher says, and the place in its log."""


@dataclass(frozen=True, slots=True)
class Thought:
    """What a member thinks of a listing; ``counts`` unless it is about an older revision. ``log`` is an origin."""

    member: str
    verdict: str
    reason: str | None
    time: str
    log: str
    index: int
    counts: bool


@dataclass(frozen=True, slots=True)
class Said:
    """One member's live listing of a signal; ``time`` is when the member says that it listed it, ``log`` an origin."""

    member: str
    own: bool
    listing: str | None
    time: str | None
    log: str
    index: int
    content: str | None = None
    labels: tuple[str, ...] = ()
    confirmed: str | None = None
    handling: str | None = None
    origin: str | None = None
    incident: str | None = None
    quality: int | None = None
    expired: bool = False
    expires: str | None = None
    review_by: str | None = None
    note: str | None = None
    opinions: tuple[Thought, ...] = ()
    preserve: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What this company decided, about the signal or a listing of it; ``scope``: about whose claims, None for all."""

    number: int
    verdict: str
    about: str
    why: str
    made_by: str
    made_at: str
    scope: tuple[str, ...] | None
    until: str | None


@dataclass(frozen=True, slots=True)
class Became:
    """What became of matches of a signal, in numbers, as whoever matches said it last on ``last_day`` (UTC)."""

    matched: int
    removed: int
    appealed: int
    reinstated: int
    last_day: str


@dataclass(frozen=True, slots=True)
class ExplainedSignal:
    """One signal: its action, the rule behind it and because of what, who says what, what would change it.

    ``distance``: how far it is from what was asked. ``changed_at``: when it last changed here, None if it never did.
    ``claims_total``: of how many claims ``said`` shows at most 100. ``outcomes``: None where nobody has said any.
    """

    type: str
    value: str
    distance: int
    action: str
    rule: str
    because: tuple[str, ...]
    changed_at: str | None
    claims_total: int
    said: tuple[Said, ...]
    decisions: tuple[Decided, ...]
    would_change: tuple[WouldChange, ...]
    history: tuple[Event, ...] = ()
    notices: tuple[str, ...] = ()
    outcomes: Became | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was asked (``signal``, ``file`` or ``listing``), the strongest action, and each signal behind it.

    ``known`` is False where there is nothing to explain: nobody lists it, and nobody ever did. ``history`` is that of
    the listing that was asked about; each signal has its own.
    """

    asked: str
    kind: str
    member: str
    at: str
    known: bool
    action: str
    signals: tuple[ExplainedSignal, ...]
    history: tuple[Event, ...] = ()
    notices: tuple[str, ...] = ()
