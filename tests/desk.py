"""Acme with peers that it may let into audiences, for tests of who reads what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hashpact_node.assembly import Node
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.views import own_number
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.owners import live_listings
from hashpact_protocol.claims import Place
from members import add_member
from serving import open_member

MEMBERS = ("beta", "gamma", "delta")


@contextmanager
def open_desk(database: Database, home: Path, url: str) -> Iterator[Node]:
    """Open acme's node, which follows three members that nobody can reach."""
    node = open_member(database, home, url)
    try:
        node.awakening.hear()  # as long as there is nobody to ask
        for member in MEMBERS:
            add_member(database, member)
        yield node
    finally:
        node.close()


def own_log(node: Node, name: str = "listings") -> Log:
    """Give the own open log of a name."""
    with node.database.read() as connection:
        logs = list_logs(connection, peer=own_number(connection))
    return next(log for log in logs if log.named and log.state == "open" and log.name == name)


def log_of(node: Node, audience: str) -> Log:
    """Give the log of an audience."""
    return own_log(node, node.audiences.show(audience).log)


def listed(node: Node, log: Log) -> set[str]:
    """Give the ids of the listings that live in a log."""
    with node.database.read() as connection:
        reader = EntryReader(connection)
        places = live_listings(connection, log.number, sequence=log.sequence)
        return {reader.listing(Place(log.number, at), log.kind).id for at in places}
