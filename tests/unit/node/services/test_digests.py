from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import SqliteFiles, opened
from hashpact_node.services.batches import compress
from hashpact_node.services.digests import Digest, DigestedLog, Digester
from hashpact_node.store.bundles import Bundle, drop_from, put_bundles
from hashpact_node.store.database import Database
from hashpact_node.store.logs import put_card_logs
from hashpact_node.store.peers import REMOVED, set_state
from hashpact_protocol.digest import BlocklistDigest
from hashpact_protocol.errors import NotFoundError, StoreError
from hashpact_protocol.merkle import EMPTY_ROOT, CompactRange, leaf_hash
from hashpact_protocol.statements import WellFormed, encode_statement
from hashpact_protocol.tiles import encode_bundle
from histories import MEMBERS, Batch, histories
from members import TestLog, add_log, add_member, listing, pdq, sha256, terms, unknown, uuid_of, withdrawal


def root_over(*entries: bytes) -> bytes:
    return CompactRange().extend(leaf_hash(entry) for entry in entries).root()


def test_the_digest_is_over_live_listings_and_their_claims(database: Database) -> None:
    acme = add_log(database, "acme", own=True)
    add_log(database, "beta")
    statements: list[WellFormed] = [
        listing(1, sha256(2), pdq(7, 10), labels=["a"]),
        listing(2, sha256(3)),
        withdrawal(3, 2),
        listing(4, sha256(4), expires="2020-01-01T00:00:00Z"),
        listing(1, sha256(2)),
    ]
    acme.append(*statements)
    root = root_over(*map(encode_statement, statements))
    expected = BlocklistDigest()
    expected.add_log("acme.example/logs/listings-1", 5, root)
    expected.add_listing(3, uuid_of(4), [("sha256", sha256(4).value)])
    expected.add_listing(4, uuid_of(1), [("sha256", sha256(2).value)])
    expected.add_log("beta.example/logs/listings-1", 0, EMPTY_ROOT)
    assert Digester(database).digest() == Digest(
        expected.hexdigest(),
        (
            DigestedLog("acme", "acme.example/logs/listings-1", 5, root),
            DigestedLog("beta", "beta.example/logs/listings-1", 0, EMPTY_ROOT),
        ),
        2,
        2,
    )


def test_members_are_chosen_and_removed_ones_are_out(database: Database) -> None:
    add_log(database, "acme", own=True)
    beta, _ = add_member(database, "beta")
    digester = Digester(database)
    assert [log.member for log in digester.digest(["beta"]).logs] == ["beta"]
    assert digester.digest([]).logs == ()
    with database.write() as connection:
        set_state(connection, beta.number, REMOVED)
    assert [log.member for log in digester.digest().logs] == ["acme"]
    with pytest.raises(NotFoundError, match="beta"):
        digester.digest(["acme", "beta"])


def test_audiences_and_logs_that_no_card_names_stay_out(database: Database) -> None:
    audience = terms("acme", "listings-eu")
    audience = type(audience)("listings-eu", "listings", audience.origin, audience.url, "open", ("key",))
    peer, logs = add_member(
        database, "acme", terms("acme"), terms("acme", "crisis-1", kind="crisis"), audience, own=True
    )
    logs[1].append(listing(1, sha256(1)))
    assert [log.origin for log in Digester(database).digest().logs] == [
        "acme.example/logs/crisis-1",
        "acme.example/logs/listings-1",
    ]
    with database.write() as connection:
        put_card_logs(connection, peer.number, [terms("acme")])
    digest = Digester(database).digest()
    assert [log.origin for log in digest.logs] == ["acme.example/logs/listings-1"]
    assert digest.listings == 0


