"""The change feed: one entry a signal, at its last change, in the order in which this node committed them.

Whoever follows it from any page's cursor has the blocklist as it is. A removed key is never forgotten, and a key that
leaves the action asked for arrives as ``remove``, so nobody ever has to start again.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter

from hashpact_node import clock
from hashpact_node.services.claims_view import ClaimsView, SignalView, affordable
from hashpact_node.services.explaining_reasons import reason_of
from hashpact_node.services.known_facts import KnownFacts
from hashpact_node.store.changes import change_times, last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.signals import SignalRow, masks, page_by_number, page_of_mask
from hashpact_protocol.errors import RequestError
from hashpact_protocol.policy import Action
from hashpact_protocol.statement_fields import format_time

PAGE_MAX = 10_000
SET = "set"
REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of one signal; ``time`` is when this node committed it, as on the wire.

    ``reason`` says in lines for people what the rule rests on; if more became known since, it says the rule alone.
    """

    n: int
    key: str
    op: str
    action: str
    publishers: tuple[str, ...]
    labels: tuple[str, ...]
    rule: str
    reason: tuple[str, ...]
    time: str


@dataclass(frozen=True, slots=True)
class Changes:
    """One page. ``cursor`` is where the next one begins; ``time`` that of the last change before it, if any."""

    changes: tuple[Change, ...]
    cursor: int
    more: bool
    time: str | None


@dataclass(frozen=True, slots=True)
class ChangeFeed:
    """Reads the change feed; each page is one snapshot of the database."""

    database: Database
    now: Callable[[], datetime] = clock.now

    def changes(self, since: int = 0, *, action: Action | None = None, limit: int = 1_000) -> Changes:
        """Give up to ``limit`` changes after number ``since``, of all signals or of those that ever had ``action``.

        There are fewer where they have very many claims. Raises RequestError for a limit that is not 1 to 10 000, and
        for a ``since`` that this feed never gave.
        """
        _check_limit(limit)
        with self.database.read() as connection:
            last = last_change(connection)
            _check_since(since, last)
            found = _rows(connection, since, action, limit + 1)
            rows = found[: affordable(found[:limit])]
            more = len(found) > len(rows)
            cursor = rows[-1].number if more else last
            times = _Times(change_times(connection, since + 1, max(cursor, 1)))
            views = ClaimsView(connection).views(rows, claims=False) if rows else []
            known = KnownFacts(connection, self.now()).of([(row.key, row.claims) for row in rows]) if rows else []
        changes = tuple(
            _change(view, action, times.of(view.number), reason_of(view.rule, one.judgement))
            for view, one in zip(views, known, strict=True)
        )
        return Changes(changes, cursor, more, times.of(cursor) if cursor else None)


class _Times:
    """Tells the time of change numbers out of the steps at which it moved."""

    def __init__(self, steps: Sequence[tuple[int, int]]) -> None:
        self._firsts = [first for first, _ in steps]
        self._texts = [format_time(datetime.fromtimestamp(time, UTC)) for _, time in steps]

    def of(self, number: int) -> str:
        return self._texts[bisect_right(self._firsts, number) - 1]


def _rows(connection: Connection, since: int, action: Action | None, limit: int) -> list[SignalRow]:
    """Give the rows of a page; of one action by the index of sets of actions, however few there are among millions."""
    if action is None:
        return page_by_number(connection, since, limit=limit)
    pages = [
        page_of_mask(connection, since, mask=mask, limit=limit) for mask in masks(connection) if mask & int(action)
    ]
    return list(islice(heapq.merge(*pages, key=attrgetter("number")), limit))


def _change(view: SignalView, action: Action | None, time: str, reason: tuple[str, ...]) -> Change:
    stands = view.action != Action.NONE.word if action is None else view.action == action.word
    op = SET if stands else REMOVE
    return Change(view.number, view.key, op, view.action, view.publishers, view.labels, view.rule, reason, time)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= PAGE_MAX:
        raise RequestError(f"a page holds 1 to {PAGE_MAX} changes, not {limit}", where="limit")


def _check_since(since: int, last: int) -> None:
    if 0 <= since <= last:
        return
    what = "a change number is 0 or more" if since < 0 else f"the newest change has the number {last}"
    raise RequestError(
        f"{what}, so {since} is no cursor of this feed",
        where="since",
        mend="go on from the cursor of the last page that this node gave; with none, or if the node was restored from "
        "an older backup, begin at 0 and drop what does not come again",
    )
