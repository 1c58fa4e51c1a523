from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from hashpact_node.services.counting import settle_counting
from hashpact_node.services.incident_steps import NEWS
from hashpact_node.services.rebuild import Rebuilder, Rebuilt
from hashpact_node.services.rederiving import rederive
from hashpact_node.services.removal import drop_claims_of
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.database import Database
from hashpact_node.store.incidents import Arrival, list_arrivals, list_steps, replace_steps, tagged_places
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import LogTerms, put_card_logs
from hashpact_node.store.peers import ACTIVE, SUSPENDED, get_peer, set_state
from hashpact_protocol.claims import Place
from hashpact_protocol.incidents import Status
from hashpact_protocol.statements import Incident, Listing
from members import NOW, TIME, TestLog, add_log, add_member, listing, sha256, terms, unknown, uuid_of, withdrawal

FIRE = uuid_of(70)
LATER = NOW + timedelta(hours=1)
HELD = int(NOW.timestamp())
CRISIS = terms("beta", "crisis-1", kind="crisis")


@pytest.fixture
def beta(database: Database) -> TestLog:
    add_log(database, "acme", own=True)
    return add_member(database, "beta", CRISIS)[1][0]


def says(number: int, status: str) -> Incident:
    return Incident(uuid_of(number), TIME, FIRE, status)


def tagged(number: int) -> Listing:
    return msgspec.structs.replace(listing(number, sha256(number)), incident=FIRE)


def said(database: Database) -> list[tuple[str, int | None]]:
    with database.read() as connection:
        return [(one.status.value, one.seen) for one in sorted(list_steps(connection, FIRE), key=lambda one: one.place)]


def arrivals(database: Database) -> list[tuple[str, float | None]]:
    with database.read() as connection:
        return [(one.listing, one.merged_at) for one in list_arrivals(connection, FIRE)]


def rebuild(database: Database, folder: Path) -> Rebuilt:
    return Rebuilder(database, Locks(database, folder), lambda: LATER).rebuild()


def fill(beta: TestLog) -> None:
    beta.append(says(1, "proposed"), tagged(2), b"no JSON")
    beta.clock[0] = LATER
    beta.append(says(3, "active"), tagged(2), tagged(4), withdrawal(5, 4), says(2, "concluded"))


EXPECTED = [("proposed", HELD), ("active", HELD + 3600)]
ARRIVED = [(uuid_of(2), HELD), (uuid_of(4), HELD + 3600)]


def test_a_batch_brings_what_it_says_of_incidents_and_when_listings_arrived(database: Database, beta: TestLog) -> None:
    """The id of a listing says nothing as an incident, and a listing that is restated arrived when it did first."""
    fill(beta)
    assert said(database) == EXPECTED
    assert arrivals(database) == ARRIVED
    with database.read() as connection:
        assert list_arrivals(connection, FIRE) == [
            Arrival("beta", uuid_of(2), HELD, HELD, HELD, Place(beta.number, 4)),
            Arrival("beta", uuid_of(4), HELD, HELD + 3600, HELD),
        ]


def news(database: Database) -> list[str]:
    with database.read() as connection:
        return [one.what for one in list_alarms(connection) if one.code == NEWS]


def test_people_are_told_of_an_incident_of_which_this_member_says_nothing(database: Database, beta: TestLog) -> None:
    beta.append(says(1, "concluded"))
    assert news(database) == []
    beta.append(says(2, "proposed"))
    assert news(database) == [f"beta says that an incident is proposed, of which this member says nothing: {FIRE}"]


def test_people_are_told_nothing_of_what_this_member_speaks_of(database: Database, beta: TestLog) -> None:
    with database.write() as connection:
        own = get_peer(connection, "acme").number
        rows = put_card_logs(connection, own, [terms("acme"), terms("acme", "crisis-1", kind="crisis")])
    TestLog(database, rows[-1].number).append(says(1, "proposed"))
    beta.append(says(1, "active"))
    assert news(database) == []


