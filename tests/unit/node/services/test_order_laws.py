"""The law of order: what comes of all that was said and decided, in whatever order it came between logs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import SqliteFiles, opened
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.deciding import Choice, Deciding
from hashpact_node.services.judge import parsed_policy
from hashpact_node.services.judging_anew import Rejudger, try_policy
from hashpact_node.services.rebuild import Rebuilder
from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.judging import number_rules, rule_names, set_policy
from hashpact_node.store.locks import Locks
from hashpact_node.store.signals import page_by_number
from hashpact_protocol.facts import Verdict
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.policy import Action
from hashpact_protocol.statements import Listing, Opinion, WellFormed, encode_statement
from members import NOW, TIME, add_member, listing, pdq, sha256, terms, uuid_of, withdrawal

AT = int(NOW.timestamp())
MEMBERS = ("acme", "beta", "gamma")
LISTERS = ("acme", "beta")
SIGNALS = (sha256(1), pdq(0), pdq(1))
DOUBTED = """
[[rule]]
name = "doubted"
when = { disagree = 1, own = false }
then = "ignore"

[[rule]]
name = "shared"
when = { agree = 1, labels = ["a"] }
then = "block"
"""
POLICIES = (
    None,
    "[disputed]\nmembers = 1\nat_most = 'observe'\n",
    DOUBTED,
    "[peers.gamma]\ntrust = 'observe'\n[disputed]\nmembers = 2\nat_most = 'ignore'\n",
)
REVISIONS = st.builds(
    listing,
    st.integers(1, 2),
    st.sampled_from(SIGNALS),
    labels=st.sampled_from([(), ("a",)]),
)
CHOICES = st.builds(
    Choice,
    st.sampled_from([Verdict.CONFIRM, Verdict.REJECT, Verdict.ALLOW]),
    st.sampled_from([f"{one.type}:{one.value}" for one in SIGNALS[:2]]),
    st.just("why"),
    scope=st.sampled_from([None, ("beta",)]),
)
NEAR = st.builds(Choice, st.just(Verdict.ALLOW), st.just(f"pdq:{pdq(0).value}"), st.just("why"), near=st.just(1))

Event = WellFormed | Choice | str | None
Streams = dict[str, list[Event]]


@st.composite
def streams(draw: st.DrawFn) -> Streams:
    """Give what each log says, and what this company decides and wants, each in an order of its own."""
    made: Streams = {}
    listed: list[tuple[str, Listing]] = []
    for member in LISTERS:
        revisions = draw(st.lists(REVISIONS, min_size=1, max_size=3))
        listed += [(member, one) for one in revisions]
        made[member] = [*revisions]
        if draw(st.booleans()):
            made[member].insert(draw(st.integers(1, len(revisions))), withdrawal(9, draw(st.integers(1, 2))))
    for member in MEMBERS:
        about = draw(st.lists(st.sampled_from([one for one in listed if one[0] != member]), max_size=3))
        verdicts = st.sampled_from(["agree", "disagree", "none"])
        made[f"opinions of {member}"] = [
            _opinion(number, *one, draw(verdicts)) for number, one in enumerate(about, 100)
        ]
    made["decisions"] = [*draw(st.lists(CHOICES | NEAR, max_size=2))]
    made["policies"] = [*draw(st.lists(st.sampled_from(POLICIES), max_size=2))]
    return made


@st.composite
def orders(draw: st.DrawFn) -> tuple[Streams, list[str], list[str]]:
    """Give streams, and two orders in which they come; within a stream there is one order."""
    made = draw(streams())
    names = [name for name, events in made.items() for _ in events]
    return made, draw(st.permutations(names)), draw(st.permutations(names))


def _opinion(number: int, member: str, about: Listing, verdict: str) -> Opinion:
    leaf = leaf_hash(encode_statement(about)).hex()
    reason = "satire" if verdict == "disagree" else None
    return Opinion(
        uuid_of(number),
        TIME,
        member=member,
        log="listings",
        listing=about.id,
        leaf=leaf,
        verdict=verdict,
        reason=reason,
    )


@dataclass
class Node:
    """A node to which events come one by one."""

    database: Database

    def __post_init__(self) -> None:
        self.logs = {}
        for member in MEMBERS:
            both = (terms(member), terms(member, "opinions-1", kind="opinions"))
            _, (self.logs[member], self.logs[f"opinions of {member}"]) = add_member(
                self.database, member, *both, own=member == "acme"
            )
        self.deciding = Deciding(self.database, lambda: NOW)
        self.rejudger = Rejudger(self.database, lambda: NOW)

    def take(self, made: Streams, order: list[str]) -> dict[bytes, tuple[Action, str]]:
        """Take all events in an order, and give how signals are judged then."""
        waiting = {name: iter(events) for name, events in made.items()}
        for name in order:
            event = next(waiting[name])
            if isinstance(event, Choice):
                self.deciding.decide(event, Actor(ActorKind.COMMAND, "joe"))
            elif isinstance(event, str) or event is None:
                self._hold(event)
            else:
                self.logs[name].append(event)
        self.rejudger.run()
        return self.judged()

    def judged(self) -> dict[bytes, tuple[Action, str]]:
        with self.database.read() as connection:
            names = rule_names(connection)
            rows = page_by_number(connection, -1, limit=10_000)
            return {row.key: (Action(row.action), names[row.rule]) for row in rows if row.claims}

    def _hold(self, text: str | None) -> None:
        policy = parsed_policy(text)
        before = self.judged()
        trial = try_policy(self.database, policy, NOW)
        with self.database.write() as connection:
            Numbers(connection, now=AT)
            number_rules(connection, [rule.name for rule in policy.rules])
            set_policy(connection, text, now=AT)
        self.rejudger.run()
        after = self.judged()
        moved = [(before[key][0].word, after[key][0].word) for key in after]
        assert sorted(trial.moves.elements()) == sorted(moved)
        assert sorted(trial.rules.elements()) == sorted(rule for _, rule in after.values())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_orders=orders())
def test_the_order_in_which_logs_decisions_and_policies_come_changes_nothing(
    sqlite_files: SqliteFiles,
    tmp_path_factory: pytest.TempPathFactory,
    given_orders: tuple[Streams, list[str], list[str]],
) -> None:
    made, one, other = given_orders
    folder = tmp_path_factory.mktemp("orders")
    with opened(sqlite_files.url(_folder(folder, "one"))) as database:
        judged = Node(database).take(made, one)
        assert Rebuilder(database, Locks(database, folder), lambda: NOW).rebuild().signals_mended == 0
    with opened(sqlite_files.url(_folder(folder, "other"))) as database:
        assert Node(database).take(made, other) == judged


def _folder(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made
