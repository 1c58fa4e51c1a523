from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from hashpact_keys.health import KeyHealth, key_health
from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import RowName
from hashpact_keys.trust import describe
from hashpact_protocol.card import parse_card
from unit.keys.trust_simulator import NOW, Member

URIS = {row: (f"file:keys/{row.value}.key",) for row in reversed(RowName)}


@pytest.fixture
def member(tmp_path: Path) -> Member:
    """A member whose key files lie in ``tmp_path``."""
    keys = KeyStore(tmp_path, lambda: b"secret", kdf_rounds=1)
    public = {row: keys.create(f"keys/{row.value}.key") for row in RowName}
    for row in RowName:
        os.utime(tmp_path / f"keys/{row.value}.key", (NOW.timestamp() - 3_600,) * 2)
    member = Member()
    member.release, member.witness, member.request = (
        public[row] for row in (RowName.RELEASE, RowName.WITNESS, RowName.REQUEST)
    )
    member.publish(member.card())
    return member


def look(member: Member, home: Path, after: timedelta = timedelta(0)) -> dict[RowName, KeyHealth]:
    card = parse_card(member.card(), member="acme", url=member.url)
    entries = key_health(URIS, home=home, state=describe(member.files), card=card, now=NOW + after)
    assert [entry.row for entry in entries] == list(RowName)
    return {entry.row: entry for entry in entries}


def test_trial_mode_is_a_loud_warning_that_says_what_to_do(member: Member, tmp_path: Path) -> None:
    entries = look(member, tmp_path)
    for row in (RowName.ROOT, RowName.TARGETS):
        (warning,) = entries[row].warnings
        assert warning.startswith("TRIAL MODE")
        assert "Before real use" in warning
    assert all(not entry.warnings for row, entry in entries.items() if row not in {RowName.ROOT, RowName.TARGETS})


def test_place_age_and_expiry_are_shown(member: Member, tmp_path: Path) -> None:
    entries = look(member, tmp_path)
    assert entries[RowName.ONLINE].uri == "file:keys/online.key"
    assert {entry.age for entry in entries.values()} == {timedelta(hours=1)}
    assert entries[RowName.RELEASE].public == member.release
    expiries = {row: entry.expires - NOW if entry.expires else None for row, entry in entries.items()}
    assert expiries[RowName.ROOT] == expiries[RowName.TARGETS] == timedelta(days=365)
    assert expiries[RowName.ONLINE] == timedelta(days=1)
    assert expiries[RowName.RELEASE] is expiries[RowName.CRISIS] is None
    assert expiries[RowName.WITNESS] == expiries[RowName.REQUEST] == timedelta(days=365, hours=-4)


def test_what_expires_soon_or_has_expired_is_said(member: Member, tmp_path: Path) -> None:
    soon = look(member, tmp_path, timedelta(days=340))
    assert "root keys must sign a new root" in soon[RowName.ROOT].warnings[1]
    assert soon[RowName.WITNESS].warnings == ("expires at 2027-11-24T00:00:00Z: sign a new card",)
    assert soon[RowName.ONLINE].warnings == (
        "expired at 2026-11-25T04:00:00Z: the renewal job has not run; look at the node's jobs",
    )


@pytest.mark.usefixtures("member")
def test_a_key_that_the_card_does_not_name_is_said(tmp_path: Path) -> None:
    entries = look(Member(), tmp_path)
    for row in (RowName.RELEASE, RowName.WITNESS, RowName.REQUEST):
        assert entries[row].warnings[0].startswith("the card does not name this key")
        assert entries[row].expires is None
    assert entries[RowName.CRISIS].warnings == ()


def test_a_key_that_cannot_be_read_is_a_warning(member: Member, tmp_path: Path) -> None:
    (tmp_path / "keys/online.key").chmod(0o644)
    (tmp_path / "keys/witness.key").unlink()
    entries = look(member, tmp_path)
    assert "0644" in entries[RowName.ONLINE].warnings[0]
    assert entries[RowName.ONLINE].expires == NOW + timedelta(days=1)
    assert entries[RowName.WITNESS].public is None
    assert entries[RowName.WITNESS].age is None
