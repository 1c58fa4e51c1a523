from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import SqliteFiles, opened
from hashpact_node.services.blocklist import Blocklist
from hashpact_node.services.change_feed import Change, ChangeFeed
from hashpact_node.store.database import Database
from hashpact_node.store.local_decisions import NewDecision, Subject, add_decision
from hashpact_protocol.errors import RequestError
from hashpact_protocol.facts import Verdict
from hashpact_protocol.policy import Action
from histories import MEMBERS, Batch, histories
from members import NOW, TestLog, add_log, listing, pdq, sha256, withdrawal

Face = tuple[str, str, tuple[str, ...], tuple[str, ...]]
FILTERS = (None, Action.BLOCK, Action.REVIEW, Action.OBSERVE, Action.IGNORE)


@pytest.fixture
def acme(database: Database) -> TestLog:
    return add_log(database, "acme", own=True)


@pytest.fixture
def beta(database: Database) -> TestLog:
    return add_log(database, "beta")


@pytest.fixture
def gamma(database: Database) -> TestLog:
    return add_log(database, "gamma")


def face(change: Change) -> Face:
    return change.action, change.rule, change.publishers, change.labels


def test_a_change_says_what_a_signal_is_now(database: Database, acme: TestLog, beta: TestLog) -> None:
    beta.append(listing(1, pdq(1), labels=["b"]))
    acme.append(listing(1, pdq(1), labels=["a"]))
    page = ChangeFeed(database).changes()
    assert page.changes == (
        Change(
            2,
            f"pdq:{pdq(1).value}",
            "set",
            "block",
            ("acme", "beta"),
            ("a", "b"),
            "own-listing",
            ("rule own-listing: this company lists it itself", "counted: acme"),
            "2026-11-24T04:00:00Z",
        ),
    )
    assert (page.cursor, page.more, page.time) == (2, False, "2026-11-24T04:00:00Z")


def test_an_empty_feed_has_no_time(database: Database, acme: TestLog) -> None:
    page = ChangeFeed(database).changes(action=Action.BLOCK)
    assert (page.changes, page.cursor, page.more, page.time) == ((), 0, False, None)
    assert acme.row.held_size == 0


def test_a_removed_key_is_never_forgotten(database: Database, acme: TestLog) -> None:
    acme.append(listing(1, sha256(1), labels=["a"]))
    acme.append(withdrawal(2, 1))
    for action in (None, Action.BLOCK):
        (change,) = ChangeFeed(database).changes(action=action).changes
        assert (change.op, *face(change)) == ("remove", "none", "not-claimed", (), ())
    assert ChangeFeed(database).changes(action=Action.REVIEW).changes == ()


def test_leaving_a_filter_arrives_as_a_removal(
    database: Database, acme: TestLog, beta: TestLog, gamma: TestLog
) -> None:
    beta.append(listing(1, sha256(1)), listing(2, sha256(2)))
    gamma.append(listing(1, sha256(1)))
    feed = ChangeFeed(database)
    first = feed.changes(action=Action.BLOCK)
    assert [(change.op, change.key) for change in first.changes] == [("set", f"sha256:{sha256(1).value}")]
    gamma.append(withdrawal(2, 1))
    second = feed.changes(first.cursor, action=Action.BLOCK)
    assert [(change.op, change.action) for change in second.changes] == [("remove", "review")]
    assert [change.op for change in feed.changes(action=Action.REVIEW).changes] == ["set", "set"]
    assert acme.row.held_size == 0


def test_another_listing_of_a_member_brings_its_labels(database: Database, acme: TestLog) -> None:
    acme.append(listing(1, sha256(1), labels=["a"]))
    feed = ChangeFeed(database)
    cursor = feed.changes().cursor
    acme.append(listing(2, sha256(1), labels=["b"]))
    (change,) = feed.changes(cursor).changes
    assert change.labels == ("a", "b")
    acme.append(withdrawal(3, 1))
    (change,) = feed.changes(change.n).changes
    assert change.labels == ("b",)
    acme.append(withdrawal(4, 2), listing(5, sha256(1), labels=["c"]))
    (change,) = feed.changes(change.n).changes
    assert change.labels == ("c",)
    acme.append(listing(5, sha256(9), labels=["c"]), listing(6, sha256(1), labels=["d"]))
    assert {change.labels for change in feed.changes(change.n).changes} == {("c",), ("d",)}


def test_a_restatement_that_says_the_same_is_no_change(database: Database, acme: TestLog) -> None:
    acme.append(listing(1, sha256(1), labels=["a"]))
    acme.append(listing(1, sha256(1), labels=["a"], expires="2030-01-01T00:00:00Z"))
    assert [change.n for change in ChangeFeed(database).changes().changes] == [1]
    acme.append(listing(1, sha256(1), labels=["a", "b"]))
    assert [change.n for change in ChangeFeed(database).changes().changes] == [2]


def test_time_never_runs_back(database: Database, acme: TestLog) -> None:
    for number, hours in enumerate((0, 2, -5, 3)):
        acme.clock[0] = NOW + timedelta(hours=hours)
        acme.append(listing(number, sha256(number)))
    feed = ChangeFeed(database)
    times = [change.time for change in feed.changes().changes]
    assert times == [f"2026-11-24T{hour}:00:00Z" for hour in ("04", "06", "06", "07")]
    assert [feed.changes(number, limit=1).time for number in range(4)] == times
    assert feed.changes(4).time == times[-1]