def test_listings_of_an_incident_are_found_where_they_stand(database: Database, beta: TestLog) -> None:
    fill(beta)
    with database.read() as connection:
        assert tagged_places(connection, [FIRE]) == [Place(beta.number, 4)]
        assert tagged_places(connection, [uuid_of(71)]) == []


def test_behind_a_critical_statement_nothing_is_heard(database: Database, beta: TestLog) -> None:
    beta.append(says(1, "active"), unknown(critical=True), says(2, "concluded"))
    beta.append(says(3, "concluded"))
    assert said(database) == [("active", HELD)]


def test_a_rebuild_finds_the_same_and_keeps_when_it_came(database: Database, beta: TestLog, tmp_path: Path) -> None:
    fill(beta)
    assert rebuild(database, tmp_path).steps_mended == 0
    assert (said(database), arrivals(database)) == (EXPECTED, ARRIVED)


def test_a_rebuild_brings_back_what_was_lost_but_not_when_it_came(
    database: Database, beta: TestLog, tmp_path: Path
) -> None:
    fill(beta)
    with database.write() as connection:
        replace_steps(connection, beta.row.sequence, [])
    assert rebuild(database, tmp_path).steps_mended == 2
    assert said(database) == [("proposed", None), ("active", None)]


def test_deriving_one_sequence_anew_finds_the_same(database: Database, beta: TestLog) -> None:
    fill(beta)
    with database.write() as connection:
        rederive(connection, get_peer(connection, "beta"), beta.row.sequence, now=LATER)
    assert (said(database), arrivals(database)) == (EXPECTED, ARRIVED)


def test_who_is_suspended_is_unheard_and_heard_again_when_merged_again(
    database: Database, beta: TestLog, tmp_path: Path
) -> None:
    fill(beta)
    with database.write() as connection:
        peer = get_peer(connection, "beta").number
        set_state(connection, peer, SUSPENDED)
    drop_claims_of(database, peer, now=LATER)
    with database.write() as connection:
        set_state(connection, peer, ACTIVE)
    assert said(database) == []
    assert rebuild(database, tmp_path).steps_mended == 0
    beta.append(says(9, "active"))  # read anew from the start
    assert [status for status, _ in said(database)] == ["active"]
    assert arrivals(database) == ARRIVED, "what was measured stays"


def card(database: Database, *logs: LogTerms) -> list[TestLog]:
    with database.write() as connection:
        peer = get_peer(connection, "beta").number
        rows = put_card_logs(connection, peer, list(logs))
    return [TestLog(database, row.number) for row in rows]


def test_what_a_fresh_successor_leaves_out_is_said_no_more(database: Database, beta: TestLog, tmp_path: Path) -> None:
    beta.append(says(1, "proposed"), says(2, "active"), tagged(3))
    ended = replace(CRISIS, state="closed", final_size=3, final_root=beta.row.accepted_root)
    _, successor = card(database, ended, terms("beta", "crisis-2", kind="crisis", fresh=2))
    successor.clock[0] = LATER
    successor.append(says(2, "active"))
    assert len(said(database)) == 3, "until it has said enough both count"
    successor.append(tagged(3))
    after = said(database)
    assert after == [("active", HELD)]
    assert rebuild(database, tmp_path).steps_mended == 0
    assert said(database) == after


def test_a_log_that_the_card_names_no_more_is_unheard(database: Database, beta: TestLog) -> None:
    beta.append(says(1, "active"))
    card(database, terms("beta"))
    with database.write() as connection:
        settle_counting(connection, get_peer(connection, "beta").number, now=LATER)
    assert said(database) == []


def test_the_same_history_in_batches_of_any_size_is_the_same(database: Database, beta: TestLog) -> None:
    steps = [says(number, status) for number, status in enumerate([*Status] * 5, 1)]
    for one in steps:
        beta.append(one)
    gamma = add_member(database, "gamma", terms("gamma", "crisis-1", kind="crisis"))[1][0]
    gamma.append(*steps)
    with database.read() as connection:
        found = list_steps(connection, FIRE)
    by_member = [[(one.place, one.status) for one in found if one.member == member] for member in ("beta", "gamma")]
    assert sorted(by_member[0]) == sorted(by_member[1])
    assert len(by_member[0]) == 15
