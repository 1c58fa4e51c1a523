from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import SqliteFiles, opened
from hashpact_node.services import rebuild as module
from hashpact_node.services.batches import compress
from hashpact_node.services.blocklist import Blocklist
from hashpact_node.services.change_feed import ChangeFeed
from hashpact_node.services.digests import Digester
from hashpact_node.services.rebuild import Rebuilder, Rebuilt
from hashpact_node.services.removal import drop_claims_of
from hashpact_node.services.views import viewpoint
from hashpact_node.store.bundles import Bundle, drop_from, put_bundles
from hashpact_node.store.changes import Numbers
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.expiries import Expiring, drop_expiring, take_due
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import move_held, put_card_logs
from hashpact_node.store.owners import drop_sequence, page_of_owners, set_owners
from hashpact_node.store.peers import REMOVED, set_state
from hashpact_node.store.quarantine import drop_quarantined, list_quarantined
from hashpact_node.store.signals import SignalChange, SignalRow, change_signals, find_signals, page_by_number
from hashpact_protocol.claims import EXPIRED, Place, pack_claim
from hashpact_protocol.errors import StoreBusyError, StoreError
from hashpact_protocol.tiles import encode_bundle
from histories import MEMBERS, Batch, histories
from members import NOW, TestLog, add_log, add_member, listing, pdq, sha256, terms, unknown, withdrawal

LATER = NOW + timedelta(hours=1)
SOON = "2026-11-24T04:30:00Z"
FAR = "2027-11-24T04:00:00Z"


@pytest.fixture
def acme(database: Database) -> TestLog:
    return add_log(database, "acme", own=True)


@pytest.fixture
def beta(database: Database) -> TestLog:
    return add_log(database, "beta")


@pytest.fixture
def rebuild(database: Database, tmp_path: Path) -> Callable[[], Rebuilt]:
    return Rebuilder(database, Locks(database, tmp_path), lambda: LATER).rebuild


def fill(acme: TestLog, beta: TestLog) -> None:
    """Make a state that holds something of everything; at ``LATER`` nothing more expires."""
    acme.append(listing(1, sha256(1), labels=["a"]), listing(2, sha256(2), pdq(2, 30)), withdrawal(3, 2))
    beta.append(listing(1, sha256(1), sha256(3), labels=["b"]), b"no JSON", unknown(), listing(2, pdq(1), expires=SOON))
    beta.append(listing(1, sha256(1), labels=["c"]), listing(4, sha256(5), expires=FAR), withdrawal(4, 1))
    beta.clock[0] = LATER
    beta.append(listing(6, sha256(6)))


def state(database: Database) -> Any:
    """Give everything that is derived."""
    with database.read() as connection:
        rows = page_by_number(connection, -1, limit=10_000)
        owners = [page_of_owners(connection, sequence, b"", limit=10_000) for sequence in range(-4, 5)]
        quarantined = [list_quarantined(connection, log) for log in range(1, 5)]
    return rows, owners, quarantined, ChangeFeed(database).changes()


def rows_of(database: Database) -> dict[bytes, tuple[int, bytes]]:
    with database.read() as connection:
        rows = page_by_number(connection, -1, limit=10_000)
    return {row.key: (row.action, row.claims) for row in rows if row.claims}


def change(database: Database, changes: dict[bytes, SignalChange]) -> None:
    with database.write() as connection:
        numbers = Numbers(connection, now=int(NOW.timestamp()))
        change_signals(connection, changes, viewpoint(connection, NOW), numbers)
        numbers.close()


def test_what_is_right_stays_as_it_is(
    database: Database, acme: TestLog, beta: TestLog, rebuild: Callable[[], Rebuilt]
) -> None:
    fill(acme, beta)
    before, logs = state(database), (acme.row, beta.row)
    assert rebuild() == Rebuilt(logs=2, entries=2 * (3 + 8))
    assert state(database) == before
    assert (acme.row, beta.row) == logs


def drop_a_claim(database: Database, beta: TestLog) -> None:
    change(database, {sha256(5).key: SignalChange(remove={Place(beta.number, 5)})})


def add_a_claim(database: Database, beta: TestLog) -> None:
    change(database, {sha256(9).key: SignalChange(add=pack_claim(beta.number, 4, None))})


def revive_a_claim(database: Database, beta: TestLog) -> None:
    change(database, {sha256(3).key: SignalChange(add=pack_claim(beta.number, 0, None))})


def forget_an_expiry(database: Database, beta: TestLog) -> None:
    change(database, {pdq(1).key: SignalChange(add=pack_claim(beta.number, 3, 100))})


def expire_too_early(database: Database, beta: TestLog) -> None:
    change(database, {sha256(5).key: SignalChange(expire={Place(beta.number, 5)})})


