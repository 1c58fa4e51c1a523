"""What is held for review since there is far too much of it: shown, and let through (docs/policy.md, Floods)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hashpact_node.services.actors import Actor
from hashpact_node.services.deciding import WHY_MAX, actor_text, time_text
from hashpact_node.services.floods import MATCH_FLOOD, count_anew
from hashpact_node.services.judging_anew import incidents_of
from hashpact_node.services.naming import signal_text
from hashpact_node.services.rejudging import rejudge_now
from hashpact_node.store.alarms import clear_alarm
from hashpact_node.store.changes import Numbers
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.holds import Hold, HoldKind, count_holds, get_hold, list_holds, release_hold
from hashpact_node.store.judging import judge_all_anew, policy_in_force
from hashpact_node.store.logs import get_log
from hashpact_protocol.errors import ConflictError, RequestError

PAGE_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class HoldView:
    """One hold, for people; times are as on the wire.

    Of listings ``member``, ``log`` (an origin) and entries from ``first`` to before ``last``; of matches ``signal``.
    """

    number: int
    kind: str
    member: str | None
    log: str | None
    first: int | None
    last: int | None
    signal: str | None
    came: int
    usual: int
    since: str
    grown_at: str
    state: str
    released_at: str | None
    released_by: str | None
    released_why: str | None
    notice: str
    notice_error: str | None
    notified_at: str | None


@dataclass(frozen=True, slots=True)
class Holds:
    """Shows holds and lets through what they hold; may be shared by threads."""

    database: Database
    now: Callable[[], datetime]

    def list(self, *, released: bool = False, before: int | None = None, limit: int = PAGE_MAX) -> list[HoldView]:
        """Give holds, the newest first; those that were released only if asked, and with numbers below ``before``."""
        with self.database.read() as connection:
            found = list_holds(connection, released=released, before=before, limit=limit)
            return [_view(connection, one) for one in found]

    def show(self, number: int) -> HoldView:
        """Give one hold; NotFoundError."""
        with self.database.read() as connection:
            return _view(connection, get_hold(connection, number))

    def release(self, number: int, by: Actor, why: str | None = None) -> HoldView:
        """Let through what a hold holds; it stays as history.

        A signal is judged anew at once; of listings, the job `judge` does it within seconds. Raises NotFoundError,
        ConflictError where it was released before, RequestError, StoreError.
        """
        if why is not None and len(why) > WHY_MAX:
            raise RequestError(f"is longer than {WHY_MAX:,} characters", where="why")
        now = self.now()
        with self.database.write() as connection:
            # The counter first: what is merged meanwhile is judged by the hold, or finds it gone.
            numbers = Numbers(connection, now=int(now.timestamp()))
            hold = get_hold(connection, number, lock=True)
            if hold.released_at is not None:
                raise ConflictError("this hold was released already", where=str(number))
            release_hold(connection, number, by=actor_text(by), why=why, now=now)
            numbers.close()
            _judge_anew(connection, hold, now)
            return _view(connection, get_hold(connection, number))


def _judge_anew(connection: Connection, hold: Hold, now: datetime) -> None:
    if hold.key is not None:
        rejudge_now(connection, [hold.key], now=now)
        if not count_holds(connection)[HoldKind.MATCHES]:
            clear_alarm(connection, MATCH_FLOOD, now=now)
    elif hold.log is not None:
        count_anew(connection, get_log(connection, hold.log), now=now)
        judge_all_anew(
            connection, now=int(now.timestamp()), incidents=incidents_of(connection, policy_in_force(connection))
        )


def _view(connection: Connection, one: Hold) -> HoldView:
    log = None if one.log is None else get_log(connection, one.log)
    return HoldView(
        one.number,
        one.kind.value,
        None if log is None else log.member,
        None if log is None else log.origin,
        one.first,
        one.last,
        None if one.key is None else signal_text(one.key),
        one.came,
        one.usual,
        time_text(one.since) or "",
        time_text(one.grown_at) or "",
        "held" if one.released_at is None else "released",
        time_text(one.released_at),
        one.released_by,
        one.released_why,
        one.notice.value,
        one.notice_error,
        time_text(one.notified_at),
    )
