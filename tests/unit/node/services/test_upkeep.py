from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from hashpact_keys.trust import describe
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.upkeep import Upkeep
from hashpact_node.services.views import own_number
from hashpact_node.store import idempotency
from hashpact_node.store.signals import find_signals
from hashpact_node.store.trust import load_files
from hashpact_protocol.errors import StoreBusyError
from hashpact_protocol.policy import Action
from members import listing, sha256
from own_member import NOW, OwnMember


@pytest.fixture
def clock() -> list[datetime]:
    return [NOW]


@pytest.fixture
def upkeep(acme: OwnMember, clock: list[datetime]) -> Upkeep:
    acme.releaser.now = lambda: clock[0]
    return Upkeep(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: clock[0])


def versions(acme: OwnMember) -> dict[str, int]:
    with acme.database.read() as connection:
        files = load_files(connection, own_number(connection))
    return {role.role.value: role.version for role in describe(files).roles}


def test_the_trust_repository_is_signed_anew_at_half_life(
    acme: OwnMember, upkeep: Upkeep, clock: list[datetime]
) -> None:
    first = versions(acme)
    clock[0] += timedelta(hours=11, minutes=59)
    assert upkeep.renew_trust() is False
    assert versions(acme) == first
    clock[0] += timedelta(minutes=2)
    assert upkeep.renew_trust() is True
    second = versions(acme)
    assert (second["root"], second["targets"]) == (first["root"], first["targets"])
    assert second["timestamp"] == second["snapshot"] == int(clock[0].timestamp())
    assert upkeep.renew_trust() is False
    for _ in range(3):
        clock[0] += timedelta(hours=13)
        assert upkeep.renew_trust() is True
    with acme.database.read() as connection:
        names = [name for _, name in load_files(connection, own_number(connection))]
    assert len(names) == 6, "one generation before stays, older ones go"
    assert "1.root.json" in names


def test_a_clock_that_ran_back_never_takes_versions_back(
    acme: OwnMember, upkeep: Upkeep, clock: list[datetime]
) -> None:
    clock[0] += timedelta(days=10)
    assert upkeep.renew_trust()
    ahead = versions(acme)
    clock[0] -= timedelta(days=3)
    with acme.database.write() as connection:  # as if it were due
        connection.execute(text("DELETE FROM trust_file WHERE name = 'timestamp.json'"))
    assert upkeep.renew_trust()
    assert versions(acme)["snapshot"] > ahead["snapshot"]


def test_one_at_a_time_signs_the_trust_repository(
    acme: OwnMember, upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.upkeep.TRUST_WAIT_SECONDS", 0.1)
    with acme.releaser.locks.hold("trust/own"), pytest.raises(StoreBusyError):
        upkeep.renew_trust()


def test_cosignatures_are_renewed_and_what_waits_goes_with_them(
    acme: OwnMember, upkeep: Upkeep, clock: list[datetime]
) -> None:
    acme.publisher.publish([ListingDraft("image", (sha256(1),))], wait=False)
    assert upkeep.renew_cosignatures() == 1
    clock[0] += timedelta(minutes=5)
    assert upkeep.renew_cosignatures() == 1
    log = acme.log
    assert (log.accepted_size, log.own_cosigned_at) == (1, int(clock[0].timestamp()))


def test_what_waits_is_released(acme: OwnMember, upkeep: Upkeep) -> None:
    assert upkeep.release_waiting() == 1, "the empty log"
    assert upkeep.release_waiting() == 0
    acme.publisher.publish([ListingDraft("image", (sha256(1),))], wait=False)
    assert upkeep.release_waiting() == 1
    assert acme.log.accepted_size == 1


def test_what_expires_stops_acting_without_any_pull(acme: OwnMember, upkeep: Upkeep, clock: list[datetime]) -> None:
    acme.publisher.publish([ListingDraft("image", (sha256(1),), expires="2026-11-24T05:00:00Z")])
    signal = listing(1, sha256(1)).signals[0]

    def action() -> Action:
        with acme.database.read() as connection:
            return Action(find_signals(connection, [signal.key])[signal.key].action)

    clock[0] += timedelta(minutes=59)
    assert upkeep.expire() == 0
    assert action() == Action.BLOCK
    clock[0] += timedelta(minutes=1)
    assert upkeep.expire() == 1
    assert action() == Action.IGNORE
    assert upkeep.expire() == 0


def test_whatever_is_due_expires_a_part_at_a_time(
    acme: OwnMember, upkeep: Upkeep, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.expiry.DUE_AT_ONCE", 2)
    drafts = [ListingDraft("image", (sha256(number),), expires="2026-11-24T05:00:00Z") for number in range(5)]
    acme.publisher.publish(drafts)
    clock[0] += timedelta(hours=1)
    assert upkeep.expire() == 5
    assert upkeep.expire() == 0


def test_old_idempotency_keys_are_forgotten(acme: OwnMember, upkeep: Upkeep, clock: list[datetime]) -> None:
    with acme.database.write() as connection:
        idempotency.begin(connection, "key", b"hash", now=NOW)
    clock[0] += timedelta(days=2)
    upkeep.expire()
    with acme.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM idempotency")).scalar_one() == 0


def test_a_log_that_fails_does_not_stop_the_others(upkeep: Upkeep, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def release(_releaser: object, log: int) -> None:
        done.append(log)
        if log < 3:
            raise StoreBusyError(f"log {log}")

    monkeypatch.setattr("hashpact_node.services.release.Releaser.waiting", lambda _releaser: [1, 2, 3])
    monkeypatch.setattr("hashpact_node.services.release.Releaser.release", release)
    with pytest.raises(StoreBusyError, match="log 1"):
        upkeep.release_waiting()
    assert done == [1, 2, 3]
