from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hashpact_keys.rows import RowName
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.status import StatusReader, check_ready
from hashpact_node.services.views import own_number
from hashpact_node.settings import Settings
from hashpact_node.store.database import Database
from hashpact_node.store.trust import load_files, prune_files
from hashpact_protocol.errors import ConfigurationError, NotFoundError
from members import sha256
from own_member import NOW, OwnMember


def test_a_fresh_member_waits_for_its_first_release(acme: OwnMember) -> None:
    status = StatusReader(acme.database, acme.settings, lambda: NOW).status()
    assert [(log.size, log.stale, log.cosigned_at) for log in status.logs] == [(0, True, None)]
    with pytest.raises(NotFoundError):
        check_ready(acme.database)
    acme.releaser.release(acme.log.number)
    check_ready(acme.database)
    status = StatusReader(acme.database, acme.settings, lambda: NOW).status()
    assert [(log.stale, log.cosigned_at) for log in status.logs] == [(False, "2026-11-24T04:00:00Z")]


def test_counts_are_made_once_a_change(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = StatusReader(acme.database, acme.settings, lambda: NOW)
    counted: list[int] = []

    def count(_connection: object) -> dict[int, int]:
        counted.append(1)
        return {acme.log.number: 7}

    monkeypatch.setattr("hashpact_node.services.status.count_live", count)
    for _ in range(2):
        assert reader.status().logs[0].live == 7
    assert counted == [1]
    acme.publisher.publish([ListingDraft("image", (sha256(1),))])
    assert reader.status().blocklist["block"] == 1
    assert counted == [1, 1]


def test_before_init_there_is_no_status(sqlite_database: Database, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        check_ready(sqlite_database)
    with pytest.raises(ConfigurationError):
        StatusReader(sqlite_database, Settings(home=tmp_path), lambda: NOW).status()


def test_damaged_trust_files_are_a_warning(acme: OwnMember) -> None:
    with acme.database.write() as connection:
        number = own_number(connection)
        files = load_files(connection, number)
        prune_files(connection, number, {name for name in files if name[1] != "timestamp.json"})
    status = StatusReader(acme.database, acme.settings, lambda: NOW).status()
    assert [key.row for key in status.keys] == ["online"]
    assert status.keys[0].warnings
    assert [(one.code, one.severity) for one in status.key_findings] == [("trust-refused", "error")]


def test_a_key_that_is_gone_is_a_warning(acme: OwnMember) -> None:
    settings = replace(acme.settings, keys={**acme.settings.keys, "release": ("file:keys/gone.key",)})
    status = StatusReader(acme.database, settings, lambda: NOW).status()
    warnings = {key.row: key.warnings for key in status.keys}
    assert any("gone.key" in one for one in warnings["release"])


def test_the_status_goes_by_the_keys_that_are_configured_now(acme: OwnMember) -> None:
    reader = StatusReader(acme.database, acme.settings, lambda: NOW)
    before = {one.code for one in reader.status().key_findings}
    KeyPlaces(acme.settings).add(RowName.RELEASE, "file:keys/another.key")
    after = {one.code: one.where for one in reader.status().key_findings}
    assert set(after) - before == {"key-unreadable"}
    assert after["key-unreadable"] == "file:keys/another.key"