@pytest.mark.parametrize("harm", [drop_a_claim, add_a_claim, revive_a_claim, forget_an_expiry, expire_too_early])
def test_a_wrong_claim_is_mended_with_a_new_number(
    database: Database,
    acme: TestLog,
    beta: TestLog,
    rebuild: Callable[[], Rebuilt],
    harm: Callable[[Database, TestLog], None],
) -> None:
    fill(acme, beta)
    before = rows_of(database)
    harm(database, beta)
    harmed = ChangeFeed(database).changes()
    assert rows_of(database) != before
    rebuilt = rebuild()
    assert (rebuilt.signals_mended, rebuilt.owners_mended) == (1, 0)
    assert rows_of(database) == before
    assert len(ChangeFeed(database).changes(harmed.cursor).changes) == 1
    assert ChangeFeed(database).changes().changes[:-1] == tuple(
        one for one in harmed.changes if one.key != ChangeFeed(database).changes().changes[-1].key
    )


def forget_owners(connection: Connection, beta: TestLog) -> None:
    drop_sequence(connection, beta.row.sequence)


def invent_an_owner(connection: Connection, beta: TestLog) -> None:
    set_owners(connection, [(beta.row.sequence, bytes(16), 1, beta.number, 0, True)])


def revive_an_owner(connection: Connection, beta: TestLog) -> None:
    rows = page_of_owners(connection, beta.row.sequence, b"", limit=10)
    set_owners(connection, [(*row[:5], not row[5]) for row in rows[:2]])


def forget_quarantine(connection: Connection, beta: TestLog) -> None:
    drop_quarantined(connection, beta.number, 0)


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OWNERS_AT_ONCE", 2)
    monkeypatch.setattr(module, "MENDED_AT_ONCE", 1)


@pytest.mark.usefixtures("few_at_once")
@pytest.mark.parametrize("harm", [forget_owners, invent_an_owner, revive_an_owner, forget_quarantine])
def test_wrong_owners_and_quarantine_are_mended(
    database: Database,
    acme: TestLog,
    beta: TestLog,
    rebuild: Callable[[], Rebuilt],
    harm: Callable[[Connection, TestLog], None],
) -> None:
    fill(acme, beta)
    before = state(database)
    with database.write() as connection:
        harm(connection, beta)
    assert rebuild().signals_mended == 0
    assert state(database) == before


def test_expiries_are_remembered_again(
    database: Database, acme: TestLog, beta: TestLog, rebuild: Callable[[], Rebuilt]
) -> None:
    fill(acme, beta)
    with database.write() as connection:
        drop_expiring(connection, beta.number)
    rebuild()
    with database.write() as connection:
        due = take_due(connection, 2**40, limit=10)
    assert [(one.log, one.position) for one in due] == [(beta.number, 5)]
    assert isinstance(due[0], Expiring)


def test_what_should_have_expired_by_now_does(
    database: Database, acme: TestLog, rebuild: Callable[[], Rebuilt]
) -> None:
    acme.append(listing(1, sha256(1), expires=SOON))
    rebuild()
    with database.read() as connection:
        claims = find_signals(connection, [sha256(1).key])[sha256(1).key].claims
    assert claims[-1] & EXPIRED
    assert Blocklist(database).counts()["ignore"] == 1


def test_claims_of_logs_that_no_card_names_are_removed(database: Database, rebuild: Callable[[], Rebuilt]) -> None:
    peer, (one, two) = add_member(database, "acme", terms("acme"), terms("acme", "crisis-1", kind="crisis"), own=True)
    one.append(listing(1, sha256(1)))
    two.append(listing(1, sha256(2)))
    with database.write() as connection:
        put_card_logs(connection, peer.number, [terms("acme")])
    assert rebuild().signals_mended == 1
    assert set(rows_of(database)) == {sha256(1).key}


def test_a_removed_member_stays_out(
    database: Database, acme: TestLog, beta: TestLog, rebuild: Callable[[], Rebuilt]
) -> None:
    fill(acme, beta)
    with database.write() as connection:
        set_state(connection, beta.row.peer, REMOVED)
    drop_claims_of(database, beta.row.peer, now=LATER)
    before = state(database)
    assert rebuild().logs == 1
    assert state(database) == before


