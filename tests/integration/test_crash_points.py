"""Whatever durable step a command that ends or opens a log was killed at, nothing is lost, and it can be run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crash_points import crash, signed_in
from hashpact_node import clock
from hashpact_node.assembly import open_node, open_settings
from hashpact_node.services.digests import digested_logs, live_listings_of, live_map, size_of
from hashpact_node.services.entries import EntryReader, open_bundle
from hashpact_node.services.views import own_card, own_number
from hashpact_node.settings import load_settings
from hashpact_node.store.bundles import stream_bundles
from hashpact_node.store.database import Database, open_database
from hashpact_node.store.logs import Log, list_logs
from hashpact_protocol.card import Card
from hashpact_protocol.follow import LogTrust, check_log_signatures
from hashpact_protocol.notes import parse_checkpoint, parse_note
from material import drafts
from nodes import PASSPHRASE, MakeNode, TestNode, running, wait_until

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])  # of which a home can be copied

LISTINGS = 300
USAGE, NOT_FOUND = 2, 3
FILE = b"synthetic bytes of a file"
VALUE = hashlib.sha256(FILE).hexdigest()


def filled(make: MakeNode, folder: Path) -> tuple[TestNode, str]:
    """A member with some listings in its log, that of FILE last; gives that one's id, too."""
    acme = make("acme")
    lines, file = folder / "listings.ndjson", folder / "file"
    lines.write_text("".join(f"{json.dumps(one)}\n" for one in drafts(LISTINGS, seed=7)))
    file.write_bytes(FILE)
    told(acme, "import", str(lines))
    return acme, str(told(acme, "publish", str(file), "--content", "image")["listings"][0]["id"])


