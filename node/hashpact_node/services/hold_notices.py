"""Tell the publisher of what is held for review: by an opinion `seen`, whose note gives the figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hashpact_node.services.naming import NamedListing, listing_text, listings_at
from hashpact_node.services.opining import LISTINGS_MAX, Opining, Thought
from hashpact_node.services.views import own_peer
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.holds import Hold, HoldKind, Notice, due_notices, get_hold, set_notice
from hashpact_node.store.opinions import TAKEN_BACK, list_opinions
from hashpact_node.store.owners import find_owners
from hashpact_node.store.signals import find_signals
from hashpact_protocol.claims import Place, unpack_claims
from hashpact_protocol.errors import ConflictError, HashpactError, KeyUnavailableError, StoreError

AT_ONCE: Final = 20
"""How many notices one run of the job sends."""

LOOKED_AT: Final = 256
"""Among how many of the newest entries of a hold a listing is looked for that still stands."""

SEEN: Final = "seen"


@dataclass(frozen=True, slots=True)
class HoldNotices:
    """Sends notices; may be shared by threads."""

    database: Database
    opining: Opining
    now: Callable[[], datetime]

    def send_due(self) -> int:
        """Send the notices that are due; how many were sent. Those that cannot be are said to be refused.

        Raises KeyUnavailableError and StoreError, and those are tried again.
        """
        with self.database.read() as connection:
            due = due_notices(connection, limit=AT_ONCE)
        return sum(self._send(one, wait=False) is None for one in due)

    def send(self, number: int) -> None:
        """Send the notice of one hold now, whatever came of it before.

        Raises NotFoundError, ConflictError for a hold that was released, and what ``Opining.opine`` raises.
        """
        with self.database.read() as connection:
            hold = get_hold(connection, number)
        if hold.released_at is not None:
            raise ConflictError("this hold was released already", where=str(number))
        refusal = self._send(hold, wait=True)
        if refusal is not None:
            raise refusal

    def _send(self, hold: Hold, *, wait: bool) -> HashpactError | None:
        """Tell a publisher; give why that was refused, which is shown with the hold."""
        try:
            self._tell(hold, wait=wait)
        except (KeyUnavailableError, StoreError):
            raise
        except HashpactError as error:
            self._note(hold, Notice.REFUSED, error)
            return error
        return None

    def _tell(self, hold: Hold, *, wait: bool) -> None:
        with self.database.read() as connection:
            own = own_peer(connection).member
            found = [one for one in _held_listings(connection, hold) if one.listed.member != own]
            about = [listing_text(one.listed) for one in found if not _said_more(connection, one, own)]
        if not about:
            what = "this member says of it already what it thinks" if found else "nothing of others that is held stands"
            raise ConflictError(what, where=str(hold.number))
        for text in about:
            self.opining.opine(text, Thought(SEEN, None, note_of(hold)), wait=wait)
        self._note(hold, Notice.SENT, None)

    def _note(self, hold: Hold, notice: Notice, error: HashpactError | None) -> None:
        sent = self.now() if notice is Notice.SENT else None
        with self.database.write() as connection:
            set_notice(connection, hold.number, notice, error=None if error is None else str(error), now=sent)


def note_of(hold: Hold) -> str:
    """Give the words that a publisher reads."""
    if hold.kind is HoldKind.LISTINGS:
        return f"held for review here: {hold.came:,} listings of yours came within a day, usually {hold.usual:,}"
    return f"held for review here: it matched {hold.came:,} times within a day, usually {hold.usual:,}"


def _held_listings(connection: Connection, hold: Hold) -> list[NamedListing]:
    """Give the listings of which their publishers are told: all that list a signal, or the newest of a flood."""
    if hold.key is not None:
        row = find_signals(connection, [hold.key]).get(hold.key)
        places = [] if row is None else [Place(one.log, one.position) for one in unpack_claims(row.claims)]
        return listings_at(connection, places)[:LISTINGS_MAX]
    if hold.log is None or hold.first is None or hold.last is None:
        return []
    for position in range(hold.last - 1, max(hold.first, hold.last - LOOKED_AT) - 1, -1):
        for named in listings_at(connection, [Place(hold.log, position)]):
            owner = find_owners(connection, named.log.sequence, [named.listed.listing]).get(named.listed.listing)
            if owner is not None and owner.live and (owner.log, owner.position) == (hold.log, position):
                return [named]
    return []


def _said_more(connection: Connection, named: NamedListing, own: str) -> bool:
    """Say whether this member agrees or disagrees already: to say that it was seen would take that back."""
    return any(
        whose == own and one.verdict not in (SEEN, TAKEN_BACK) for whose, one in list_opinions(connection, named.listed)
    )
