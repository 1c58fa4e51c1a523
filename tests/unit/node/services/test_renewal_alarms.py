from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from full_disk import limit_pages, page_count
from hashpact_keys.keystore import KeyStore
from hashpact_node.services.key_status import key_status
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.release import Releaser
from hashpact_node.services.renewal_alarms import COSIGNATURES, TRUST
from hashpact_node.services.upkeep import Upkeep
from hashpact_node.store.alarms import list_alarms, raise_alarm
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConflictError, HashpactError, KeyUnavailableError, StoreBusyError, StoreFullError
from own_member import NOW, OwnMember, found_member

LATER = NOW + timedelta(hours=13)


def sign() -> None:
    """Let anybody sign."""


def upkeep_of(
    acme: OwnMember, passphrase: bytes = b"passphrase of a test", may_sign: Callable[[], None] = sign
) -> Upkeep:
    """Give the upkeep as a new process would have it, thirteen hours after the trust repository was signed."""
    keyring = Keyring(KeyStore(acme.home, lambda: passphrase), acme.settings.keys)
    releaser = Releaser(acme.database, acme.releaser.locks, keyring, lambda: LATER, may_sign)
    return Upkeep(acme.database, releaser.locks, keyring, releaser, lambda: LATER)


def alarms(acme: OwnMember) -> dict[str, tuple[str, str | None, int]]:
    with acme.database.read() as connection:
        return {one.code: (one.what, one.mend, one.times) for one in list_alarms(connection)}


def found(acme: OwnMember, now: datetime = LATER) -> set[tuple[str, str | None]]:
    status = key_status(acme.database, acme.settings.keys, home=acme.home, now=now)
    return {(one.code, one.row and one.row.value) for one in status.findings if one.code.startswith("renewal")}


def test_a_wrong_passphrase_is_loud_until_it_is_right(acme: OwnMember) -> None:
    upkeep = upkeep_of(acme, b"another")
    with capture_logs() as logs:
        for work in (upkeep.renew_trust, upkeep.renew_trust, upkeep.renew_cosignatures):
            with pytest.raises(KeyUnavailableError):
                work()
    told = [(one["log_level"], one["code"]) for one in logs]
    assert told == [("error", TRUST), ("error", TRUST), ("error", COSIGNATURES)]
    raised = alarms(acme)
    assert {code: times for code, (_, _, times) in raised.items()} == {TRUST: 2, COSIGNATURES: 1}
    assert "passphrase does not open" in raised[TRUST][0]
    assert "HASHPACT_PASSPHRASE" in str(raised[TRUST][1])
    assert found(acme) == {("renewal-fails", "online"), ("renewal-fails", "witness")}
    upkeep = upkeep_of(acme)
    assert upkeep.renew_trust()
    assert set(alarms(acme)) == {COSIGNATURES}
    upkeep.renew_cosignatures()
    assert alarms(acme) == {}
    assert found(acme) == set()


def test_an_online_key_that_is_gone_is_loud(acme: OwnMember) -> None:
    key = acme.home / "keys/online.key"
    data = key.read_bytes()
    key.unlink()
    with pytest.raises(KeyUnavailableError, match="cannot be read"):
        upkeep_of(acme).renew_trust()
    assert set(alarms(acme)) == {TRUST}
    key.write_bytes(data)
    key.chmod(0o600)
    assert upkeep_of(acme).renew_trust()
    assert alarms(acme) == {}


def test_one_that_was_renewed_by_another_is_no_trouble_any_more(acme: OwnMember) -> None:
    with pytest.raises(KeyUnavailableError):
        upkeep_of(acme, b"another").renew_trust()
    Upkeep(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: NOW).renew_trust()
    assert alarms(acme) == {}


@pytest.mark.parametrize(
    "error", [ConflictError("signs nothing yet"), StoreBusyError("busy")], ids=lambda one: one.code
)
def test_waiting_is_no_failure(acme: OwnMember, error: HashpactError) -> None:
    def refuse() -> None:
        raise error

    with capture_logs() as logs, pytest.raises(type(error)):
        upkeep_of(acme, may_sign=refuse).renew_trust()
    assert (alarms(acme), logs) == ({}, [])


def test_any_fault_is_loud(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_any: object) -> None:
        raise RuntimeError("a device that broke")

    monkeypatch.setattr("hashpact_node.services.upkeep.renew_online", broken)
    with pytest.raises(RuntimeError):
        upkeep_of(acme).renew_trust()
    assert "a device that broke" in alarms(acme)[TRUST][0]


def test_on_a_full_disk_where_no_alarm_can_be_stored_the_log_tells(sqlite_database: Database, tmp_path: Path) -> None:
    acme = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    limit_pages(sqlite_database, page_count(sqlite_database))
    with suppress(StoreFullError):
        for number in range(1_000):  # whatever room is left in the pages that are there
            with sqlite_database.write() as connection:
                raise_alarm(connection, f"filler-{number}", "x" * 500, now=NOW, peer=number)
    with capture_logs() as logs, pytest.raises(StoreFullError):
        upkeep_of(acme).renew_trust()
    assert [one["code"] for one in logs] == [TRUST] * 2
    assert logs[1]["event"] == "no alarm could be raised about that"
    assert {one["log_level"] for one in logs} == {"error"}
    assert found(acme, LATER + timedelta(hours=6)) == {("renewal-late", "online")}, "which needs no storing"