def told(node: TestNode, *words: str) -> Any:
    done = node.command(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def opened(node: TestNode) -> Iterator[Database]:
    database = open_database(node.database_url)
    try:
        yield database
    finally:
        database.dispose()


def listed(node: TestNode) -> set[str]:
    """The values that its listings claim now."""
    with opened(node) as database, database.read() as connection:
        return {
            claim.value
            for log in digested_logs(connection, [node.member])
            for _, listings in live_listings_of(connection, log, live_map(connection, log, size_of(log)))
            for _, listing in listings
            for claim in listing.signals
        }


def own_logs(node: TestNode) -> dict[str, Log]:
    with opened(node) as database, database.read() as connection:
        return {log.origin: log for log in list_logs(connection, peer=own_number(connection)) if log.name == "listings"}


def open_logs(node: TestNode) -> list[str]:
    return [log.origin for log in own_logs(node).values() if log.state == "open" and log.named]


def check_signatures(node: TestNode) -> int:
    """Compare what was signed before a kill with the logs as they came to be; how many checkpoints that were."""
    checked, logs = 0, own_logs(node)
    with opened(node) as database, database.read() as connection:
        for body in signed_in(node):
            checkpoint = parse_checkpoint(body)
            log = logs.get(checkpoint.origin)
            if log is not None and log.final_size is None:
                assert checkpoint.size <= log.accepted_size
                assert EntryReader(connection).root_at(log.number, checkpoint.size) == checkpoint.root
                checked += 1
    return checked


def stored(node: TestNode) -> bytes:
    """All entries that lie in its database."""
    with opened(node) as database, database.read() as connection:
        bundles = [
            open_bundle(one.data) for log in list_logs(connection) for one in stream_bundles(connection, log.number)
        ]
    return b"".join(bundles)


def test_a_successor_is_opened(make: MakeNode, tmp_path: Path) -> None:
    acme, _ = filled(make, tmp_path)
    before, first = listed(acme), open_logs(acme)
    crashed = crash(acme, tmp_path / "crashed", "logs", "open", "listings", "--fresh")
    assert len(crashed) > 3
    for one in crashed:
        assert (listed(one.killed), len(open_logs(one.killed))) == (before, 1)
        assert one.code == 0
        assert (listed(one.again), len(open_logs(one.again))) == (before, 1)
        assert open_logs(one.again) != first
    assert sum(check_signatures(one.again) for one in crashed) > 0


def test_a_log_is_closed(make: MakeNode, tmp_path: Path) -> None:
    acme, _ = filled(make, tmp_path)
    before = listed(acme)
    crashed = crash(acme, tmp_path / "crashed", "logs", "close", "listings")
    assert len(crashed) > 3
    for one in crashed:
        assert listed(one.killed) == before
        assert one.code == (0 if open_logs(one.killed) else NOT_FOUND)
        assert (listed(one.again), open_logs(one.again)) == (before, [])
        check_signatures(one.again)
    assert crashed[0].code == 0
    last = crashed[-1].again
    told(last, "logs", "open", "listings")
    assert (listed(last), len(open_logs(last))) == (before, 1)


def test_a_listing_is_erased(make: MakeNode, tmp_path: Path) -> None:
    acme, listing = filled(make, tmp_path)
    before, first = listed(acme), open_logs(acme)
    assert VALUE in before
    crashed = crash(acme, tmp_path / "crashed", "erase", listing, "--reason", "law", "--now")
    assert len(crashed) > 3
    for one in crashed:
        assert listed(one.killed) in (before, before - {VALUE})
        assert one.code == (0 if open_logs(one.killed) == first else NOT_FOUND)
        assert (listed(one.again), len(open_logs(one.again))) == (before - {VALUE}, 1)
        assert open_logs(one.again) != first
        check_signatures(one.again)
    last = crashed[-1].again
    assert VALUE.encode() in stored(last)
    with running(last):
        wait_until(lambda: VALUE.encode() not in stored(last))


# Keys: whatever a kill left, the keys that the card names are here and sign, and only they.


def keys_of(node: TestNode) -> tuple[dict[str, tuple[str, ...]], Card]:
    """Give where a home's keys live, and the card in force; see that what it signs now is by keys of the card."""
    home = open_node(open_settings(node.home, node.environment), PASSPHRASE.encode)
    try:
        with home.database.read() as connection:
            card = own_card(connection)
            (log,) = [log for log in list_logs(connection, peer=own_number(connection)) if log.named]
        named = {public for _, public in card.public_keys()}
        signers = [key.public for key, _ in home.keyring.log_keys(log)]
        signers.append(home.keyring.witness_key(card, clock.now())[0].public)
        assert named.issuperset(signers)
        assert log.accepted_note is not None
        trust = LogTrust(log.origin, card.logs[0].keys, (), node.member, "", card.witness_keys, {})
        check_log_signatures(parse_note(log.accepted_note), trust)
        return dict(home.rotating.places), card
    finally:
        home.close()


def small(make: MakeNode) -> TestNode:
    """A member with one listing."""
    acme = make("acme")
    lines = acme.home / "listing.ndjson"
    lines.write_text(json.dumps(drafts(1, seed=7)[0]))
    told(acme, "import", str(lines))
    return acme


def test_a_release_key_is_rotated(make: MakeNode, tmp_path: Path) -> None:
    acme = small(make)
    crashed = crash(acme, tmp_path / "crashed", "keys", "rotate", "release")
    assert len(crashed) > 4
    for one in crashed:
        keys_of(one.killed)
        assert one.code == 0
        places, card = keys_of(one.again)
        assert len(places["release"]) == len(card.logs[0].keys) == 2
        check_signatures(one.again)


def test_a_stolen_key_is_recovered_from(make: MakeNode, tmp_path: Path) -> None:
    acme, _ = filled(make, tmp_path)
    before, first = listed(acme), open_logs(acme)
    good = clock.now()
    wait_until(lambda: int(clock.now().timestamp()) > int(good.timestamp()))
    thief = tmp_path / "thief"
    thief.write_bytes(b"synthetic bytes of a thief")
    told(acme, "publish", str(thief), "--content", "image")
    stolen = listed(acme)
    assert stolen > before
    since = ("--since", f"{good:%Y-%m-%dT%H:%M:%SZ}")
    crashed = crash(acme, tmp_path / "crashed", "keys", "recover", "listings", *since, "--reaffirm", "none", "--yes")
    assert len(crashed) > 6
    for one in crashed:
        was_taken_up = open_logs(one.killed) != first
        assert listed(one.killed) == (before if was_taken_up else stolen)
        # Once all is done, a second run finds a log that began after that time.
        left = not was_taken_up or (one.killed.home / "keys" / "release.key").exists() or _release_keys(one.killed) > 1
        assert one.code == (0 if left else USAGE)
        assert (listed(one.again), len(open_logs(one.again))) == (before, 1)
        assert open_logs(one.again) != first
        assert _release_keys(one.again) == 1
        assert (one.again.home / "keys" / "release.key.stolen").exists()
        check_signatures(one.again)
    last = crashed[0].again
    told(last, "publish", str(thief), "--content", "image")
    assert listed(last) == stolen


def _release_keys(node: TestNode) -> int:
    """How many release keys its node.toml names."""
    return len(load_settings({}, node.home).keys["release"])


def test_a_witness_key_is_revoked(make: MakeNode, tmp_path: Path) -> None:
    acme = small(make)
    _, before = keys_of(acme)
    crashed = crash(acme, tmp_path / "crashed", "keys", "revoke", "witness")
    assert len(crashed) > 4
    for one in crashed:
        keys_of(one.killed)
        assert one.code == 0
        places, card = keys_of(one.again)
        assert len(places["witness"]) == len(card.witness_keys) == 1
        assert card.witness_keys[0].key.public != before.witness_keys[0].key.public
        check_signatures(one.again)
