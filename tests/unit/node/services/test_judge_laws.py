from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import SqliteFiles, opened
from hashpact_node.services.judge import parsed_policy
from hashpact_node.services.judging_anew import Rejudger
from hashpact_node.services.rebuild import Rebuilder
from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.holds import NewHold, Notice, add_hold
from hashpact_node.store.judging import number_rules, rule_names, set_policy
from hashpact_node.store.local_decisions import NewDecision, Subject, add_decision
from hashpact_node.store.locks import Locks
from hashpact_node.store.signals import page_by_number
from hashpact_protocol.facts import Verdict
from hashpact_protocol.policy import Action
from histories import MEMBERS, SIGNALS, Batch, histories
from members import NOW, TestLog, add_log

AT = int(NOW.timestamp())
POLICIES = (
    None,
    "otherwise = 'observe'\n[[rule]]\nname = 'a'\nwhen = { labels = ['a'], without_labels = ['b'] }\nthen = 'block'\n",
    "[peers.beta]\nshadow = true\n[peers.gamma]\nscope = { labels = ['a'], types = ['pdq'] }\n",
    "[[rule]]\nname = 'some'\nwhen = { members = 2, newer_than_days = 9 }\nthen = 'ignore'\nrollout = 50\n",
)
DECIDED = SIGNALS[0].key


def hold(database: Database, text: str | None) -> None:
    with database.write() as connection:
        Numbers(connection, now=AT)
        number_rules(connection, [rule.name for rule in parsed_policy(text).rules])
        set_policy(connection, text, now=AT)


def decide(database: Database, verdict: Verdict | None) -> None:
    if verdict is not None:
        with database.write() as connection:
            add_decision(connection, NewDecision(verdict, Subject(DECIDED), "why", "x", keys=(DECIDED,)), now=NOW)


def hold_some(database: Database, beta: TestLog, held: bool) -> None:  # noqa: FBT001  as hypothesis draws it
    if held:
        with database.write() as connection:
            add_hold(connection, NewHold(9, 0, Notice.NONE, beta.row.peer, beta.number, 1, 4), now=NOW)
            add_hold(connection, NewHold(9, 0, Notice.NONE, key=SIGNALS[1].key), now=NOW)


def judged(database: Database) -> dict[bytes, tuple[Action, str]]:
    with database.read() as connection:
        names = rule_names(connection)
        rows = page_by_number(connection, -1, limit=10_000)
        return {row.key: (Action(row.action), names[row.rule]) for row in rows if row.claims}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=histories(),
    policies=st.lists(st.tuples(st.integers(0, 8), st.sampled_from(POLICIES)), min_size=1, max_size=3),
    local=st.tuples(st.none() | st.sampled_from(list(Verdict)), st.booleans()),
)
def test_judging_step_by_step_is_judging_from_nothing(
    sqlite_files: SqliteFiles,
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Batch],
    policies: list[tuple[int, str | None]],
    local: tuple[Verdict | None, bool],
) -> None:
    verdict, held = local
    folder = tmp_path_factory.mktemp("judge")
    last = max(enumerate(policies), key=lambda one: (min(one[1][0], len(history)), one[0]))[1][1]
    with opened(sqlite_files.url(_folder(folder, "steps"))) as database:
        logs = {member: add_log(database, member, own=member == "acme") for member in MEMBERS}
        decide(database, verdict)
        hold_some(database, logs["beta"], held)
        rejudger = Rejudger(database, lambda: NOW)
        for number in range(len(history) + 1):
            for at, text in policies:
                if min(at, len(history)) == number:
                    hold(database, text)
            if number < len(history):
                logs[history[number].member].append(*history[number].statements)
        rejudger.run()
        stepwise = judged(database)
        assert Rebuilder(database, Locks(database, folder), lambda: NOW).rebuild().signals_mended == 0
        assert judged(database) == stepwise
    with opened(sqlite_files.url(_folder(folder, "whole"))) as database:
        logs = {member: add_log(database, member, own=member == "acme") for member in MEMBERS}
        decide(database, verdict)
        hold_some(database, logs["beta"], held)
        hold(database, last)
        for batch in history:
            logs[batch.member].append(*batch.statements)
        assert judged(database) == stepwise
    if verdict is not None and DECIDED in stepwise:
        assert stepwise[DECIDED][0] is (Action.BLOCK if verdict is Verdict.CONFIRM else Action.IGNORE)


def _folder(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made
