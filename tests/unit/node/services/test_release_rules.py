"""What may get a place, and when: laws of limits and delays."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.holding import HeldReleases
from hashpact_node.services.publishing import Published, Publisher
from hashpact_node.services.release import Releaser
from hashpact_node.services.release_rules import HELD, ReleaseRules
from hashpact_node.services.stating import Stating
from hashpact_node.services.succession import Succession
from hashpact_node.services.undoing import Undoing
from hashpact_node.settings import Settings
from hashpact_node.store.alarms import find_alarm
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import find_log
from hashpact_node.store.queue import count_entries
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import ConflictError
from hashpact_protocol.incidents import IncidentRules
from hashpact_protocol.statements import Incident
from members import TIME, add_member, sha256, terms, uuid_of
from own_member import NOW, OwnMember, found_member


@dataclass
class Ruled:
    """A member under rules, whose clock is set by hand."""

    acme: OwnMember
    rules: ReleaseRules
    time: datetime = NOW
    publisher: Publisher = field(init=False)
    held: HeldReleases = field(init=False)

    def __post_init__(self) -> None:
        self.acme.releaser.rules = self.rules
        self.acme.releaser.now = self.now
        self.publisher = Publisher(self.acme.database, self.acme.releaser, self.now)
        self.held = HeldReleases(self.acme.database, self.rules, self.now)

    def now(self) -> datetime:
        return self.time

    def publish(self, *numbers: int, wait: bool = False) -> list[str]:
        drafts = [ListingDraft("image", (sha256(number),)) for number in numbers]
        return [one.id for one in self.publisher.publish(drafts, wait=wait)]

    def release(self) -> int:
        """Do what the schedule does; give how much is shown."""
        for log in self.acme.releaser.waiting():
            self.acme.releaser.release(log)
        return self.acme.log.accepted_size

    def alarm(self) -> str | None:
        with self.acme.database.read() as connection:
            found = find_alarm(connection, HELD, log=self.acme.log.number)
        return None if found is None or found.cleared_at is not None else found.what

    def queued(self) -> int:
        with self.acme.database.read() as connection:
            return count_entries(connection)

    def look(self) -> int:
        """Give the number that names what waits now."""
        (held,) = self.held.show()
        return held.before


@pytest.fixture
def limited(acme: OwnMember) -> Ruled:
    return Ruled(acme, ReleaseRules(max_listings=3, max_withdrawals=1))


@pytest.fixture
def resting(sqlite_database: Database, tmp_path: Path) -> Ruled:
    acme = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    return Ruled(acme, ReleaseRules(undo_delay_seconds=60))


def test_settings_say_the_rules(tmp_path: Path) -> None:
    assert ReleaseRules.of(Settings(home=tmp_path)) == ReleaseRules()
    settings = Settings(
        home=tmp_path, four_eyes=True, release_max_listings=1, release_max_withdrawals=2, undo_delay_seconds=3
    )
    assert ReleaseRules.of(settings) == ReleaseRules(True, 1, 2, 3)  # noqa: FBT003 - in the order of its fields


def test_nothing_above_the_limit_is_signed_without_a_yes(limited: Ruled) -> None:
    limited.publish(1, 2, 3)
    assert limited.release() == 3
    (published,) = limited.publisher.publish([ListingDraft("image", (sha256(4),))])
    assert published.index is None
    assert published.notice is not None
    assert "more than 3 listings would be released within an hour: 3 were, and 1 more wait" in published.notice
    assert limited.alarm() is not None
    assert limited.acme.releaser.waiting() == []  # a person was told, and nothing is tried meanwhile
    limited.acme.releaser.release(limited.acme.log.number)
    assert (limited.release(), limited.queued()) == (3, 1)
    assert limited.held.confirm("listings", before=limited.look()) == 1
    assert (limited.release(), limited.queued(), limited.alarm()) == (4, 0, None)
    # What somebody said yes to counts no more; what nobody did counts for an hour.
    limited.publish(5)
    assert limited.release() == 4
    limited.time += timedelta(minutes=61)
    assert (limited.release(), limited.alarm()) == (5, None)


def test_a_batch_that_is_too_large_is_held_whole(limited: Ruled) -> None:
    limited.publish(*range(4))
    assert (limited.release(), limited.queued()) == (0, 4)
    told = limited.alarm()
    assert told is not None
    assert "0 were, and more than 3 more wait" in told


def test_a_run_away_script_is_stopped_though_it_goes_one_by_one(limited: Ruled) -> None:
    shown = []
    for number in range(9):
        limited.time += timedelta(minutes=1)
        limited.publish(number)
        shown.append(limited.release())
    assert shown == [1, 2, 3, 3, 3, 3, 3, 3, 3]
    assert limited.queued() == 6


def test_withdrawals_have_a_limit_of_their_own(limited: Ruled) -> None:
    ids = limited.publish(1, 2, 3)
    limited.release()
    limited.publisher.withdraw(ids[0], "error", wait=False)
    assert limited.release() == 4
    limited.publisher.withdraw(ids[1], "error", wait=False)
    assert limited.release() == 4
    told = limited.alarm()
    assert told is not None
    assert "more than 1 withdrawals" in told


def test_another_process_counts_what_this_one_released(limited: Ruled) -> None:
    limited.publish(1, 2)
    limited.release()
    acme = limited.acme
    locks = Locks(acme.database, acme.home)
    other = Releaser(acme.database, locks, acme.keyring, limited.now, rules=limited.rules)
    limited.publish(3, 4)
    other.release(acme.log.number)
    assert (acme.log.accepted_size, limited.queued()) == (2, 2)


def test_what_goes_away_ends_the_alarm(limited: Ruled) -> None:
    ids = limited.publish(*range(4))
    limited.release()
    assert limited.alarm() is not None
    Undoing(limited.acme.database).undo(ids[1])
    assert (limited.release(), limited.alarm()) == (3, None)
    limited.publish(7)
    limited.release()
    limited.held.drop("listings", before=limited.look())
    assert (limited.release(), limited.alarm(), limited.queued()) == (3, None, 0)


def test_without_limits_nothing_is_counted(acme: OwnMember) -> None:
    ruled = Ruled(acme, ReleaseRules())
    ruled.publish(*range(9))
    assert ruled.release() == 9
    Ruled(acme, ReleaseRules(max_listings=1)).publish(10)
    assert ruled.release() == 10


def test_what_is_published_rests(resting: Ruled) -> None:
    (published,) = resting.publisher.publish([ListingDraft("image", (sha256(1),))])
    assert (published.index, published.notice, published.rests_until) == (None, None, "2026-11-24T04:01:00Z")
    resting.time += timedelta(seconds=59)
    resting.publish(2)
    assert resting.release() == 0
    assert resting.acme.releaser.waiting() == []
    resting.time += timedelta(seconds=1)
    assert (resting.release(), resting.queued()) == (1, 1)
    with pytest.raises(ConflictError, match="it has its place"):
        Undoing(resting.acme.database).undo(published.id)
    resting.time += timedelta(seconds=60)
    assert resting.release() == 2
    withdrawn = resting.publisher.withdraw(published.id, "error")
    assert (withdrawn.index, withdrawn.rests_until) == (None, "2026-11-24T04:03:00Z")


@pytest.mark.parametrize("seed", range(3))
def test_law_no_hour_holds_more_than_the_limit(sqlite_database: Database, tmp_path: Path, seed: int) -> None:
    """Whatever is published, taken back, confirmed and dropped: nobody's yes is missed, and nothing gets past it."""
    chance = random.Random(seed)
    acme = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    ruled = Ruled(acme, ReleaseRules(max_listings=5, undo_delay_seconds=chance.choice((0, 90))))
    placed: list[tuple[datetime, int]] = []
    confirmed = number = 0
    for _step in range(60):
        ruled.time += timedelta(minutes=chance.choice((0, 1, 5, 30)))
        wanted = [number + one for one in range(chance.choice((0, 1, 1, 2, 7)))]
        number += len(wanted)
        ids = ruled.publish(*wanted) if wanted else []
        if ids and chance.random() < 0.2:
            Undoing(acme.database).undo(ids[0])
        if ruled.held.show() and chance.random() < 0.15:
            confirmed += ruled.held.confirm("listings", before=ruled.look())
        if ruled.held.show() and chance.random() < 0.1:
            ruled.held.drop("listings", before=ruled.look())
        before = acme.log.accepted_size
        grown = ruled.release() - before
        free = min(grown, confirmed)  # at best all of it had a yes
        confirmed -= free
        placed.append((ruled.time, grown - free))
        lately = [count for time, count in placed if time > ruled.time - timedelta(minutes=59)]
        assert sum(lately) <= 5
    assert acme.log.accepted_size > 5


