from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import pytest

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.match_tally import MatchTally
from hashpact_node.services.matching import MatchResult
from hashpact_node.services.outcomes import NewOutcome, Outcomes
from hashpact_node.services.publishing import Publisher
from hashpact_node.services.release import Releaser
from hashpact_node.services.report_csv import report_csv
from hashpact_node.services.report_form import Report, Section
from hashpact_node.services.report_html import report_html
from hashpact_node.services.reports import DAYS_MAX, Reporter, read_day
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.outcomes import Counts
from hashpact_protocol.errors import RequestError
from members import TestLog, add_log, listing, pdq, sha256, withdrawal
from own_member import NOW, OwnMember, found_member

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 24)
GLORY, THREAT = "behaviour:glorification", "behaviour:threat"


def at(day: int, hour: int = 0) -> str:
    return f"2026-11-{day:02}T{hour:02}:00:00Z"


@pytest.fixture
def ours(sqlite_database: Database, tmp_path: Path) -> Database:
    """Acme's, on SQLite; another test asks both kinds of database."""
    found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    return sqlite_database


@pytest.fixture
def beta(ours: Database) -> TestLog:
    return fill(ours)


def fill(database: Database) -> TestLog:
    """Of another member: 30 items in November and one before, 9 of them withdrawn; nobody else lists anything."""
    log = add_log(database, "beta")
    glory = [listing(n, sha256(n), pdq(1000 + n), labels=[GLORY], time=at(3), preserve=n < 7) for n in range(1, 21)]
    threat = [listing(n, sha256(n), labels=[THREAT, "user:somebody"], time=at(4)) for n in range(21, 31)]
    log.append(*glory, *threat, listing(31, sha256(31), time="2026-10-31T23:59:59Z", content="somebody"))
    log.append(*[withdrawal(100 + n, n, time=at(3, n)) for n in range(1, 10)], withdrawal(200, 77, time=at(3)))
    return log


def made(database: Database, threshold: int = 5, first: date = FIRST, last: date = LAST) -> Report:
    return Reporter(database, threshold, lambda: NOW).report(first, last)


def section(report: Report, identifier: str) -> Section:
    return next(one for one in report.sections if one.id == identifier)


def figures(part: Section) -> dict[str, int | None]:
    return {one.id: one.value for one in part.figures}


def rows(part: Section, table: str) -> dict[str, tuple[int | None, ...]]:
    found = next(one for one in part.tables if one.id == table)
    assert not found.withheld
    return {row.name: row.values for row in found.rows}


@pytest.mark.usefixtures("beta")
def test_hashes_and_items_are_told_apart(ours: Database) -> None:
    stock = section(made(ours, 0), "list")
    assert figures(stock) == {"hashes": 33, "items": 22}
    assert rows(stock, "list-by-publisher") == {"beta": (33, 22, 30, 9)}
    assert rows(stock, "list-by-type") == {"sha256": (22, 22), "pdq": (11, 11)}
    assert rows(stock, "list-by-label") == {
        GLORY: (22, 11, 20, 9),
        THREAT: (10, 10, 10, 0),
        "other words": (10, 10, 10, 0),
        "no label": (1, 1, 0, 0),
    }
    assert rows(stock, "list-by-content") == {"image": (32, 21), "other words": (1, 1)}
    assert rows(stock, "list-by-action") == {"review": (33,)}
    assert rows(stock, "list-by-preservation") == {"no": (22,)}  # those that had evidential value are withdrawn


@pytest.mark.usefixtures("beta")
def test_a_hash_of_two_members_counts_once_and_their_items_each(ours: Database) -> None:
    add_log(ours, "gamma").append(listing(1, sha256(25), labels=[GLORY], preserve=True, time=at(5)))
    stock = section(made(ours, 0), "list")
    assert figures(stock) == {"hashes": 33, "items": 23}
    assert rows(stock, "list-by-publisher") == {"beta": (33, 22, 30, 9), "gamma": (1, 1, 1, 0)}
    assert rows(stock, "list-by-label")[GLORY] == (23, 12, 21, 9)
    assert rows(stock, "list-by-preservation") == {"no": (22,), "yes": (1,)}


