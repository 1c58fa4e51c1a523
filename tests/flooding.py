"""Members that list far more than is usual for them, for tests of what is held then."""

from __future__ import annotations

from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.judging import number_rules, rule_names, set_policy
from hashpact_node.store.listed import set_listed
from hashpact_node.store.outcomes import day_of
from hashpact_node.store.signals import find_signals
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import Signal
from hashpact_protocol.statements import Listing
from members import NOW, TestLog, listing, sha256

BLOCKED = (Action.BLOCK, "whoever-lists-it")
HELD = (Action.REVIEW, "flood-hold")
TODAY = day_of(NOW.date())
SMALL = """
[flood.listings]
times = 3
at_least = 4
days = 5
[flood.matches]
times = 3
at_least = 4
days = 5
[[rule]]
name = "whoever-lists-it"
then = "block"
"""
"""A policy by which little is a flood already, and one member's word blocks."""


def hold_policy(database: Database, text: str = SMALL) -> None:
    """Let a policy hold whose one rule is ``whoever-lists-it``."""
    with database.write() as connection:
        Numbers(connection, now=int(NOW.timestamp()))
        number_rules(connection, ["whoever-lists-it"])
        set_policy(connection, text, now=int(NOW.timestamp()))


def count(log: TestLog, *days: int) -> None:
    """Let so many listings of a log have come on the days before today, the last one yesterday."""
    sequence = log.row.sequence
    with log.database.write() as connection:
        for before, listings in enumerate(reversed(days), 1):
            set_listed(connection, sequence, TODAY - before, listings)


def judged(database: Database, signal: Signal) -> tuple[Action, str]:
    """Give the action of a signal and the rule that gave it."""
    with database.read() as connection:
        row = find_signals(connection, [signal.key])[signal.key]
        return Action(row.action), rule_names(connection)[row.rule]


def listings_of(first: int, last: int) -> list[Listing]:
    """Give the listings of these ids, ``last`` left out, each of the SHA-256 signal of its number."""
    return [listing(number, sha256(number)) for number in range(first, last)]
