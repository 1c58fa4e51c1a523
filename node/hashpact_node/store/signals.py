"""The signal table: one row a signal that is or was claimed, with its claims, its action and rule, and its last change.

A row's number is the number of its last change, so a row that changes is deleted and inserted anew at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hashpact_node.store.bulk import (
    SIGNALS,
    insert_if_all_new,
    insert_new,
    run_many,
    select_in,
)
from hashpact_node.store.changes import Numbers
from hashpact_node.store.rule_numbers import BUILT_IN, UNKNOWN
from hashpact_node.store.tables import Signal
from hashpact_protocol.claims import Place, decide_claims, join_claims, publishers
from hashpact_protocol.policy import Action

CHUNK = 8_192


class SignalRow(NamedTuple):
    """A signal as stored: last change, compact key, action now, mask of all actions it ever had, claims, rule."""

    number: int
    key: bytes
    action: int
    actions: int
    claims: bytes
    rule: int = UNKNOWN


class Outcome(NamedTuple):
    """What came of judging a signal: the action, and the number of the rule that gave it."""

    action: int
    rule: int


class Eyes(Protocol):
    """Whose eyes claims are judged with: members of logs by local number, our own member number, and the policy."""

    @property
    def members(self) -> Mapping[int, int]:
        """The members of all logs, both by local number."""
        ...

    @property
    def own(self) -> int:
        """The local number of this member."""
        ...

    def judge(self, rows: Sequence[tuple[bytes, bytes]]) -> list[Outcome]:
        """Judge signals, given as (key, packed claims), in order."""
        ...


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """The eyes of the default rule, which looks at nothing but claims."""

    members: Mapping[int, int]
    own: int

    def judge(self, rows: Sequence[tuple[bytes, bytes]]) -> list[Outcome]:
        """Judge each signal by who claims it, and how well."""
        decisions = (decide_claims(claims, self.members, self.own) for _, claims in rows)
        return [Outcome(int(decision.action), BUILT_IN[decision.rule]) for decision in decisions]


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


def add_signals(connection: Connection, rows: Sequence[tuple[bytes, bytes]], eyes: Eyes, numbers: Numbers) -> bool:
    """Add signals that are hoped to be new, as (key, packed claims) sorted by key; False, and nothing done, if not."""
    if not rows:
        return True
    outcomes = eyes.judge(rows)
    first = numbers.take(len(rows))
    numbered = [
        (number, key, outcome.action, outcome.action, claims, outcome.rule)
        for number, ((key, claims), outcome) in enumerate(zip(rows, outcomes, strict=True), first)
    ]
    if insert_if_all_new(connection, SIGNALS, numbered):
        return True
    numbers.give_back(len(rows))
    return False


def change_signals(connection: Connection, changes: Mapping[bytes, SignalChange], eyes: Eyes, numbers: Numbers) -> None:
    """Apply changes of claims, whatever stands; a signal whose face does not change keeps its number.

    A change that changes nothing lets a signal be judged anew.
    """
    keys = sorted(changes)
    for at in range(0, len(keys), CHUNK):
        _change_chunk(connection, keys[at : at + CHUNK], changes, eyes, numbers)


def _change_chunk(
    connection: Connection,
    keys: Sequence[bytes],
    changes: Mapping[bytes, SignalChange],
    eyes: Eyes,
    numbers: Numbers,
) -> None:
    standing = find_signals(connection, keys)
    judged = [(key, _changed_claims(standing.get(key), changes[key])) for key in keys]
    outcomes = eyes.judge(judged)
    quiet: list[tuple[bytes, int, int]] = []
    gone: list[tuple[int]] = []
    new: list[SignalRow] = []
    for (key, claims), outcome in zip(judged, outcomes, strict=True):
        row = standing.get(key)
        if row is None:
            if claims:
                new.append(SignalRow(0, key, outcome.action, outcome.action, claims, outcome.rule))
        elif not changes[key].relabelled and _same_face(row, outcome, claims, eyes):
            if claims != row.claims or outcome.rule != row.rule:
                quiet.append((claims, outcome.rule, row.number))
        else:
            gone.append((row.number,))
            new.append(SignalRow(0, key, outcome.action, row.actions | outcome.action, claims, outcome.rule))
    run_many(connection, "UPDATE signal SET claims = {mark}, rule = {mark} WHERE number = {mark}", quiet)
    run_many(connection, "DELETE FROM signal WHERE number = {mark}", gone)
    first = numbers.take(len(new))
    insert_new(connection, SIGNALS, [(number, *row[1:]) for number, row in enumerate(new, first)])


def _changed_claims(row: SignalRow | None, change: SignalChange) -> bytes:
    claims = row.claims if row else b""
    return join_claims(claims, add=change.add, remove=change.remove, expire=change.expire)


def _same_face(row: SignalRow, outcome: Outcome, claims: bytes, eyes: Eyes) -> bool:
    """Say whether action, rule, publishers and labels stay.

    Labels stay where there are as many claims as before: then each one that went was said again by the one that came,
    and where with other labels, the caller has told.
    """
    if len(row.claims) != len(claims) or row.action != outcome.action:
        return False
    if rule_of(row, eyes) != outcome.rule:
        return False
    return row.claims == claims or publishers(row.claims, eyes.members) == publishers(claims, eyes.members)


def rule_of(row: SignalRow, eyes: Eyes) -> int:
    """Give the number of the rule that gave a signal its action, that of the default rule where none is kept."""
    if row.rule != UNKNOWN:
        return row.rule
    return BUILT_IN[decide_claims(row.claims, eyes.members, eyes.own).rule]


def find_signals(connection: Connection, keys: Iterable[bytes]) -> dict[bytes, SignalRow]:
    """Give the rows of those of the keys that are or were claimed."""
    query = "SELECT number, key, action, actions, claims, rule FROM signal WHERE key IN ({values})"
    rows = select_in(connection, query, keys)
    return {bytes(row[1]): SignalRow(row[0], bytes(row[1]), row[2], row[3], bytes(row[4]), row[5]) for row in rows}


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
        SignalRow(row.number, bytes(row.key), row.action, row.actions, bytes(row.claims), row.rule)
        for row in connection.execute(query)  # type: ignore[call-overload]  # one place for both selects
    ]
