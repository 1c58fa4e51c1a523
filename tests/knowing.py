"""Let one node know another, as if its member had been added there: a node answers nobody whom it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hashpact_node import clock
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database, open_database
from hashpact_node.store.logs import list_logs
from hashpact_node.store.peers import PAUSED, Peer, accept_card, add_peer, drop_peer, find_own, find_peer


def know(url: str, of: str) -> None:
    """Let the member on the database at ``url`` know the one on the database ``of``: a paused peer, never read.

    One that it follows already stays as it is.
    """
    with _opened(of) as database, database.read() as connection:
        other = find_own(connection)
    assert other is not None
    with _opened(url) as database, database.write() as connection:
        put_known(connection, other)


def put_known(connection: Connection, other: Peer) -> None:
    """Write a member down by the card that it has itself."""
    if find_peer(connection, other.member) is not None:
        return
    assert other.card is not None
    assert other.card_version is not None
    now = clock.now()
    number = add_peer(connection, other.member, other.url, now=now, state=PAUSED).number
    accept_card(connection, number, old_version=None, version=other.card_version, card=other.card, now=now)


def forget_known(url: str, member: str) -> None:
    """Forget one that :func:`know` wrote down, so that it can be added as people add peers."""
    with _opened(url) as database, database.write() as connection:
        found = find_peer(connection, member)
        if found is not None and found.state == PAUSED and not list_logs(connection, peer=found.number):
            drop_peer(connection, found.number)


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        database.dispose()
