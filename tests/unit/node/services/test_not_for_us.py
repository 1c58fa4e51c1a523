from __future__ import annotations

import pytest

from follower import Follower
from hashpact_node.services.not_for_us import LEFT, NOT_FOR_US, refuses
from hashpact_node.services.status import StatusReader
from hashpact_protocol.errors import FetchStatusError, FetchTimeoutError
from hashpact_protocol.policy import Action
from members import listing, sha256
from publisher import Publisher, ScriptedLog, says

SECRET = "listings-x1-1"
CHECKPOINT = f"/logs/{SECRET}/checkpoint"


@pytest.fixture
def secret(publisher: Publisher) -> ScriptedLog:
    """A log of an audience of beta's, with one listing."""
    log = publisher.add_log(SECRET, name="listings-x1")
    log.append(listing(1, sha256(1)))
    publisher.log.append(listing(0, sha256(0)))
    publisher.publish()
    return log


def state(follower: Follower, publisher: Publisher) -> str:
    (view,) = [one for one in follower.peering.show(publisher.member).logs if one.log.origin.endswith(SECRET)]
    assert not (view.stale and not view.for_us)
    told = StatusReader(follower.database, follower.own.settings, follower.now).status()
    (log,) = [one for one in told.logs if one.origin.endswith(SECRET)]
    assert (log.state == NOT_FOR_US) == (not view.for_us)
    return log.state


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_log_that_is_for_others_is_nobodys_fault(
    sqlite_follower: Follower, publisher: Publisher, status: int
) -> None:
    publisher.alter(CHECKPOINT, says(b"", status))
    sqlite_follower.add(publisher)
    for asked in (1, 0, 1):
        sqlite_follower.later(minutes=10)
        publisher.forget()
        pulled = sqlite_follower.pulled(publisher)
        assert pulled.errors == []
        assert [one.verdict for one in pulled.logs][-1] == NOT_FOR_US
        assert len(publisher.paths(CHECKPOINT)) == asked, "the schedule leaves it alone for a quarter of an hour"
        assert publisher.paths("/trust") == [], "it is no reason to look for a newer card"
    peer = sqlite_follower.peer()
    assert (peer.failures, peer.last_error) == (0, None)
    assert sqlite_follower.alarms() == {}
    assert state(sqlite_follower, publisher) == NOT_FOR_US
    assert sqlite_follower.action(sha256(0)) is Action.REVIEW
    assert sqlite_follower.action(sha256(1)) is Action.NONE
    publisher.mend()
    assert sqlite_follower.puller.pull(publisher.member, wait_seconds=1).errors == [], "whoever asks, asks at once"
    assert state(sqlite_follower, publisher) == "open"
    assert sqlite_follower.action(sha256(1)) is Action.REVIEW


def test_what_was_read_before_stays_and_a_person_is_told(
    follower: Follower, publisher: Publisher, secret: ScriptedLog
) -> None:
    follower.add(publisher)
    assert follower.pull(publisher) == []
    publisher.alter(CHECKPOINT, says(b"", 401))
    assert follower.pull(publisher) == []
    assert follower.action(sha256(1)) is Action.REVIEW
    assert "1 entries held" in follower.alarms()[LEFT].what
    follower.later(days=2)
    publisher.now = follower.now()
    publisher.renew()
    assert follower.pull(publisher) == []
    assert state(follower, publisher) == NOT_FOR_US, "and nobody calls it stale"
    publisher.mend()
    secret.append(listing(2, sha256(2)))
    follower.later(minutes=15)
    assert follower.pull(publisher) == []
    assert LEFT not in follower.alarms()
    assert follower.action(sha256(2)) is Action.REVIEW


@pytest.mark.usefixtures("secret")
def test_a_log_for_all_must_be_answered(sqlite_follower: Follower, publisher: Publisher) -> None:
    sqlite_follower.add(publisher)
    publisher.alter("/logs/listings-1/checkpoint", says(b"", 401))
    (error,) = sqlite_follower.pull(publisher)
    assert isinstance(error, FetchStatusError)
    assert sqlite_follower.peer().failures == 1
    assert not refuses(error, sqlite_follower.log(publisher))
    of_audience = sqlite_follower.log(publisher, SECRET)
    assert refuses(error, of_audience)
    for status in (410, 429, 500, 503):
        assert not refuses(FetchStatusError("", status=status), of_audience)
    assert not refuses(FetchTimeoutError(""), of_audience)


def test_a_log_of_others_that_leaves_the_card_is_nobodys_loss(
    sqlite_follower: Follower, publisher: Publisher, secret: ScriptedLog
) -> None:
    publisher.alter(CHECKPOINT, says(b"", 404))
    sqlite_follower.add(publisher)
    sqlite_follower.pull(publisher)
    publisher.logs.remove(secret)
    publisher.publish()
    sqlite_follower.later(hours=2)
    assert sqlite_follower.pull(publisher) == []
    assert sqlite_follower.alarms() == {}


def test_a_log_of_ours_that_leaves_the_card_is_told(
    sqlite_follower: Follower, publisher: Publisher, secret: ScriptedLog
) -> None:
    sqlite_follower.add(publisher)
    sqlite_follower.pull(publisher)
    publisher.logs.remove(secret)
    publisher.publish()
    sqlite_follower.later(hours=2)
    assert sqlite_follower.pull(publisher) == []
    assert set(sqlite_follower.alarms()) == {"log-dropped"}
    assert sqlite_follower.action(sha256(1)) is Action.NONE