def test_a_fresh_successor_replaces_once_its_first_entries_are_held(database: Database) -> None:
    old = terms("acme")
    old = type(old)(old.name, old.kind, old.origin, old.url, "closed", old.keys, 1, EMPTY_ROOT)
    _, (first, second) = add_member(database, "acme", terms("acme", "listings-2", fresh=2), old, own=True)
    if first.row.origin != old.origin:
        first, second = second, first
    first.append(listing(1, sha256(1)))
    second.append(listing(2, sha256(2)))
    origins = ["acme.example/logs/listings-1", "acme.example/logs/listings-2"]
    assert [log.origin for log in Digester(database).digest().logs] == origins
    second.append(listing(1, sha256(1)))
    digest = Digester(database).digest()
    assert [log.origin for log in digest.logs] == origins[1:]
    assert digest.listings == 2


@pytest.mark.parametrize("stop", [1, 300])
def test_a_critical_statement_ends_what_the_digest_speaks_of(database: Database, stop: int) -> None:
    log = add_log(database, "acme", own=True)
    sound = [encode_statement(listing(number, sha256(number))) for number in range(stop)]
    log.append(*sound, unknown(critical=True), listing(1_000, sha256(1_000)))
    log.append(listing(1_001, sha256(1_001)))
    digest = Digester(database).digest()
    assert digest.logs == (DigestedLog("acme", "acme.example/logs/listings-1", stop, root_over(*sound)),)
    assert (digest.listings, digest.claims) == (stop, stop)


def test_progress_is_told(database: Database) -> None:
    log = add_log(database, "acme", own=True)
    log.append(*(listing(number, sha256(number)) for number in range(300)))
    told: list[tuple[int, int]] = []
    Digester(database).digest(progress=lambda done, total: told.append((done, total)))
    assert told == [(256, 300), (300, 300)]


@pytest.mark.parametrize(
    "bundle",
    [
        Bundle(0, 256, b"no zstd frame"),
        Bundle(0, 256, compress(encode_bundle([b"no JSON"] * 256))),
        Bundle(1, 44, compress(encode_bundle([b"no JSON"] * 44))),
    ],
)
def test_an_altered_bundle_is_said(database: Database, bundle: Bundle) -> None:
    log = add_log(database, "acme", own=True)
    log.append(*(listing(number, sha256(number)) for number in range(300)))
    with database.write() as connection:
        put_bundles(connection, log.number, [bundle])
    with pytest.raises(StoreError) as raised:
        Digester(database).digest()
    assert raised.value.where == f"acme.example/logs/listings-1, bundle {bundle.number}"


@pytest.mark.parametrize(("stops", "where"), [(False, ", bundle 1"), (True, "")])
def test_a_missing_bundle_is_said(database: Database, stops: bool, where: str) -> None:  # noqa: FBT001 - a case
    log = add_log(database, "acme", own=True)
    log.append(*(listing(number, sha256(number)) for number in range(299)), unknown(critical=stops))
    with database.write() as connection:
        drop_from(connection, log.number, 256)
    with pytest.raises(StoreError) as raised:
        Digester(database).digest()
    assert raised.value.where == f"acme.example/logs/listings-1{where}"


def _digest_of(files: SqliteFiles, tmp: pytest.TempPathFactory, history: list[Batch], order: random.Random) -> str:
    with opened(files.url(tmp.mktemp("digest"))) as database:
        members = order.sample(MEMBERS, len(MEMBERS))
        own = members[0]
        logs: dict[str, TestLog] = {member: add_log(database, member, own=member == own) for member in members}
        waiting = {member: [batch for batch in history if batch.member == member] for member in MEMBERS}
        while any(waiting.values()):
            member = order.choice([member for member, batches in waiting.items() if batches])
            together = order.randint(1, len(waiting[member]))
            batches, waiting[member] = waiting[member][:together], waiting[member][together:]
            logs[member].append(*(statement for batch in batches for statement in batch.statements))
        return Digester(database).digest().hex


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), seeds=st.lists(st.integers(0, 2**32), min_size=2, max_size=2, unique=True))
def test_members_that_absorb_in_different_orders_have_one_digest(
    sqlite_files: SqliteFiles, tmp_path_factory: pytest.TempPathFactory, history: list[Batch], seeds: list[int]
) -> None:
    digests = {_digest_of(sqlite_files, tmp_path_factory, history, random.Random(seed)) for seed in seeds}
    assert len(digests) == 1
