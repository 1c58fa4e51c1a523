"""The policy in force, how far signals are judged by it, and the numbers of rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from hashpact_node.store import tables_judging as tables
from hashpact_node.store.bulk import is_postgresql
from hashpact_node.store.changes import last_change
from hashpact_node.store.database import insert_into
from hashpact_node.store.feed import signal_row
from hashpact_node.store.rule_numbers import BUILT_IN, FIRST_OWN, LAST_OWN
from hashpact_node.store.signals import SignalRow
from hashpact_node.store.tables_decisions import Decision
from hashpact_node.store.tables_opinions import Opinion
from hashpact_protocol.errors import ConfigurationError

_ONE: Final = 1


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """The text of the policy, None for the default one, since when it holds, and when all was last judged by it.

    Times are Unix seconds, None where no policy was ever read. While signals are judged anew, ``swept`` and
    ``sweep_to`` say how far that has come, and how far it goes, by change numbers. ``incidents`` names those that were
    active when that began, where the policy asks for that.
    """

    text: str | None = None
    since: int | None = None
    judged_at: int | None = None
    swept: int | None = None
    sweep_to: int | None = None
    incidents: str = ""


def policy_in_force(connection: Connection) -> PolicyInForce:
    """Give the policy by which signals are judged; the default one where none was ever read."""
    row = tables.Policy
    found = connection.execute(select(row).where(col(row.number) == _ONE)).one_or_none()
    if found is None:
        return PolicyInForce()
    return PolicyInForce(found.text, found.since, found.judged_at, found.swept, found.sweep_to, found.incidents)


def set_policy(connection: Connection, text: str | None, *, now: int, incidents: str = "") -> None:
    """Let another policy hold from now on, and all signals be judged by it; lock the change counter before."""
    sweep = _sweep(connection, now, incidents)
    new = insert_into(connection, tables.Policy).values(number=_ONE, text=text, since=now, **sweep)
    changed = {"text": text, "since": now, **sweep}
    connection.execute(new.on_conflict_do_update(index_elements=["number"], set_=changed))


def judge_all_anew(connection: Connection, *, now: int, incidents: str = "") -> None:
    """Let all signals be judged anew by the policy that holds; lock the change counter before.

    For what may touch any signal: time, an incident that begins or ends. The job `judge` does it within seconds.
    """
    sweep = _sweep(connection, now, incidents)
    new = insert_into(connection, tables.Policy).values(number=_ONE, text=None, since=now, **sweep)
    connection.execute(new.on_conflict_do_update(index_elements=["number"], set_=sweep))


def _sweep(connection: Connection, now: int, incidents: str) -> dict[str, int | str]:
    return {"judged_at": now, "swept": 0, "sweep_to": last_change(connection), "incidents": incidents}


def set_swept(connection: Connection, number: int | None, *, seen: PolicyInForce) -> None:
    """Write down how far a sweep has come, None when it is done; one that began anew meanwhile is left alone."""
    row = tables.Policy
    same = (col(row.sweep_to) == seen.sweep_to, col(row.judged_at) == seen.judged_at, col(row.since) == seen.since)
    moved = update(row).where(col(row.number) == _ONE, *same)
    connection.execute(moved.values(swept=number, sweep_to=None if number is None else seen.sweep_to))


def rule_names(connection: Connection) -> dict[int, str]:
    """Give the names of all rules by number, those that the node itself gives included."""
    own = connection.execute(select(col(tables.RuleName.number), col(tables.RuleName.name))).all()
    return {number: name for name, number in BUILT_IN.items()} | {row.number: row.name for row in own}


def number_rules(connection: Connection, names: Iterable[str]) -> Mapping[str, int]:
    """Give the numbers of rules, new ones where they have none; ConfigurationError when there are none left."""
    known = {name: number for number, name in rule_names(connection).items()}
    new = [name for name in dict.fromkeys(names) if name not in known]
    first = max([*known.values(), FIRST_OWN - 1]) + 1
    if first + len(new) > LAST_OWN:
        raise ConfigurationError(
            "policies have named too many rules until now", where="policy.toml", mend="use names that were used before"
        )
    numbered = dict(zip(new, range(first, first + len(new)), strict=True))
    if numbered:
        rows = [{"number": number, "name": name} for name, number in numbered.items()]
        connection.execute(insert(tables.RuleName), rows)
    return known | numbered


def any_opinion(connection: Connection) -> bool:
    """Say whether there is any opinion about a winning revision."""
    query = select(col(Opinion.about_log)).where(col(Opinion.about_log).is_not(None)).limit(1)
    return connection.execute(query).first() is not None


def any_decision(connection: Connection) -> bool:
    """Say whether any decision of this company stands."""
    query = select(col(Decision.number)).where(col(Decision.ended_at).is_(None)).limit(1)
    return connection.execute(query).first() is not None


def stream_claimed(connection: Connection, since: int, to: int, *, chunk: int) -> Iterator[list[SignalRow]]:
    """Yield the claimed signals whose last change is beyond ``since`` and up to ``to``, in order of it."""
    mark = "%s" if is_postgresql(connection) else "?"
    query = (
        "SELECT number, key, action, actions, claims, rule FROM signal "  # noqa: S608 - marks
        f"WHERE number > {mark} AND number <= {mark} ORDER BY number LIMIT {mark}"
    )
    while True:
        rows = [signal_row(found) for found in connection.exec_driver_sql(query, (since, to, chunk)).fetchall()]
        if rows:
            yield rows
        if len(rows) < chunk:
            return
        since = rows[-1].number
