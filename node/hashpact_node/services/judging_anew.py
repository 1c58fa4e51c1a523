"""Judge signals anew: all of them after the policy changed or because of the time, and on trial under another policy.

A page of signals is judged while others may write. Only what differs is written then, in a transaction of its own, in
which it is judged once more: so nothing that came meanwhile is overwritten, and what stays right keeps its number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hashpact_node.services.collecting import without_collecting
from hashpact_node.services.judge import Judge, parsed_policy
from hashpact_node.services.views import active_incidents, judge_by, viewpoint
from hashpact_node.store.changes import Numbers, last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.judging import (
    PolicyInForce,
    judge_all_anew,
    policy_in_force,
    rule_names,
    set_swept,
    stream_claimed,
)
from hashpact_node.store.signals import Eyes, SignalChange, SignalRow, change_signals, rule_of
from hashpact_protocol.facts import DAY_SECONDS
from hashpact_protocol.policy import Action
from hashpact_protocol.policy_form import Policy
from hashpact_protocol.signals import parse_signal_key

PAGE: Final = 100_000
"""How many signals are judged before what differs among them is written."""

WRITTEN_AT_ONCE: Final = 20_000
REVIEW_SECONDS: Final = 900
"""How often all signals are judged anew under a policy that asks for dates of review."""

SAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class Rejudger:
    """Does what is left of judging all signals anew; one at a time."""

    database: Database
    now: Callable[[], datetime]

    def run(self) -> int:
        """Judge all signals anew if that is due or was begun; how many changed. StoreError."""
        changed = 0
        self._begin_if_due()
        while True:
            with self.database.read() as connection:
                seen = policy_in_force(connection)
            if seen.sweep_to is None:
                return changed
            changed += self._page(seen)

    def all_anew(self) -> int:
        """Judge all signals anew now, whatever was begun; how many changed. StoreError."""
        changed, since = 0, 0
        with self.database.read() as connection:
            to = last_change(connection)
        while since < to:
            differing, last = self._differing(since, to)
            changed += self._write(differing)
            since = to if last is None else last
        return changed

    def _begin_if_due(self) -> None:
        now = int(self.now().timestamp())
        with self.database.read() as connection:
            held = policy_in_force(connection)
            due = is_due(held, now) or incidents_of(connection, held) != held.incidents
        if due:
            with self.database.write() as connection:
                Numbers(connection, now=now)  # it locks the counter, so that nobody adds signals meanwhile
                judge_all_anew(connection, now=now, incidents=incidents_of(connection, policy_in_force(connection)))

    def _page(self, seen: PolicyInForce) -> int:
        since, to = seen.swept or 0, seen.sweep_to or 0
        differing, last = self._differing(since, to)
        changed = self._write(differing)
        with self.database.write() as connection:
            set_swept(connection, last, seen=seen)
        return changed

    def _differing(self, since: int, to: int) -> tuple[list[bytes], int | None]:
        """Give the keys of a page whose judgement differs, and the last number of the page; None if it was the last."""
        with self.database.read() as connection, without_collecting():
            rows = next(stream_claimed(connection, since, to, chunk=PAGE), [])
            differing = [row.key for row, _ in differing_from(rows, viewpoint(connection, self.now()))]
        return differing, rows[-1].number if len(rows) == PAGE else None

    def _write(self, keys: Sequence[bytes]) -> int:
        changed = 0
        for at in range(0, len(keys), WRITTEN_AT_ONCE):
            now = self.now()
            with self.database.write() as connection, without_collecting():
                numbers = Numbers(connection, now=int(now.timestamp()))
                changes = {key: SignalChange() for key in keys[at : at + WRITTEN_AT_ONCE]}
                change_signals(connection, changes, viewpoint(connection, now), numbers)
                changed += numbers.taken
                numbers.close()
        return changed


def incidents_of(connection: Connection, held: PolicyInForce) -> str:
    """Name the incidents that are active now, and of which type, as one text; empty if the policy asks for none."""
    policy = parsed_policy(held.text)
    if not policy.asks_incidents:
        return ""
    return "\n".join(sorted(f"{one.incident} {one.type or ''}" for one in active_incidents(connection, policy)))


def is_due(held: PolicyInForce, now: int) -> bool:
    """Say whether all signals are to be judged anew because of the time alone: ages change with the day (UTC)."""
    if held.judged_at is None or held.sweep_to is not None:
        return False
    policy = parsed_policy(held.text)
    # A clock that once ran ahead was set back: what was judged then is no younger for that.
    if policy.ages and held.judged_at // DAY_SECONDS != now // DAY_SECONDS:
        return True
    return policy.asks_review_by and abs(now - held.judged_at) >= REVIEW_SECONDS


def differing_from(rows: Sequence[SignalRow], eyes: Eyes) -> list[tuple[SignalRow, int]]:
    """Give those signals that are judged otherwise now, with their new action."""
    outcomes = eyes.judge([(row.key, row.claims) for row in rows])
    return [
        (row, outcome.action)
        for row, outcome in zip(rows, outcomes, strict=True)
        if outcome.action != row.action or (outcome.rule != row.rule and outcome.rule != rule_of(row, eyes))
    ]


@dataclass(slots=True)
class Trial:
    """What another policy would do: how many signals there are, and how many of them go from which action to which.

    ``samples`` are some of these, as ``type:value``; ``rules`` counts the signals by the rule that would decide.
    """

    signals: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    rules: Counter[str] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """How many signals would get another action."""
        return sum(count for (before, after), count in self.moves.items() if before != after)


def try_policy(database: Database, policy: Policy, now: datetime, *, samples: int = SAMPLES) -> Trial:
    """Judge all claimed signals by a policy without any effect, in one snapshot of the database. StoreError."""
    trial = Trial()
    with database.read() as connection, without_collecting():
        names, judge = _on_trial(connection, policy, now)
        for rows in stream_claimed(connection, 0, last_change(connection), chunk=PAGE):
            claimed = [row for row in rows if row.claims]
            outcomes = judge.judge([(row.key, row.claims) for row in claimed])
            trial.signals += len(claimed)
            trial.rules.update(names[outcome.rule] for outcome in outcomes)
            for row, outcome in zip(claimed, outcomes, strict=True):
                move = (Action(row.action).word, Action(outcome.action).word)
                trial.moves[move] += 1
                if move[0] != move[1] and len(found := trial.samples.setdefault(move, [])) < samples:
                    found.append(":".join(parse_signal_key(row.key)))
    return trial


def _on_trial(connection: Connection, policy: Policy, now: datetime) -> tuple[dict[int, str], Judge]:
    """Give a judge by a policy that is not in force, and the names of its rules, which are numbered nowhere else."""
    names = rule_names(connection)
    known = {name: number for number, name in names.items()}
    new = [rule.name for rule in policy.rules if rule.name not in known]
    known |= {name: number for number, name in enumerate(new, max(names) + 1)}
    judge = judge_by(connection, policy, known, now)
    return {number: name for name, number in known.items()}, judge
