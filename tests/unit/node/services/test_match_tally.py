from __future__ import annotations

from datetime import date, timedelta

import pytest

from hashpact_node.services.match_tally import UNMATCHED_TYPES, MatchTally
from hashpact_node.services.matching import MatchResult
from hashpact_node.store.database import Database
from hashpact_node.store.outcomes import MatchKey, date_of, day_of, first_matches, list_matches
from hashpact_protocol.errors import StoreFullError
from members import NOW

TODAY = day_of(NOW.date())
NONE, BLOCK = MatchResult("sha256", "a", "exact"), MatchResult("sha256", "b", "exact", "block")
REVIEW, MADE_UP = MatchResult("pdq", "c", "pdq", "review"), MatchResult("made_up_1", "d", "none")


class Days:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> object:
        return self.now


def stored(database: Database, first: int = 0, last: int = 10**6) -> dict[MatchKey, int]:
    with database.read() as connection:
        return list_matches(connection, first, last)


def test_lookups_are_counted_without_what_they_were_about(database: Database) -> None:
    days = Days()
    tally = MatchTally(database, days)  # type: ignore[arg-type]  # a clock that is set
    tally.add([NONE, BLOCK, BLOCK, REVIEW, MADE_UP], None)
    tally.add([BLOCK], "upload")
    assert stored(database) == {}
    tally.flush()
    days.now = NOW + timedelta(days=1)
    tally.add([BLOCK], "upload")
    tally.flush()
    today = {
        MatchKey(TODAY, "block", "sha256", ""): 2,
        MatchKey(TODAY, "block", "sha256", "upload"): 1,
        MatchKey(TODAY, "none", UNMATCHED_TYPES, ""): 1,
        MatchKey(TODAY, "none", "sha256", ""): 1,
        MatchKey(TODAY, "review", "pdq", ""): 1,
    }
    assert stored(database) == today | {MatchKey(TODAY + 1, "block", "sha256", "upload"): 1}
    assert stored(database, 0, TODAY) == today
    days.now = NOW
    MatchTally(database, days).add([BLOCK], "upload")  # type: ignore[arg-type]  # of a process that dies
    tally.add([BLOCK], "upload")
    tally.flush()
    tally.flush()
    assert stored(database, TODAY, TODAY)[MatchKey(TODAY, "block", "sha256", "upload")] == 2
    with database.read() as connection:
        assert first_matches(connection) == TODAY


def test_what_cannot_be_written_is_kept(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tally = MatchTally(sqlite_database, lambda: NOW)
    tally.add([BLOCK], None)
    with monkeypatch.context() as full:
        full.setattr(Database, "write", _full)
        tally.flush()
    tally.add([BLOCK], None)
    tally.flush()
    assert stored(sqlite_database) == {MatchKey(TODAY, "block", "sha256", ""): 2}


def _full(_database: Database) -> None:
    raise StoreFullError("the disk is full")


def test_days_have_numbers() -> None:
    assert (day_of(date(1970, 1, 2)), date_of(1)) == (1, date(1970, 1, 2))
