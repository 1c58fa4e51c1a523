"""The signal table: one row a signal that is or was claimed, with its claims, its action, and its last change.

A row's number is the number of its last change, so a row that changes is deleted and inserted anew at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hashpact_node.store.bulk import SIGNALS, insert_if_all_new, insert_new, run_many, select_in
from hashpact_node.store.changes import Numbers
from hashpact_node.store.tables import Signal
from hashpact_protocol.claims import CLAIM_BYTES, Place, decide_claims, join_claims, publishers
from hashpact_protocol.policy import Action, Decision

CHUNK = 8_192


class SignalRow(NamedTuple):
    """A signal as stored: last change, compact key, action now, mask of all actions it ever had, packed claims."""

    number: int
    key: bytes
    action: int
    actions: int
    claims: bytes


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Whose eyes the claims are judged with: members of logs by local number, and our own member number."""

    members: Mapping[int, int]
    own: int

    def decide(self, claims: bytes) -> Decision:
        """Give the action of packed claims by the default rule, and which rule it is."""
        return decide_claims(claims, self.members, self.own)

    def action(self, claims: bytes) -> int:
        """Give the action of packed claims by the default rule."""
        return int(self.decide(claims).action)


@dataclass(slots=True)
class SignalChange:
    """What happens to the claims of one signal.

    ``relabelled`` says that its labels may change: set it unless what is removed is what is added, by a newer revision
    of the same listing with the same labels.
    """

    add: bytes = b""
    remove: set[Place] = field(default_factory=set)
    expire: set[Place] = field(default_factory=set)
    relabelled: bool = False


def add_signals(
    connection: Connection, rows: Sequence[tuple[bytes, bytes]], viewpoint: Viewpoint, numbers: Numbers
) -> bool:
    """Add signals that are hoped to be new, as (key, packed claims) sorted by key; False, and nothing done, if not.

    All claims of one call are of one member, so that their last bytes alone decide: qualities and expiry.
    """
    if not rows:
        return True
    actions: dict[bytes, int] = {}
    numbered: list[tuple[int, bytes, int, int, bytes]] = []
    for number, (key, claims) in enumerate(rows, numbers.take(len(rows))):
        last_bytes = claims[CLAIM_BYTES - 1 :: CLAIM_BYTES]
        action = actions.get(last_bytes)
        if action is None:
            action = actions[last_bytes] = viewpoint.action(claims)
        numbered.append((number, key, action, action, claims))
    if insert_if_all_new(connection, SIGNALS, numbered):
        return True
    numbers.give_back(len(rows))
    return False


def change_signals(
    connection: Connection, changes: Mapping[bytes, SignalChange], viewpoint: Viewpoint, numbers: Numbers
) -> None:
    """Apply changes of claims, whatever stands; a signal whose face does not change keeps its number."""
    keys = sorted(changes)
    for at in range(0, len(keys), CHUNK):
        _change_chunk(connection, keys[at : at + CHUNK], changes, viewpoint, numbers)


def _change_chunk(
    connection: Connection,
    keys: Sequence[bytes],
    changes: Mapping[bytes, SignalChange],
    viewpoint: Viewpoint,
    numbers: Numbers,
) -> None:
    standing = find_signals(connection, keys)
    quiet: list[tuple[bytes, int]] = []
    gone: list[tuple[int]] = []
    new: list[SignalRow] = []
    for key in keys:
        change, row = changes[key], standing.get(key)
        claims = join_claims(row.claims if row else b"", add=change.add, remove=change.remove, expire=change.expire)
        decision = viewpoint.decide(claims)
        action = int(decision.action)
        if row is None:
            if claims:
                new.append(SignalRow(0, key, action, action, claims))
            continue
        if not change.relabelled and _same_face(row, decision, claims, viewpoint):
            if claims != row.claims:
                quiet.append((claims, row.number))
            continue
        gone.append((row.number,))
        new.append(SignalRow(0, key, action, row.actions | action, claims))
    run_many(connection, "UPDATE signal SET claims = {mark} WHERE number = {mark}", quiet)
    run_many(connection, "DELETE FROM signal WHERE number = {mark}", gone)
    first = numbers.take(len(new))
    insert_new(connection, SIGNALS, [(number, *row[1:]) for number, row in enumerate(new, first)])


def _same_face(row: SignalRow, decision: Decision, claims: bytes, viewpoint: Viewpoint) -> bool:
    """Say whether action, rule, publishers and labels stay.

    Labels stay where there are as many claims as before: then each one that went was said again by the one that came,
    and where with other labels, the caller has told.
    """
    if len(row.claims) != len(claims):
        return False
    if row.action != decision.action or viewpoint.decide(row.claims) != decision:
        return False
    return publishers(row.claims, viewpoint.members) == publishers(claims, viewpoint.members)


def find_signals(connection: Connection, keys: Iterable[bytes]) -> dict[bytes, SignalRow]:
    """Give the rows of those of the keys that are or were claimed."""
    query = "SELECT number, key, action, actions, claims FROM signal WHERE key IN ({values})"
    rows = select_in(connection, query, keys)
    return {bytes(row[1]): SignalRow(row[0], bytes(row[1]), row[2], row[3], bytes(row[4])) for row in rows}


def page_by_number(connection: Connection, since: int, *, limit: int) -> list[SignalRow]:
    """Give up to ``limit`` signals that changed after number ``since``, in order of their last change."""
    query = select(Signal).where(col(Signal.number) > since).order_by(col(Signal.number)).limit(limit)
    return _rows(connection, query)


def page_of_mask(connection: Connection, since: int, *, mask: int, limit: int) -> list[SignalRow]:
    """Give signals as ``page_by_number`` does, of those whose set of actions ever had is exactly ``mask``."""
    query = select(Signal).where(col(Signal.actions) == mask, col(Signal.number) > since)
    return _rows(connection, query.order_by(col(Signal.number)).limit(limit))


def masks(connection: Connection) -> list[int]:
    """Give the sets of actions that occur, by hopping through the index rather than reading all of it."""
    found: list[int] = []
    last = -1
    while True:
        query = select(func.min(col(Signal.actions))).where(col(Signal.actions) > last)
        smallest = connection.execute(query).scalar_one_or_none()
        if smallest is None:
            return found
        found.append(smallest)
        last = smallest


def count_actions(connection: Connection) -> dict[Action, int]:
    """Count the claimed signals of each action."""
    query = select(col(Signal.action), func.count()).where(col(Signal.action) != int(Action.NONE))
    query = query.group_by(col(Signal.action))
    return {Action(action): count for action, count in connection.execute(query)}


def _rows(connection: Connection, query: object) -> list[SignalRow]:
    return [
        SignalRow(row.number, bytes(row.key), row.action, row.actions, bytes(row.claims))
        for row in connection.execute(query)  # type: ignore[call-overload]  # one place for both selects
    ]
