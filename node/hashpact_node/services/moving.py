"""Say anew whom listings are for: they begin in the logs where they are new, and end where they do not belong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from hashpact_node.services.audiences import log_names
from hashpact_node.services.own_listings import check_id
from hashpact_node.services.placing import Moved, Wanted, live_ids, move
from hashpact_node.services.publishing import ListingView, Publisher, Waiting
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log


@dataclass(frozen=True, slots=True)
class Mover:
    """Moves listings of this member; may be shared by threads."""

    database: Database
    publisher: Publisher
    now: Callable[[], datetime]

    def move(self, listing: str, wanted: Wanted, *, wait: bool = True) -> ListingView:
        """Move a listing, all of it stored or nothing; what hinders releasing it is told in the view's ``notice``.

        Raises what ``placing.move`` raises, StoreError.
        """
        self.publisher.must_need_no_other()
        check_id(listing)
        with self.database.write() as connection:
            moved = move(connection, listing, wanted, now=self.now())
        notice = self._release(_waiting(moved, listing)) if wait else None
        return replace(self.publisher.listing(listing), notice=notice)

    def move_all(self, audience: str, wanted: Wanted) -> tuple[int, str | None]:
        """Move all listings of an audience to others; how many, and what hinders releasing that.

        Those that further audiences have, too, stay with them. Stopped half way, it goes on when it is run again.
        Raises what ``placing.move`` raises, StoreError.
        """
        self.publisher.must_need_no_other()
        with self.database.read() as connection:
            name, ids = live_ids(connection, audience)
            log_names(connection, wanted.audiences)
        last: dict[tuple[str, bool], Waiting] = {}
        for one in ids:
            with self.database.write() as connection:
                moved = move(connection, one, replace(wanted, leaving=name), now=self.now())
            last |= _waiting(moved, one)
        return len(ids), self._release(last)

    def _release(self, waiting: dict[tuple[str, bool], Waiting]) -> str | None:
        notices = [self.publisher.try_release(one) for one in waiting.values()]
        return next((one for one in notices if one is not None), None)


def _waiting(moved: Moved, listing: str) -> dict[tuple[str, bool], Waiting]:
    """Give what is to be waited for, by the name of the log and whether it ends there."""

    def one(log: Log, *, ends: bool) -> tuple[tuple[str, bool], Waiting]:
        return (log.name, ends), Waiting(log, listing, withdrawn=ends)

    return dict([one(log, ends=False) for log in moved.begins] + [one(log, ends=True) for log in moved.ends])
