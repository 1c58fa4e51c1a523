from __future__ import annotations

import base64
import json
from datetime import timedelta

from hashpact_node.services.problems import alarm_about, problem
from hashpact_node.store.alarms import clear_alarms, find_alarm
from hashpact_node.store.database import Database
from hashpact_protocol.errors import EntriesError, FetchStatusError, ForkError
from members import NOW, add_log


def test_an_error_as_a_table_says_only_what_is_known() -> None:
    error = FetchStatusError("no", status=500, where="https://beta.example", mend="wait")
    assert problem(error) == {"code": "fetch-status", "what": "no", "where": "https://beta.example", "mend": "wait"}
    assert problem(EntriesError("no")) == {"code": "entries-mismatch", "what": "no"}


def test_an_error_becomes_an_alarm_and_is_cleared(sqlite_database: Database) -> None:
    log = add_log(sqlite_database, "beta").row
    later = NOW + timedelta(minutes=1)
    with sqlite_database.write() as connection:
        error = EntriesError("no", where="bundle 3", mend="mend it")
        alarm_about(connection, error, now=NOW, peer=log.peer, log=log.number)
        alarm = find_alarm(connection, error.code, peer=log.peer, log=log.number)
        assert alarm is not None
        assert (alarm.what, alarm.mend, alarm.evidence) == ("bundle 3: no", "mend it", None)
        alarm_about(connection, EntriesError("nowhere"), now=NOW, peer=log.peer)
        clear_alarms(connection, (error.code, "another"), now=later, peer=log.peer, log=log.number)
        over = find_alarm(connection, error.code, peer=log.peer, log=log.number)
        other = find_alarm(connection, error.code, peer=log.peer)
    assert over is not None
    assert over.cleared_at == int(later.timestamp())
    assert other is not None
    assert (other.what, other.cleared_at) == ("nowhere", None)


def test_the_evidence_of_a_fork_is_kept_with_it(sqlite_database: Database) -> None:
    with sqlite_database.write() as connection:
        alarm_about(connection, ForkError("two stories", evidence=(b"one\n", b"\xff")), now=NOW)
        alarm = find_alarm(connection, "log-forked")
    assert alarm is not None
    assert alarm.evidence is not None
    notes = json.loads(alarm.evidence)["notes"]
    assert [base64.b64decode(note) for note in notes] == [b"one\n", b"\xff"]
