"""Which rotations are under way, and what has to be done about them by when. No key is opened for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hashpact_keys.rotation import DATED_ROWS, LOG_ROWS, OVERLAP, dated_keys, named_keys
from hashpact_keys.rows import RowName
from hashpact_node.services.own_cards import OwnTrust, own_trust
from hashpact_node.store.database import Database
from hashpact_node.store.rotation import find_rotation

UNHEEDED = "a key stands in node.toml that the card does not name"


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A rotation that is not over: what stands, when that ends (Unix seconds), and the command to run then.

    ``command`` is None where nobody has to act.
    """

    row: str
    what: str
    at: int | None
    command: str | None


def rotations_under_way(database: Database, uris: Mapping[str, tuple[str, ...]], now: datetime) -> list[UnderWay]:
    """List them in the order of rows; ``uris`` says where the keys of each row live. StoreError."""
    with database.read() as connection:
        trust = own_trust(connection)
        began = {row: find_rotation(connection, row.value) for row in LOG_ROWS}
    found: list[UnderWay] = []
    for row in LOG_ROWS:
        if len(named_keys(trust.card, row)) > 1:
            started = began[row]
            ready_at = _late(trust) if started is None else started.ready_at
            found.append(UnderWay(row.value, "the old and the new key both sign", ready_at, _finish(row)))
        elif len(uris.get(row.value, ())) > 1:
            found.append(UnderWay(row.value, UNHEEDED, None, _finish(row)))
    for row in DATED_ROWS:
        keys = dated_keys(trust.card, row)
        if keys and keys[-1].begins > now:
            begins = int(keys[-1].begins.timestamp())
            found.append(UnderWay(row.value, "the new key begins by itself", begins, None))
        elif len(uris.get(row.value, ())) > 1:
            ends = max((int(key.ends.timestamp()) for key in keys[:-1]), default=None)
            found.append(UnderWay(row.value, "the new key signs; the old one is to be put away", ends, _finish(row)))
    return found


def _late(trust: OwnTrust) -> int:
    return (trust.peer.card_accepted_at or 0) + int(OVERLAP.total_seconds())


def _finish(row: RowName) -> str:
    return f"hashpact keys rotate {row.value} --finish"
