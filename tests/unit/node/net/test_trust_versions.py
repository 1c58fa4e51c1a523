"""Rollback, freeze, fast-forward and recovery of trust repositories, over real HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust import describe
from hashpact_keys.trust_files import newest, versioned
from hashpact_node import clock
from hashpact_protocol.errors import (
    TrustError,
)
from unit.keys.trust_simulator import NOW, later, relink
from unit.node.net.trust_reader import Reader

HOUR = timedelta(hours=1)


def test_rollback_of_everything_is_refused(reader: Reader) -> None:
    old = dict(reader.member.files)
    reader.member.now += HOUR
    reader.member.publish(reader.member.card(name="Acme"))
    reader.accepted()
    reader.server.files = old
    reader.refused(TrustError, "a version that must not come now")


@pytest.mark.parametrize("role", [TrustRole.SNAPSHOT, TrustRole.TARGETS])
def test_rollback_under_a_fresh_timestamp_is_refused(reader: Reader, role: TrustRole) -> None:
    reader.member.now += HOUR
    reader.member.publish(reader.member.card(name="Acme"))
    reader.accepted()

    def back(signed: Any) -> None:
        if role is TrustRole.SNAPSHOT:
            signed.version = 1
        else:
            signed.meta["targets.json"].version = 1

    reader.member.renew()
    reader.member.edit(TrustRole.SNAPSHOT, back, signers=[reader.member.online])
    if role is TrustRole.SNAPSHOT:
        reader.member.files[versioned(TrustRole.SNAPSHOT, 10**12)] = reader.member.files.pop(
            versioned(TrustRole.SNAPSHOT, 1)
        )
    relink(reader.member, TrustRole.SNAPSHOT)
    reader.member.edit(TrustRole.TIMESTAMP, later, signers=[reader.member.online])
    reader.publish()
    reader.refused(TrustError, "a version that must not come now")


def test_a_skipped_and_a_repeated_root_version_are_refused(reader: Reader) -> None:
    reader.member.rotate()
    reader.member.rotate()
    third = reader.member.files.pop(versioned(TrustRole.ROOT, 3))
    for wrong in (third, reader.member.files[versioned(TrustRole.ROOT, 1)]):
        reader.member.files[versioned(TrustRole.ROOT, 2)] = wrong
        reader.publish()
        assert reader.refused(TrustError, "a version that must not come now").new_roots == ()


def test_mix_and_match_is_refused(reader: Reader) -> None:
    reader.member.now += HOUR
    reader.member.publish(reader.member.card(name="Acme"))
    reader.publish()
    first = newest(reader.stored, TrustRole.TARGETS)
    assert first is not None
    version = describe(reader.member.files).card_version
    reader.server.files[versioned(TrustRole.TARGETS, version)] = first
    update = reader.refused(TrustError, "")
    assert describe(update.files | reader.stored).roles[2].version > version - 1


def test_two_snapshots_of_one_version_are_refused(reader: Reader) -> None:
    reader.member.edit(TrustRole.SNAPSHOT, _longer, signers=[reader.member.online])
    relink(reader.member, TrustRole.SNAPSHOT)
    reader.member.edit(TrustRole.TIMESTAMP, later, signers=[reader.member.online])
    reader.publish()
    reader.refused(TrustError, "another snapshot of the same version")
    reader.member.now += HOUR
    reader.member.renew()
    reader.accepted()


def _longer(signed: Any) -> None:
    signed.expires += HOUR


def test_a_frozen_repository_is_refused_once_its_timestamp_has_expired(reader: Reader) -> None:
    assert reader.accepted(after=23 * HOUR).card is not None
    reader.refused(TrustError, "has expired", after=25 * HOUR)


@pytest.mark.parametrize(("days", "what"), [(8, "snapshot"), (366, "root")])
def test_each_expiry_counts(reader: Reader, days: int, what: str) -> None:
    if what == "snapshot":

        def far(signed: Any) -> None:
            signed.expires += timedelta(days=30)
            signed.version += 1

        reader.member.edit(TrustRole.TIMESTAMP, far, signers=[reader.member.online])
        reader.publish()
    reader.refused(TrustError, "has expired", after=timedelta(days=days))


def test_time_is_the_argument_and_not_the_clock(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW - timedelta(days=9_000))
    reader.member.now = NOW + timedelta(days=300)
    reader.member.renew()
    reader.accepted(after=timedelta(days=300))


def fast_forward(signed: Any) -> None:
    signed.version = 2**53


def test_recovery_after_a_thief_has_run_the_versions_up(reader: Reader) -> None:
    member = reader.member
    honest = dict(member.files)
    member.edit(TrustRole.SNAPSHOT, fast_forward, signers=[member.online])
    relink(member, TrustRole.SNAPSHOT)
    member.edit(TrustRole.TIMESTAMP, fast_forward, signers=[member.online])
    reader.accepted()
    assert describe(reader.stored).roles[3].version == 2**53
    member.files = honest
    member.now += HOUR
    member.replace_online()
    update = reader.accepted()
    assert update.card == member.card()
    assert describe(reader.stored).roles[3].version < 2**53


def test_recovery_from_run_up_targets_says_that_the_card_went_back(reader: Reader) -> None:
    member = reader.member
    honest = dict(member.files)
    member.edit(TrustRole.TARGETS, fast_forward, signers=[member.targets])
    relink(member, TrustRole.TARGETS)
    member.edit(TrustRole.TIMESTAMP, later, signers=[member.online])
    reader.accepted()
    member.files = honest
    member.replace_online()
    reader.publish()
    update = reader.refresh()
    assert update.card == member.card()
    assert "went back from version 9007199254740992" in str(update.problems[0])
