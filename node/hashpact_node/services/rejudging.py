"""Judge signals anew although their claims stay: somebody thinks otherwise of a listing, or this company decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from hashpact_node.services.claims_view import read_listings
from hashpact_node.services.views import logs_by_number, viewpoint
from hashpact_node.store.changes import Numbers
from hashpact_node.store.connection import Connection
from hashpact_node.store.signals import Eyes, SignalChange, change_signals
from hashpact_protocol.claims import Place


def rejudge(connection: Connection, keys: Iterable[bytes], eyes: Eyes, numbers: Numbers) -> None:
    """Judge those of some signals that are claimed anew; what comes out as before keeps its change number."""
    changes = {key: SignalChange() for key in keys}
    if changes:
        change_signals(connection, changes, eyes, numbers)


def rejudge_now(connection: Connection, keys: Iterable[bytes], *, now: datetime) -> None:
    """Judge some signals anew in a transaction that holds no open ``Numbers``."""
    wanted = set(keys)
    if wanted:
        numbers = Numbers(connection, now=int(now.timestamp()))
        rejudge(connection, wanted, viewpoint(connection, now), numbers)
        numbers.close()


def keys_at(connection: Connection, places: Iterable[Place]) -> set[bytes]:
    """Give the signals of the listings at some places; those that cannot be read back are left out."""
    wanted = set(places)
    if not wanted:
        return set()
    listings = read_listings(connection, wanted, logs_by_number(connection))
    return {signal.key for listing in listings.values() for signal in listing.signals}
