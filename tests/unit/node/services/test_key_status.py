from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import col

from hashpact_keys.rows import RowName
from hashpact_node.services.key_status import HomeScan, KeyStatus, key_status
from hashpact_node.services.views import own_card, own_peer
from hashpact_node.store import tables
from hashpact_node.store.database import Database
from hashpact_node.store.logs import LogTerms, put_card_logs
from hashpact_node.store.peers import accept_card, add_peer
from hashpact_node.store.trust import load_files, save_files
from hashpact_protocol.card import encode_card
from hashpact_protocol.errors import ConfigurationError
from own_member import NOW, OwnMember

TRIAL = {("offline-key-here", "root"), ("offline-key-here", "targets"), ("root-threshold", "root")}


def grave(status: KeyStatus) -> set[tuple[str, str | None]]:
    """Give what is wrong, by code and row, but for the few rounds of bcrypt with which tests write their keys."""
    return {(one.code, one.row and one.row.value) for one in status.findings if one.code != "file-weak"}


def test_every_row_is_shown_with_what_is_wrong(acme: OwnMember) -> None:
    status = key_status(acme.database, acme.settings.keys, home=acme.home, now=NOW)
    assert (status.member, status.url) == ("acme", "https://acme.example")
    assert status.fingerprint.startswith("1:sha256:")
    assert status.card_version == int(NOW.timestamp())
    assert [key.row for key in status.keys] == list(RowName)
    assert [duty.row for duty in status.duties] == list(RowName)
    assert grave(status) == TRIAL
    assert sum("TRIAL MODE" in warning for warning in status.warnings) == 2
    assert status.warnings[0].startswith("root: TRIAL MODE")


def test_a_lost_key_and_a_late_role_are_errors(acme: OwnMember) -> None:
    (acme.home / "keys" / "release.key").unlink()
    status = key_status(acme.database, acme.settings.keys, home=acme.home, now=NOW + timedelta(days=2))
    lost = {("key-unreadable", "release"), ("key-missing", "release")}
    assert grave(status) == TRIAL | lost | {("expired", "online")}


def test_a_key_that_a_peer_names_too_is_an_error(acme: OwnMember) -> None:
    with acme.database.write() as connection:
        own = own_peer(connection)
        card = own_card(connection)
        beta = add_peer(connection, "beta", "https://beta.example", now=NOW)
        theirs = replace(
            card,
            member="beta",
            url=beta.url,
            logs=(),
            witness_keys=(),
            request_keys=(replace(card.request_keys[0], id="b"),),
        )
        accept_card(connection, beta.number, old_version=None, version=1, card=encode_card(theirs), now=NOW)
    shared = grave(key_status(acme.database, acme.settings.keys, home=acme.home, now=NOW)) - TRIAL
    assert shared == {("reused-by-members", "request")}
    with acme.database.write() as connection:
        save_files(connection, beta.number, load_files(connection, own.number))
    shared = grave(key_status(acme.database, acme.settings.keys, home=acme.home, now=NOW)) - TRIAL
    assert shared == {("reused-by-members", row) for row in ("request", "root", "targets", "online")}


def test_a_cosignature_from_the_future_shows_that_our_clock_is_behind(acme: OwnMember) -> None:
    with acme.database.write() as connection:
        beta = add_peer(connection, "beta", "https://beta.example", now=NOW)
        origin = "beta.example/logs/listings-1"
        terms = LogTerms("listings", "listings", origin, f"https://{origin}", "open", ())
        (log,) = put_card_logs(connection, beta.number, [terms])
        statement = update(tables.Log).where(col(tables.Log.number) == log.number)
        connection.execute(statement.values(own_cosigned_at=int(NOW.timestamp())))
    for late, expected in ((60, set()), (61, {("clock-skew", None)}), (301, {("clock-skew", None)})):
        now = NOW - timedelta(seconds=late)
        status = key_status(acme.database, acme.settings.keys, home=acme.home, now=now)
        found = {(one.code, one.row) for one in status.findings if one.code == "clock-skew"}
        assert found == expected
    assert "newest cosignature of beta" in next(one.what for one in status.findings if one.code == "clock-skew")


def test_the_files_of_a_home_are_looked_through_once_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [100.0, 159.9, 160.0]
    monkeypatch.setattr("hashpact_node.clock.monotonic", lambda: times[0])
    scan = HomeScan(tmp_path)
    assert scan.scan().looked_at == 0
    (tmp_path / "file").write_text("")
    for _ in range(2):
        before = scan.scan().looked_at
        times.pop(0)
    assert (before, scan.scan().looked_at) == (0, 1)


def test_a_row_that_does_not_exist_is_refused(acme: OwnMember) -> None:
    with pytest.raises(ConfigurationError, match="no row of keys 'relase'"):
        key_status(acme.database, {"relase": ("file:x",)}, home=acme.home, now=NOW)


def test_before_init_there_are_none(database: Database, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no member yet"):
        key_status(database, {}, home=tmp_path, now=NOW)
