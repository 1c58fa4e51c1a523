from __future__ import annotations

from datetime import UTC, datetime

from hashpact_node.store import logs, peers, quarantine
from hashpact_node.store.database import Database
from hashpact_node.store.logs import LogTerms
from hashpact_node.store.quarantine import Quarantined

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def make_log(database: Database) -> int:
    origin = "beta.example/logs/listings-1"
    terms = LogTerms("listings", "listings", origin, f"https://{origin}", "open", ("key",))
    with database.write() as connection:
        peer = peers.add_peer(connection, "beta", "https://beta.example", now=NOW)
        return logs.put_card_logs(connection, peer.number, [terms])[0].number


def test_what_is_malformed_is_kept_and_counted(database: Database) -> None:
    log = make_log(database)
    rows = [
        Quarantined(log, 3, 0, "statement-malformed", "not canonical"),
        Quarantined(log, 5, 1, "signal-malformed", "upper case"),
        Quarantined(log, 5, 2, "signal-malformed", "too long"),
        Quarantined(log, 2**32 - 1, 0, "statement-malformed", "empty"),
    ]
    with database.write() as connection:
        quarantine.add_quarantined(connection, reversed(rows))
        quarantine.add_quarantined(connection, [rows[0]])
        quarantine.add_quarantined(connection, [])
    with database.read() as connection:
        assert quarantine.list_quarantined(connection, log) == rows
        assert quarantine.list_quarantined(connection, log, limit=2) == rows[:2]
        assert quarantine.list_quarantined(connection, log, after=(5, 1)) == rows[2:]
        assert quarantine.count_quarantined(connection) == quarantine.count_quarantined(connection, log) == 4
        assert quarantine.count_quarantined(connection, log + 1) == 0
    with database.write() as connection:
        quarantine.drop_quarantined(connection, log, 5)
        assert quarantine.list_quarantined(connection, log) == rows[:1]