def test_pages_follow_each_other(database: Database, acme: TestLog) -> None:
    acme.append(*(listing(number, sha256(number)) for number in range(5)))
    feed = ChangeFeed(database)
    first = feed.changes(limit=2)
    assert ([change.n for change in first.changes], first.cursor, first.more) == ([1, 2], 2, True)
    last = feed.changes(4, limit=2)
    assert ([change.n for change in last.changes], last.cursor, last.more) == ([5], 5, False)
    none = feed.changes(5)
    assert (none.changes, none.cursor, none.more) == ((), 5, False)


@pytest.mark.parametrize("since", [-1, 2])
def test_a_foreign_cursor_is_refused_in_words(database: Database, acme: TestLog, since: int) -> None:
    acme.append(listing(1, sha256(1)))
    with pytest.raises(RequestError, match="no cursor of this feed") as refused:
        ChangeFeed(database).changes(since)
    assert refused.value.where == "since"
    assert refused.value.mend is not None


@pytest.mark.parametrize("limit", [0, 10_001])
def test_a_page_has_a_cap(database: Database, limit: int) -> None:
    with pytest.raises(RequestError, match="a page holds"):
        ChangeFeed(database).changes(limit=limit)


class Follower:
    """Keeps a copy of the blocklist by the feed alone, of one action or of all."""

    def __init__(self, feed: ChangeFeed, action: Action | None) -> None:
        self.feed = feed
        self.action = action
        self.copy: dict[str, Face] = {}
        self.cursor = 0

    def follow(self, limits: Iterable[int]) -> None:
        for limit in limits:
            page = self.feed.changes(self.cursor, action=self.action, limit=limit)
            numbers = [change.n for change in page.changes]
            assert numbers == sorted(numbers)
            assert all(self.cursor < number <= page.cursor for number in numbers)
            for change in page.changes:
                if change.op == "set":
                    self.copy[change.key] = face(change)
                else:
                    self.copy.pop(change.key, None)
            self.cursor = page.cursor
            if not page.more:
                return

    def catch_up(self, limit: int) -> None:
        self.follow([limit] * 1_000)


def blocklist(database: Database, action: Action | None) -> dict[str, Face]:
    return {
        view.key: (view.action, view.rule, view.publishers, view.labels) for view in Blocklist(database).export(action)
    }


def play(logs: dict[str, TestLog], batch: Batch, minutes: int) -> None:
    log = logs[batch.member]
    log.clock[0] = NOW + timedelta(minutes=minutes)
    log.append(*batch.statements)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=8), data=st.data())
def test_whoever_follows_the_feed_has_the_blocklist(
    sqlite_files: SqliteFiles,
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Batch],
    sizes: list[int],
    data: st.DataObject,
) -> None:
    folder: Path = tmp_path_factory.mktemp("feed")
    with opened(sqlite_files.url(folder)) as database:
        logs = {member: add_log(database, member, own=member == "acme") for member in MEMBERS}
        feed = ChangeFeed(database)
        followers = [Follower(feed, action) for action in FILTERS]
        for number, batch in enumerate(history):
            play(logs, batch, number * 7)
            for follower in followers:
                follower.follow(data.draw(st.lists(st.sampled_from(sizes), max_size=2)))
        for follower in followers:
            follower.catch_up(sizes[0])
            assert follower.copy == blocklist(database, follower.action)
            anew = Follower(feed, follower.action)
            anew.catch_up(sizes[-1])
            assert anew.copy == follower.copy


def test_the_law_of_the_feed_on_each_database(database: Database) -> None:
    logs = {member: add_log(database, member, own=member == "acme") for member in MEMBERS}
    feed = ChangeFeed(database)
    followers = [Follower(feed, action) for action in FILTERS]
    for number in range(1, 13):
        log = logs[MEMBERS[number % 3]]
        log.append(*(listing(each, sha256(each * number % 7), labels=[str(number)]) for each in range(1, 6)))
        log.append(withdrawal(100 + number, number % 5 + 1))
        for follower in followers:
            follower.follow([3])
    for follower in followers:
        follower.catch_up(2)
        assert follower.copy == blocklist(database, follower.action)


def test_a_change_says_why(database: Database, acme: TestLog, beta: TestLog, gamma: TestLog) -> None:
    assert acme.number
    beta.append(listing(1, sha256(1)), listing(2, sha256(2)))
    beta.append(withdrawal(3, 2))
    gamma.append(listing(1, sha256(1)))
    reasons = {change.key: change.reason for change in ChangeFeed(database).changes().changes}
    assert reasons == {
        f"sha256:{sha256(1).value}": ("rule members-agree: two or more members list it", "counted: beta, gamma"),
        f"sha256:{sha256(2).value}": ("rule not-claimed: nobody lists it now",),
    }


def test_what_was_judged_before_more_became_known_names_its_rule_alone(
    database: Database, acme: TestLog, beta: TestLog
) -> None:
    assert acme.number
    beta.append(listing(1, sha256(1)))
    key = sha256(1).key
    with database.write() as connection:
        add_decision(connection, NewDecision(Verdict.ALLOW, Subject(key=key), "ours", "ann", keys=(key,)), now=NOW)
    (change,) = ChangeFeed(database, lambda: NOW).changes().changes
    assert (change.rule, change.reason) == ("one-member", ("rule one-member: one member lists it",))