def test_what_stops_a_log_stops_its_rebuild(
    database: Database, acme: TestLog, rebuild: Callable[[], Rebuilt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_BUNDLES", 1)
    acme.append(*(listing(number, sha256(number)) for number in range(300)), unknown(critical=True))
    acme.append(*(listing(number, sha256(number)) for number in range(400, 900)))
    before, row = state(database), acme.row
    assert rebuild() == Rebuilt(1, 2 * 801)
    assert (state(database), acme.row) == (before, row)
    assert row.stopped_at == 300


def test_entries_beyond_what_is_held_are_left_alone(
    database: Database, acme: TestLog, rebuild: Callable[[], Rebuilt]
) -> None:
    acme.append(*(listing(number, sha256(number)) for number in range(200)))
    held = acme.row
    acme.append(listing(1_000, sha256(1_000)))
    drop_claims_of(database, held.peer, now=LATER)
    with database.write() as connection:
        move_held(connection, acme.number, old_size=0, new_size=200, range=held.held_range)
    rebuilt = rebuild()
    assert (rebuilt.entries, rebuilt.signals_mended, rebuilt.owners_mended) == (400, 200, 200)
    assert len(rows_of(database)) == 200


@pytest.mark.parametrize("harm", ["another entry", "no zstd frame", "missing", "too short"])
def test_an_altered_log_is_refused_and_its_list_kept(
    database: Database, acme: TestLog, beta: TestLog, rebuild: Callable[[], Rebuilt], harm: str
) -> None:
    fill(acme, beta)
    beta.append(*(listing(number, sha256(number)) for number in range(100, 400)))
    stored = compress_entries(b"no JSON", 256)
    with database.write() as connection:
        if harm == "another entry":
            put_bundles(connection, beta.number, [Bundle(0, 256, stored)])
        elif harm == "no zstd frame":
            put_bundles(connection, beta.number, [Bundle(0, 256, b"no")])
        elif harm == "missing":
            drop_from(connection, beta.number, 256)
        else:
            drop_from(connection, beta.number, 256)
            put_bundles(connection, beta.number, [Bundle(1, 1, compress_entries(b"no JSON", 1))])
    before = rows_of(database)
    with pytest.raises(StoreError) as raised:
        rebuild()
    assert raised.value.where == "beta.example/logs/listings-1"
    assert raised.value.mend is not None
    assert rows_of(database) == before


def compress_entries(entry: bytes, count: int) -> bytes:
    return compress(encode_bundle([entry] * count))


def test_a_member_that_is_pulled_meanwhile_is_waited_for(
    database: Database, acme: TestLog, beta: TestLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(acme, beta)
    monkeypatch.setattr(module, "LOCK_WAIT_SECONDS", 0.1)
    locks = Locks(database, tmp_path)
    for name in ("peer/beta", f"release/{acme.number}"):
        with locks.hold(name), pytest.raises(StoreBusyError):
            Rebuilder(database, locks, lambda: LATER).rebuild()
    Rebuilder(database, locks, lambda: LATER).rebuild()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.usefixtures("few_at_once")
def test_a_rebuild_killed_anywhere_is_finished_by_the_next(
    database: Database,
    acme: TestLog,
    beta: TestLog,
    rebuild: Callable[[], Rebuilt],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(acme, beta)
    right, owners = rows_of(database), state(database)[1]
    write = Database.write
    for survived in range(40):
        drop_a_claim(database, beta)
        add_a_claim(database, beta)
        with database.write() as connection:
            forget_owners(connection, beta)
        left = [survived]

        def dying(self: Database, left: list[int] = left) -> Any:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return write(self)

        monkeypatch.setattr(Database, "write", dying)
        killed = False
        with ExitStack() as stack:
            stack.callback(monkeypatch.setattr, Database, "write", write)
            try:
                rebuild()
            except Killed:
                killed = True
        between = rows_of(database)
        assert all(between.get(key) == row for key, row in right.items() if key != sha256(5).key)
        rebuild()
        assert rows_of(database) == right
        assert state(database)[1] == owners
        if not killed:
            return
    pytest.fail("the rebuild did not come to its end")


def test_progress_is_told(database: Database, acme: TestLog, tmp_path: Path) -> None:
    acme.append(*(listing(number, sha256(number)) for number in range(300)))
    told: list[tuple[int, int]] = []
    Rebuilder(database, Locks(database, tmp_path), lambda: LATER).rebuild(lambda done, all_: told.append((done, all_)))
    assert told == [(300, 600), (600, 600)]


def _harm(data: st.DataObject, database: Database, rows: list[SignalRow]) -> None:
    """Take some claims away and put others where they do not belong."""
    changes: dict[bytes, SignalChange] = {}
    for row in rows:
        places = [
            Place(int.from_bytes(row.claims[at : at + 3], "big"), int.from_bytes(row.claims[at + 3 : at + 7], "big"))
            for at in range(0, len(row.claims), 8)
        ]
        gone = set(data.draw(st.lists(st.sampled_from(places), max_size=2))) if places else set()
        place = data.draw(st.tuples(st.integers(1, 3), st.integers(0, 3)) | st.none())
        added = b"" if place is None else pack_claim(*place, None)
        changes[row.key] = SignalChange(add=added, remove=gone)
    change(database, changes)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), data=st.data())
def test_whatever_was_harmed_comes_right(
    sqlite_files: SqliteFiles, tmp_path_factory: pytest.TempPathFactory, history: list[Batch], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("rebuild")
    with opened(sqlite_files.url(folder)) as database:
        logs = {member: add_log(database, member, own=member == "acme") for member in MEMBERS}
        for batch in history:
            logs[batch.member].append(*batch.statements)
        rebuilder = Rebuilder(database, Locks(database, folder), lambda: NOW)
        right, digest, before = rows_of(database), Digester(database).digest(), state(database)
        assert rebuilder.rebuild().signals_mended == 0
        assert state(database) == before
        _harm(data, database, before[0])
        rebuilder.rebuild()
        assert rows_of(database) == right
        assert Digester(database).digest() == digest