def test_a_period_counts_what_was_dated_within_it(ours: Database, beta: TestLog) -> None:
    beta.append(listing(30, sha256(30), labels=[THREAT], time=at(5)))  # said again: it counts once
    report = made(ours, 0)
    assert figures(section(report, "listed")) == {"listed": 30}
    assert rows(section(report, "listed"), "listed-by-month") == {"2026-11": (30,)}
    october = made(ours, 0, date(2026, 10, 1), date(2026, 10, 31))
    assert figures(section(october, "listed")) == {"listed": 1}
    assert figures(section(october, "withdrawals"))["withdrawn"] == 0


def test_withdrawals_and_how_long_they_took(ours: Database, beta: TestLog) -> None:
    found = section(made(ours), "withdrawals")
    assert figures(found) == {
        "withdrawn": 9,
        "withdrawn-others-median": 5 * 3_600,
        "withdrawn-others-90": 9 * 3_600,
    }
    assert rows(found, "withdrawn-by-reason") == {"error": (9,)}
    beta.append(listing(9, sha256(9), time=at(6)))  # listed again: it is not withdrawn any more
    assert figures(section(made(ours), "withdrawals"))["withdrawn"] == 8


def test_both_kinds_of_database_report_alike(acme: OwnMember) -> None:
    fill(acme.database)
    tally = MatchTally(acme.database, lambda: NOW)
    tally.add([MatchResult("sha256", "x", "exact", "block")] * 7, "upload")
    tally.flush()
    Outcomes(acme.database, lambda: NOW).add([NewOutcome(f"sha256:{sha256(30).value}", Counts(7))], "")
    report = made(acme.database)
    assert figures(section(report, "list")) == {"hashes": 33, "items": 22}
    assert figures(section(report, "matches")) == {"lookups": 7, "matches": 7}
    assert figures(section(report, "outcomes"))["matched"] == 7
    assert figures(section(report, "decisions")) == {"decisions": 0, "decisions-standing": 0}


def test_own_withdrawals_count_from_release_to_release(sqlite_database: Database, tmp_path: Path) -> None:
    acme = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    clock = [NOW - timedelta(days=2)]
    locks = Locks(acme.database, acme.home)
    releaser = Releaser(acme.database, locks, acme.keyring, lambda: clock[0])
    publisher = Publisher(acme.database, releaser, lambda: clock[0])
    first = publisher.publish([ListingDraft("image", (sha256(n),)) for n in range(1, 3)])
    listed = publisher.publish([ListingDraft("image", (sha256(n),)) for n in range(3, 9)])
    for number, one in enumerate(listed, 1):
        clock[0] = NOW - timedelta(days=2) + timedelta(minutes=number)
        publisher.withdraw(one.id, "error")
    found = figures(section(made(acme.database), "withdrawals"))
    assert len(first) == 2
    assert found["withdrawn"] == 6
    assert (found["withdrawn-own-median"], found["withdrawn-own-90"]) == (180, 360)


@pytest.mark.usefixtures("beta")
def test_matches_and_outcomes_are_told_and_what_was_not_measured_is_no_zero(ours: Database) -> None:
    report = made(ours)
    for name in ("matches", "outcomes", "disputes", "incidents"):
        part = section(report, name)
        assert (part.not_measured is not None, part.figures, part.tables) == (True, (), ()), name
    regulation = {one.id: one for one in section(report, "regulation-2021-784").figures}
    assert {one.value for one in regulation.values()} == {None}
    assert all((one.note or "").startswith("not measured: ") for one in regulation.values())
    tally = MatchTally(ours, lambda: NOW)
    tally.add([MatchResult("sha256", "x", "exact", "review")] * 8 + [MatchResult("pdq", "x", "pdq")] * 20, "upload")
    tally.add([MatchResult("pdq", "x", "pdq", "block")] * 6, None)
    tally.flush()
    key = f"sha256:{sha256(30).value}"
    Outcomes(ours, lambda: NOW).add([NewOutcome(key, Counts(14, 9, 6, 2))], "t1")
    report = made(ours)
    assert figures(section(report, "matches")) == {"lookups": 34, "matches": 14}
    assert rows(section(report, "matches"), "matches-by-surface") == {"upload": (8,), "not said": (6,)}
    assert "counted from 2026-11-24 on" in section(report, "matches").about
    assert figures(section(report, "outcomes")) == {"matched": 14, "removed": 9, "appealed": 6, "reinstated": None}
    counted = {name: value for name, value in figures(section(report, "regulation-2021-784")).items() if value}
    assert counted == {"b-matches": 14, "c-removed": 9, "d-complaints": 6}
    before = made(ours, last=date(2026, 11, 23))
    assert section(before, "matches").not_measured == "lookups are counted from 2026-11-24 on"
    assert section(before, "outcomes").not_measured is not None


