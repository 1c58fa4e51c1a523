"""Drafts as people look at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hashpact_node.store.connection import Connection
from hashpact_node.store.drafts import Draft, DraftState
from hashpact_node.store.logs import get_log
from hashpact_protocol.statement_fields import format_time

RELEASED: Final = "released"


@dataclass(frozen=True, slots=True)
class Somebody:
    """Who proposed or decided: a kind of actor, and a name of it."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class DraftView:
    """A draft as people look at it: ``state`` is writing, waiting, approved, rejected or released.

    ``listings`` and ``withdrawals`` say how many it proposes, ``title`` what it is in a line. ``notice`` says why one
    that was approved is not released, ``rests_until`` when it may be at the earliest.
    """

    id: str
    kind: str
    state: str
    log: str
    title: str
    listings: int
    withdrawals: int
    erase: bool
    proposed_by: Somebody
    proposed_at: str
    decided_by: Somebody | None
    decided_at: str | None
    reason: str | None
    notice: str | None = None
    rests_until: str | None = None


@dataclass(frozen=True, slots=True)
class DraftDetail:
    """A draft with its statements, the first 100 of them, as they will be signed; ``more`` says that there are others.

    There are none any more once it is decided: what was approved stands in the queue or in the log.
    """

    draft: DraftView
    statements: tuple[dict[str, Any], ...]
    more: bool


def draft_view(connection: Connection, draft: Draft) -> DraftView:
    """Give a draft as people look at it; ``released`` once all of it that has a place is shown."""
    state = draft.state.value
    if draft.state is DraftState.APPROVED and draft.log is not None and draft.size is not None:
        state = RELEASED if get_log(connection, draft.log).accepted_size >= draft.size else state
    decider = None
    if draft.decider_kind is not None and draft.decider_name is not None:
        decider = Somebody(draft.decider_kind, draft.decider_name)
    return DraftView(
        id=draft.id,
        kind=draft.kind.value,
        state=state,
        log=draft.log_name,
        title=draft.title,
        listings=draft.listings,
        withdrawals=draft.withdrawals,
        erase=draft.erase,
        proposed_by=Somebody(draft.proposer_kind, draft.proposer_name),
        proposed_at=_time(draft.proposed_at),
        decided_by=decider,
        decided_at=None if draft.decided_at is None else _time(draft.decided_at),
        reason=draft.reason,
    )


def _time(seconds: int) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))
