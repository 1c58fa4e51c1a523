from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hashpact_keys.rows import RowName
from hashpact_node.services.key_status import key_status
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConfigurationError
from own_member import NOW, OwnMember


def test_every_row_is_shown_with_what_is_wrong(acme: OwnMember) -> None:
    status = key_status(acme.database, acme.settings.keys, home=acme.home, now=NOW)
    assert (status.member, status.url) == ("acme", "https://acme.example")
    assert status.fingerprint.startswith("1:sha256:")
    assert status.card_version == int(NOW.timestamp())
    assert [key.row for key in status.keys] == list(RowName)
    assert [warning.partition(":")[0] for warning in status.warnings] == ["root", "targets"]
    assert all("TRIAL MODE" in warning for warning in status.warnings)


def test_a_lost_key_and_a_late_role_are_warnings(acme: OwnMember) -> None:
    (acme.home / "keys" / "release.key").unlink()
    status = key_status(acme.database, acme.settings.keys, home=acme.home, now=NOW + timedelta(days=2))
    warnings = [warning for warning in status.warnings if "TRIAL MODE" not in warning]
    assert [warning.partition(":")[0] for warning in warnings] == ["online", "release"]


def test_a_row_that_does_not_exist_is_refused(acme: OwnMember) -> None:
    with pytest.raises(ConfigurationError, match="no row of keys 'relase'"):
        key_status(acme.database, {"relase": ("file:x",)}, home=acme.home, now=NOW)


def test_before_init_there_are_none(database: Database, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no member yet"):
        key_status(database, {}, home=tmp_path, now=NOW)
