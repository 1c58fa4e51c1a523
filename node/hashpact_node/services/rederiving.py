"""Derive the merged state of one sequence anew within the transaction that changes which of its entries count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.collecting import without_collecting
from hashpact_node.services.counting import settle_counting
from hashpact_node.services.rebuild import MemberRebuild, Rebuilt
from hashpact_node.store.connection import Connection
from hashpact_node.store.peers import Peer


@dataclass(frozen=True, slots=True)
class OneTransaction:
    """Stands for a database of which everything happens in one transaction that is open already."""

    connection: Connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield the connection."""
        yield self.connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield the connection; whoever opened the transaction commits it."""
        yield self.connection


def rederive(connection: Connection, peer: Peer, sequence: int, *, now: datetime) -> None:
    """Bring claims and owners of one sequence to what its stored entries say, as far as its logs are held now.

    What was right keeps its change number. The caller holds the lock under which the logs are merged. The transaction
    lasts about as long as merging the sequence once does. Raises StoreError where what is stored is damaged.
    """
    with without_collecting():
        whole = OneTransaction(connection)
        MemberRebuild(whole, peer, now, Rebuilt(), None, 0, only=sequence).run()
        settle_counting(connection, peer.number, now=now)
