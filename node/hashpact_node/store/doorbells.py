"""What doorbells asked for: logs to be pulled at once, for whichever process pulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, delete, select
from sqlmodel import col

from hashpact_node.store import tables
from hashpact_node.store.database import insert_into
from hashpact_node.store.peers import ACTIVE
from hashpact_node.store.tables_witnesses import Doorbell


@dataclass(frozen=True, slots=True)
class Ring:
    """A log to be pulled at ``due_ms`` (Unix milliseconds), how far it is accepted by now, and its member's card.

    ``card`` is the version that was said to be in force, None where nothing was said; ``accepted_card`` the one here.
    """

    log: int
    sequence: int
    member: str
    size: int
    due_ms: int
    accepted_size: int
    card: int | None
    accepted_card: int | None

    @property
    def card_is_newer(self) -> bool:
        """Whether a newer card was spoken of than the one here."""
        return self.card is not None and self.card > (self.accepted_card or 0)

    @property
    def is_over(self) -> bool:
        """Whether what was rung for is here."""
        return self.size <= self.accepted_size and not self.card_is_newer


def ring(connection: Connection, log: int, *, size: int, due_ms: int, card: int | None = None) -> None:
    """Ask for a log to be pulled; the earliest time, the largest size and the newest card asked for stand."""
    insert = insert_into(connection, Doorbell).values(log=log, size=size, due_ms=due_ms, card=card)
    new, old_size, old_due, old_card = insert.excluded, col(Doorbell.size), col(Doorbell.due_ms), col(Doorbell.card)
    larger = case((new.size > old_size, new.size), else_=old_size)
    earlier = case((new.due_ms < old_due, new.due_ms), else_=old_due)
    newer = case((old_card.is_(None) | (new.card > old_card), new.card), else_=old_card)
    values = {"size": larger, "due_ms": earlier, "card": newer}
    connection.execute(insert.on_conflict_do_update(index_elements=["log"], set_=values))


def find_ring(connection: Connection, log: int) -> tuple[int, int] | None:
    """Give size and time (Unix milliseconds) that a log was asked for, if it was."""
    query = select(col(Doorbell.size), col(Doorbell.due_ms)).where(col(Doorbell.log) == log)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def find_card_ring(connection: Connection, log: int) -> int | None:
    """Give the version of a card that was spoken of at a log's doorbell, if one was."""
    return connection.execute(select(col(Doorbell.card)).where(col(Doorbell.log) == log)).scalar_one_or_none()


def list_rings(connection: Connection) -> list[Ring]:
    """List what is asked for of active peers, the earliest first."""
    query = (
        select(
            col(Doorbell.log),
            col(tables.Log.sequence),
            col(tables.Peer.member),
            col(Doorbell.size),
            col(Doorbell.due_ms),
            col(tables.Log.accepted_size),
            col(Doorbell.card),
            col(tables.Peer.card_version),
        )
        .join(tables.Log, col(tables.Log.number) == col(Doorbell.log))
        .join(tables.Peer, col(tables.Peer.number) == col(tables.Log.peer))
        .where(col(tables.Peer.state) == ACTIVE)
        .order_by(col(Doorbell.due_ms))
    )
    return [Ring(*row) for row in connection.execute(query)]


def take_rings(connection: Connection, logs: Sequence[int]) -> None:
    """Forget what was asked for, before it is done: what is asked for from now on is asked for anew."""
    connection.execute(delete(Doorbell).where(col(Doorbell.log).in_(logs)))
