"""Recording, reading, verifying and exporting, and what somebody with SQL in hand does to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from sqlalchemy import Connection, text

from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.audit import AuditLog, verify_export
from hashpact_node.services.audit_chain import Head
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.database import Database
from hashpact_protocol.errors import RequestError, StoreError
from hashpact_protocol.merkle import EMPTY_ROOT
from own_member import OwnMember

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
ALICE = Actor(ActorKind.COMMAND, "alice")
KEY = Actor(ActorKind.TOKEN, "k1", "192.0.2.7")


def log_of(database: Database, count: int = 0) -> AuditLog:
    audit = AuditLog(database, lambda: NOW)
    for number in range(1, count + 1):
        audit.record(ALICE, f"act {number}", f"subject {number}")
    return audit


def sql(database: Database, *statements: str) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def found(audit: AuditLog, *earlier: Head) -> list[str]:
    return [one.what for one in audit.verify(earlier).findings]


def test_what_is_recorded_is_read_back(database: Database) -> None:
    audit = log_of(database)
    assert audit.head() == Head(0, EMPTY_ROOT)
    audit.record(ALICE, "peer add", "beta", detail={"url": "https://user:secret@beta.example"})
    with database.write() as connection:
        audit.record(KEY, "add_peer", "gamma", "conflict", {"status": 409}, connection=connection)
    first, second = audit.newest(limit=10)
    assert first["actor"] == {"kind": "command", "name": "alice", "address": None}
    assert (first["n"], first["action"], first["subject"], first["result"]) == (1, "peer add", "beta", "ok")
    assert first["detail"] == {"url": "https://***@beta.example"}
    assert second["actor"] == {"kind": "token", "name": "k1", "address": "192.0.2.7"}
    assert (second["result"], second["detail"], second["time"]) == ("conflict", {"status": 409}, "2026-11-24T04:00:00Z")
    assert audit.verify().sound


def test_it_is_recorded_with_the_change_or_not_at_all(database: Database) -> None:
    audit = log_of(database)

    def fail(connection: Connection) -> None:
        audit.record(ALICE, "peer add", connection=connection)
        raise RuntimeError

    with pytest.raises(RuntimeError), database.write() as connection:
        fail(connection)
    assert audit.newest(limit=10) == []


def test_entries_are_picked(sqlite_database: Database) -> None:
    times = iter(NOW + timedelta(days=day) for day in range(9))
    audit = AuditLog(sqlite_database, lambda: next(times))
    for actor, action in ((ALICE, "peer add"), (KEY, "add_peer"), (ALICE, "peer remove"), (ALICE, "publish")):
        audit.record(actor, action)

    def picked(**options: object) -> list[int]:
        return [one["n"] for one in audit.newest(**{"limit": 10, **options})]  # type: ignore[arg-type]  # of a test

    assert picked() == [1, 2, 3, 4]
    assert picked(limit=2) == [3, 4]
    assert picked(actor="alice") == picked(actor="command") == [1, 3, 4]
    assert picked(actor="192.0.2.7") == picked(actor="k1") == [2]
    assert picked(action="peer") == [1, 3]
    assert picked(action="peer add") == [1]
    assert picked(since=NOW + timedelta(days=2)) == [3, 4]


def test_pages_go_on_from_their_cursor(sqlite_database: Database) -> None:
    audit = log_of(sqlite_database, 5)
    first = audit.page(0, limit=3)
    assert (len(first.entries), first.cursor, first.more, first.head) == (3, 3, True, str(audit.head()))
    second = audit.page(first.cursor, limit=3)
    assert (len(second.entries), second.cursor, second.more) == (2, 5, False)
    last = audit.page(second.cursor, limit=3)
    assert (last.entries, last.cursor, last.more) == ([], 5, False)


ALTERED = "UPDATE audit_entry SET entry = (SELECT entry FROM audit_entry WHERE number = 5) WHERE number = 3"
SWAPPED = (
    "UPDATE audit_entry SET number = 99 WHERE number = 3",
    "UPDATE audit_entry SET number = 3 WHERE number = 5",
    "UPDATE audit_entry SET number = 5 WHERE number = 99",
)


def test_who_alters_removes_or_swaps_rows_is_seen(database: Database) -> None:
    audit = log_of(database, 7)
    assert found(audit) == []
    with database.write() as connection:
        before = connection.execute(text("SELECT entry FROM audit_entry WHERE number = 3")).scalar_one()
        forged = bytes(before).replace(b"alice", b"bobby")
        connection.execute(text("UPDATE audit_entry SET entry = :entry WHERE number = 3"), {"entry": forged})
    assert found(audit) == ["entry 3 was altered: entry 4 does not continue it"]
    with database.write() as connection:
        connection.execute(text("UPDATE audit_entry SET entry = :entry WHERE number = 3"), {"entry": bytes(before)})
    assert found(audit) == []
    sql(database, *SWAPPED)
    assert found(audit) == [
        "in the place of entry 3 stands one that says it is entry 5",
        "in the place of entry 5 stands one that says it is entry 3",
    ]
    sql(database, *SWAPPED)
    sql(database, "DELETE FROM audit_entry WHERE number = 6")
    assert found(audit) == ["entry 6 is missing"]
    sql(database, "DELETE FROM audit_entry WHERE number = 7")
    assert found(audit) == ["entries 6 to 7 are missing at the end"]
    sql(database, "UPDATE audit_entry SET time = 0 WHERE number = 1")
    assert found(audit)[0] == "entry 1 is filed under another time than it says"
    sql(database, "DELETE FROM audit_head")
    assert "entries 1 to 5 are not known to the head: the node never wrote that" in found(audit)


def test_an_older_copy_does_not_meet_a_later_head(sqlite_database: Database) -> None:
    audit = log_of(sqlite_database, 3)
    first = audit.head()
    audit.record(ALICE, "act 4")
    assert found(audit, first, audit.head()) == []
    later = Head(5, bytes(32))
    assert found(audit, later) == [f"there were 5 entries when the head {later} was written down, and now there are 4"]


def test_a_damaged_head_or_entry_is_shown_as_such(sqlite_database: Database) -> None:
    audit = log_of(sqlite_database, 2)
    sql(sqlite_database, "UPDATE audit_head SET size = 3", "UPDATE audit_entry SET entry = x'00' WHERE number = 1")
    assert found(audit) == ["entry 1 was altered: not JSON", "the head is missing or damaged"]
    page = audit.page(0, limit=10)
    assert page.head.startswith("damaged")
    assert b"altered" in page.entries[0]
    assert [one["result"].partition(":")[0] for one in audit.newest(limit=10)] == ["altered", "ok"]


def test_a_check_tells_the_head_and_raises_an_alarm(
    sqlite_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = log_of(sqlite_database, 3)
    assert audit.check().sound
    assert str(audit.head()) in capsys.readouterr().out
    sql(sqlite_database, "DELETE FROM audit_entry WHERE number = 2")
    assert not audit.check().sound
    with sqlite_database.read() as connection:
        (alarm,) = list_alarms(connection)
    assert (alarm.code, alarm.what) == ("audit-altered", "the audit log is not as it was written: entry 2 is missing")


def test_an_export_is_verified_without_a_database(sqlite_database: Database) -> None:
    audit = log_of(sqlite_database, 6)
    output = BytesIO()
    head = audit.export(output, "acme")
    lines = output.getvalue().splitlines(keepends=True)
    assert head == audit.head()

    def verified(lines: list[bytes], *earlier: Head) -> list[str]:
        return [one.what for one in verify_export(lines, earlier, where="audit.ndjson").findings]

    assert verified(lines, head) == []
    assert verified(lines[:-1]) == ["the head is missing or damaged"]
    assert verified([*lines[:2], *lines[3:]]) == ["entry 3 is missing"]
    assert verified([*lines[:2], lines[2].replace(b"alice", b"bobby"), *lines[3:]]) == [
        "entry 3 was altered: entry 4 does not continue it"
    ]
    assert verified([*lines[:2], b"\n", *lines[3:]])[0].startswith("entry 3 was altered")
    assert verified([lines[1], lines[0], *lines[2:]])[:2] == [
        "entry 1 is missing",
        "entry 1 stands twice, or behind entry 2: it was moved",
    ]
    for wrong in ([*lines, lines[0]], [b"x" * 300_000], [b'{"head":"7"}']):
        with pytest.raises(RequestError):
            verified(wrong)


def test_what_cannot_be_written_is_told_in_the_process_log(
    sqlite_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = log_of(sqlite_database)
    sql(sqlite_database, "DROP TABLE audit_entry")
    with pytest.raises(StoreError):
        audit.record(ALICE, "peer add", "beta")
    assert not audit.try_record(ALICE, "peer add", "https://u:secret@beta.example")
    said = capsys.readouterr().out
    assert "could not be written" in said
    assert "alice" in said
    assert "secret" not in said


def test_a_card_that_is_taken_is_recorded(acme: OwnMember) -> None:
    (first,) = log_of(acme.database).newest(limit=10)
    assert (first["actor"]["kind"], first["action"], first["subject"]) == ("job", "take card", "acme")
    assert first["detail"]["version"] > 0