@pytest.mark.usefixtures("beta")
def test_nothing_of_a_report_tells_a_hash_a_small_count_or_what_somebody_wrote(ours: Database) -> None:
    add_log(ours, "gamma").append(listing(1, sha256(25), labels=[GLORY], time=at(5)))
    report = made(ours)
    texts = [json.dumps(asdict(report)), report_csv(report), report_html(report)]
    for text in texts:
        assert not re.search(r"[0-9a-f]{32}", text)
        assert "somebody" not in text
    stock = section(report, "list")
    assert [one.withheld for one in stock.tables if one.id == "list-by-publisher"] == [False]
    assert rows(stock, "list-by-publisher") == {"beta": (None,) * 4, "gamma": (None,) * 4}
    counts = [count for part in report.sections for table in part.tables for row in table.rows for count in row.values]
    counts += [one.value for part in report.sections for one in part.figures if not one.unit]
    assert not {1, 2, 3, 4} & set(counts)


def test_how_few_had_been_there_before_does_not_follow_either(ours: Database) -> None:
    old = [listing(n, sha256(n), time="2026-10-01T00:00:00Z") for n in (1, 2)]
    add_log(ours, "beta").append(*old, *[listing(n, sha256(n), time=at(3)) for n in range(3, 43)])
    for number, member in enumerate(("gamma", "delta"), 1):
        some = range(100 * number, 100 * number + 50 + number)
        add_log(ours, member).append(*[listing(n, sha256(n), time=at(3)) for n in some])
    report = made(ours)
    assert rows(section(report, "list"), "list-by-publisher") == {
        "delta": (52, 52, 52, 0),
        "beta": (None,) * 4,
        "gamma": (None,) * 4,
    }
    assert figures(section(report, "listed")) == {"listed": None}


def test_how_few_were_withdrawn_does_not_follow_from_what_was_listed_and_what_is_left(ours: Database) -> None:
    """Forty listed and thirty-eight left say as much as two withdrawn."""
    log = add_log(ours, "beta")
    log.append(*[listing(n, sha256(n), labels=[(GLORY, THREAT)[n % 2]], time=at(3)) for n in range(1, 41)])
    log.append(*[withdrawal(100 + n, 2 * n, time=at(5)) for n in (1, 2)])
    report = made(ours)
    assert figures(section(report, "list")) == {"hashes": 38, "items": 38}
    assert figures(section(report, "withdrawals")) == {"withdrawn": None}
    assert (figures(section(report, "listed")), section(report, "listed").tables) == ({"listed": None}, ())
    assert [one.withheld for one in section(report, "list").tables[:2]] == [True, False]
    assert rows(section(report, "list"), "list-by-label") == {GLORY: (None,) * 4, THREAT: (None,) * 4}
    open_report = made(ours, 0)
    assert figures(section(open_report, "listed")) == {"listed": 40}
    assert rows(section(open_report, "list"), "list-by-label") == {THREAT: (20, 20, 20, 0), GLORY: (18, 18, 20, 2)}


@pytest.mark.parametrize(
    ("first", "last", "where"),
    [
        (LAST, FIRST, "to"),
        (FIRST, NOW.date() + timedelta(days=1), "to"),
        (NOW.date() - timedelta(days=DAYS_MAX), NOW.date(), "from"),
    ],
)
def test_a_period_that_cannot_be_reported_on(ours: Database, first: date, last: date, where: str) -> None:
    with pytest.raises(RequestError) as caught:
        made(ours, first=first, last=last)
    assert caught.value.where == where


@pytest.mark.parametrize("text", ["", "2026", "2026-02-30", "20260101", "2026-W01-1", "x"])
def test_a_day_is_written_in_one_way(text: str) -> None:
    assert read_day("2026-02-28", "from") == date(2026, 2, 28)
    with pytest.raises(RequestError, match="no day"):
        read_day(text, "from")