FIRE, FLOOD = uuid_of(70), uuid_of(71)
RESTS = ReleaseRules(undo_delay_seconds=600)


@dataclass
class InCrisis(Ruled):
    """The same with a log of crises, while ``FIRE`` is active and ``FLOOD`` is proposed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        succession = Succession(
            self.acme.database, self.acme.releaser.locks, self.acme.keyring, self.acme.releaser, self.now
        )
        Stating(self.acme.database, self.publisher, succession, self.now).open(LogKind.CRISIS)
        beta = add_member(self.acme.database, "beta", terms("beta", "crisis-1", kind="crisis"))[1][0]
        beta.append(
            Incident(uuid_of(1), TIME, FIRE, "active"),
            Incident(uuid_of(2), TIME, FLOOD, "proposed"),
        )

    def tag(self, incident: str, *numbers: int) -> list[Published]:
        drafts = [ListingDraft("image", (sha256(number),), incident=incident) for number in numbers]
        return self.publisher.publish(drafts)

    def crisis(self) -> int:
        """Release, and give how much the log of crises shows."""
        self.release()
        with self.acme.database.read() as connection:
            log = find_log(connection, "acme.example/logs/crisis-1")
        assert log is not None
        return log.accepted_size


def in_crisis(acme: OwnMember, rules: ReleaseRules, *, undo_delay: bool = False) -> InCrisis:
    said = IncidentRules(members=1, undo_delay=undo_delay)
    return InCrisis(acme, replace(rules, incidents=lambda: said))


def test_what_belongs_to_an_active_incident_does_not_rest_where_policy_says_so(acme: OwnMember) -> None:
    here = in_crisis(acme, RESTS)
    (one,) = here.tag(FIRE, 1)
    assert (one.index, one.rests_until) == (0, None)
    (other,) = here.tag(FLOOD, 2)
    assert (other.index, other.rests_until) == (None, "2026-11-24T04:10:00Z")
    assert here.publisher.withdraw(one.id, "error").index is None, "it waits behind what rests"
    assert here.crisis() == 1
    here.time += timedelta(seconds=600)
    assert here.crisis() == 3


def test_a_correction_is_as_fast_as_a_listing(acme: OwnMember) -> None:
    here = in_crisis(acme, RESTS)
    (one,) = here.tag(FIRE, 1)
    assert here.publisher.withdraw(one.id, "error").size == 2


def test_it_rests_as_everything_else_where_policy_does_not_say_so(acme: OwnMember) -> None:
    here = in_crisis(acme, RESTS, undo_delay=True)
    assert here.tag(FIRE, 1)[0].rests_until == "2026-11-24T04:10:00Z"
    assert here.crisis() == 0


def test_it_rests_where_no_incident_is_active(acme: OwnMember) -> None:
    two = IncidentRules(members=2, undo_delay=False)
    here = InCrisis(acme, ReleaseRules(undo_delay_seconds=600, incidents=lambda: two))
    assert here.tag(FIRE, 1)[0].index is None


def test_the_general_log_rests_whatever_happens(acme: OwnMember) -> None:
    here = in_crisis(acme, RESTS)
    (one,) = here.publisher.publish([ListingDraft("image", (sha256(1),))])
    assert one.index is None


def test_listings_of_an_active_incident_count_towards_no_limit(acme: OwnMember) -> None:
    here = in_crisis(acme, ReleaseRules(max_listings=2, max_withdrawals=1))
    ids = [one.id for one in here.tag(FIRE, *range(1, 6))]
    assert here.crisis() == 5
    assert [one.index for one in here.tag(FLOOD, 6, 7)] == [5, 6], "nothing was counted before"
    assert here.tag(FLOOD, 8)[0].index is None
    here.time += timedelta(hours=2)
    assert here.crisis() == 8
    for one in ids[:2]:
        here.publisher.withdraw(one, "error", wait=False)
    assert here.crisis() == 8, "many withdrawals at once are for a person to look at"
