from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from full_disk import PLENTY, limit_pages, page_count
from hashpact_keys.rows import RowName
from hashpact_keys.signers import NoteSigner
from hashpact_node.services.batches import compress
from hashpact_node.services.digests import Digester
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.entries import EntryReader
from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_node.store.bundles import Bundle, count_entries, put_bundles, read_bundle
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, place, set_pending
from hashpact_node.store.owners import live_listings
from hashpact_node.store.queue import count_entries as count_waiting
from hashpact_node.store.queue import count_unreleased
from hashpact_node.store.shown import list_shown
from hashpact_protocol.errors import (
    ConfigurationError,
    ConflictError,
    HashpactError,
    KeyUnavailableError,
    StoreFullError,
    StoreMovedError,
)
from hashpact_protocol.merkle import EMPTY_ROOT, CompactRange, leaf_hash
from hashpact_protocol.notes import KeyType, VerifierKey, cosignatures, parse_checkpoint, parse_note, verify_note
from hashpact_protocol.signals import make_signal
from hashpact_protocol.statements import Listing, parse_statement
from hashpact_protocol.tiles import encode_bundle
from material import hex_of
from members import sha256
from nodes import wait_until
from own_member import NOW, ORIGIN, OwnMember, found_member


@dataclass
class Signing:
    """A signer that remembers what it signed, and fails when it is told to."""

    inner: NoteSigner
    signed: list[bytes] = field(default_factory=list)
    fails: bool = False
    before: Callable[[], None] = lambda: None

    @property
    def public(self) -> bytes:
        """The public key."""
        return self.inner.public

    def sign(self, message: bytes) -> bytes:
        """Sign, or fail."""
        self.before()
        if self.fails:
            raise KeyUnavailableError("the device does not answer")
        self.signed.append(message)
        return self.inner.sign(message)


@pytest.fixture
def release(acme: OwnMember) -> Signing:
    """What signs the checkpoints of acme."""
    signing = Signing(acme.keyring.note_signer(RowName.RELEASE))
    acme.keyring._notes[DEFAULT_KEYS["release"][0]] = signing
    return signing


@pytest.fixture
def witness(acme: OwnMember) -> Signing:
    signing = Signing(acme.keyring.note_signer(RowName.WITNESS))
    acme.keyring._notes[DEFAULT_KEYS["witness"][0]] = signing
    return signing


def publish(acme: OwnMember, *numbers: int) -> None:
    acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in numbers], wait=False)


def unreleased(acme: OwnMember) -> int:
    with acme.database.read() as connection:
        return count_unreleased(connection, acme.log)


def numbers(acme: OwnMember) -> list[int]:
    """Read the released log back, from its bundles."""
    log = acme.log
    with acme.database.read() as connection:
        reader = EntryReader(connection)
        found = [parse_statement(reader.entry(log.number, at), "listings") for at in range(log.accepted_size)]
    return [int(one.signals[0].value or "", 16) for one in found if isinstance(one, Listing)]


def whole(acme: OwnMember) -> Log:
    """Give the log's row after looking that nothing is half done: shown, placed, stored and merged alike."""
    log = acme.log
    assert (log.pending_size, log.pending_root) == (None, None)
    assert log.accepted_size == log.placed_size == log.held_size == log.cosigned_size
    assert log.placed_range == log.held_range
    assert CompactRange.decode(log.held_size, log.held_range).root() == log.accepted_root
    with acme.database.read() as connection:
        assert count_entries(connection, log.number) == log.accepted_size
        assert len(live_listings(connection, log.number, sequence=log.sequence)) == log.accepted_size
        assert count_waiting(connection) == 0
    assert log.accepted_note is not None
    checkpoint = parse_checkpoint(parse_note(log.accepted_note).text)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, log.accepted_size, log.accepted_root)
    return log


def one_root_a_size(signed: list[bytes]) -> None:
    roots: dict[int, set[bytes]] = {}
    for message in signed:
        checkpoint = parse_checkpoint(message)
        roots.setdefault(checkpoint.size, set()).add(checkpoint.root)
    assert all(len(found) == 1 for found in roots.values())


def test_a_new_log_shows_its_empty_tree(acme: OwnMember) -> None:
    assert acme.releaser.waiting() == [acme.log.number]
    assert acme.releaser.release(acme.log.number) == 0
    log = whole(acme)
    assert log.accepted_root == EMPTY_ROOT
    assert acme.releaser.waiting() == []


def test_what_waits_is_released_in_order_and_signed_by_both_keys(acme: OwnMember) -> None:
    publish(acme, *range(300))
    publish(acme, *range(300, 310))
    assert acme.releaser.waiting() == [acme.log.number]
    assert acme.releaser.release(acme.log.number) == 310
    log = whole(acme)
    assert numbers(acme) == list(range(310))
    assert log.accepted_note is not None
    note = parse_note(log.accepted_note)
    assert [str(key) for key in verify_note(note, [VerifierKey.parse(log.keys[0])])] == list(log.keys)
    witness = VerifierKey(
        "acme.example/witness-1", KeyType.COSIGNATURE, acme.keyring.note_signer(RowName.WITNESS).public
    )
    assert [one.timestamp for one in cosignatures(note, [witness])] == [int(NOW.timestamp())]
    assert log.own_cosigned_at == int(NOW.timestamp())


def test_more_than_fits_one_release_is_released_in_several(
    acme: OwnMember, release: Signing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.release.PLACED_AT_ONCE", 100)
    publish(acme, *range(250))
    assert acme.releaser.release(acme.log.number) == 250
    whole(acme)
    assert [parse_checkpoint(message).size for message in release.signed] == [100, 200, 250]
    assert numbers(acme) == list(range(250))


def test_what_many_publish_at_once_is_gathered(acme: OwnMember, release: Signing) -> None:
    def all_are_stored() -> None:
        """Let the first wait until all twelve have stored what they publish."""
        if not release.signed:
            wait_until(lambda: unreleased(acme) == 12)

    release.before = all_are_stored

    def run(number: int) -> None:
        (published,) = acme.publisher.publish([ListingDraft("image", (sha256(number),))])
        sizes.append((published.index, published.size))

    sizes: list[tuple[int | None, int | None]] = []
    threads = [threading.Thread(target=run, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert whole(acme).accepted_size == 12
    assert sorted(index for index, _ in sizes if index is not None) == list(range(12))
    assert sorted(numbers(acme)) == list(range(12))
    assert len(release.signed) <= 2
    one_root_a_size(release.signed)


def test_a_key_that_fails_leaves_a_pending_release_that_is_signed_unchanged(
    acme: OwnMember, release: Signing, witness: Signing
) -> None:
    publish(acme, 1)
    acme.releaser.release(acme.log.number)
    for signer in (release, witness):
        before = acme.log
        publish(acme, 2, 3)
        signer.fails = True
        with pytest.raises(KeyUnavailableError):
            acme.releaser.release(acme.log.number)
        pending = acme.log
        assert (pending.pending_size, pending.accepted_size) == (before.accepted_size + 2, before.accepted_size)
        assert pending.accepted_note == before.accepted_note
        publish(acme, 4)
        with pytest.raises(KeyUnavailableError):
            acme.releaser.release(acme.log.number)
        assert (acme.log.pending_size, acme.log.pending_root) == (pending.pending_size, pending.pending_root)
        assert acme.releaser.waiting() == [acme.log.number]
        with acme.database.read() as connection:
            assert count_unreleased(connection, acme.log) == 3, "two with their places, one without"
        signer.fails = False
        del release.signed[:]
        acme.releaser.release(acme.log.number)
        first, second = (parse_checkpoint(message) for message in release.signed)
        assert (first.size, first.root) == (pending.pending_size, pending.pending_root)
        assert second.size == first.size + 1
        whole(acme)
    assert numbers(acme) == [1, 2, 3, 4, 2, 3, 4]


@pytest.mark.parametrize("step", ["show", "see_own_cosignature", "merge_stored", "set_pending"])
def test_what_fails_between_the_steps_is_finished_later(
    acme: OwnMember, release: Signing, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(acme, 1)
    acme.releaser.release(acme.log.number)
    publish(acme, 2)

    def fail(*_arguments: object, **_named: object) -> None:
        raise StoreMovedError("somebody else was first")

    with monkeypatch.context() as patch:
        patch.setattr(f"hashpact_node.services.release.{step}", fail)
        with pytest.raises(StoreMovedError):
            acme.releaser.release(acme.log.number)
    assert acme.log.accepted_size == (2 if step == "merge_stored" else 1)
    assert acme.log.pending_size == (2 if step in ("show", "see_own_cosignature") else None)
    assert acme.releaser.waiting() == [acme.log.number]
    publish(acme, 3)
    assert acme.releaser.release(acme.log.number) == 3
    whole(acme)
    assert numbers(acme) == [1, 2, 3]
    one_root_a_size(release.signed)


@pytest.mark.parametrize("seed", range(3))
def test_no_size_is_ever_signed_under_two_roots(
    acme: OwnMember, release: Signing, witness: Signing, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)

    def fail(*_arguments: object, **_named: object) -> None:
        raise StoreMovedError("by chance")

    published: list[int] = []
    for _ in range(25):
        new = [len(published) + n for n in range(chance.choice((0, 1, 2, 90)))]
        if new:
            publish(acme, *new)
        published += new
        release.fails, witness.fails = chance.random() < 0.2, chance.random() < 0.2
        with monkeypatch.context() as patch:
            if chance.random() < 0.4:
                step = chance.choice(("show", "place", "put_bundles", "merge_stored", "see_own_cosignature"))
                patch.setattr(f"hashpact_node.services.release.{step}", fail)
            try:
                chance.choice((acme.releaser.release, acme.releaser.renew))(acme.log.number)
            except HashpactError as error:
                assert isinstance(error, (KeyUnavailableError, StoreMovedError))  # noqa: PT017 - either
    release.fails = witness.fails = False
    acme.releaser.release(acme.log.number)
    whole(acme)
    assert numbers(acme) == published
    one_root_a_size(release.signed)


def test_each_size_is_recorded_with_the_time_at_which_it_was_first_shown(acme: OwnMember) -> None:
    clock = [NOW]
    acme.releaser.now = lambda: clock[0]
    acme.releaser.release(acme.log.number)
    publish(acme, 1, 2)
    acme.releaser.release(acme.log.number)
    shown = acme.log
    for seconds in (60, 120):
        clock[0] = NOW + timedelta(seconds=seconds)
        acme.releaser.renew(acme.log.number)
    publish(acme, 3)
    acme.releaser.release(acme.log.number)
    with acme.database.read() as connection:
        recorded = list_shown(connection, acme.log.number)
    started = int(NOW.timestamp())
    assert [(one.size, one.shown_at - started) for one in recorded] == [(0, 0), (2, 0), (3, 120)]
    assert [one.root for one in recorded] == [EMPTY_ROOT, shown.accepted_root, acme.log.accepted_root]


def test_renewing_keeps_size_and_root_and_moves_the_time(acme: OwnMember, release: Signing) -> None:
    publish(acme, 1, 2)
    acme.releaser.release(acme.log.number)
    before = whole(acme)
    later = replace(acme.releaser, now=lambda: NOW + timedelta(minutes=5))
    later.renew(acme.log.number)
    after = whole(acme)
    assert (after.accepted_size, after.accepted_root) == (2, before.accepted_root)
    assert after.own_cosigned_at == int(NOW.timestamp()) + 300
    assert after.accepted_note != before.accepted_note
    publish(acme, 3)
    later.renew(acme.log.number)
    assert whole(acme).accepted_size == 3
    one_root_a_size(release.signed)


def test_a_log_that_was_altered_on_disk_is_not_signed(acme: OwnMember, release: Signing) -> None:
    publish(acme, 1, 2, 3)
    acme.releaser.release(acme.log.number)
    log = whole(acme)
    with acme.database.write() as connection:
        stored = read_bundle(connection, log.number, 0)
        assert stored is not None
        sound = stored.data
        put_bundles(connection, log.number, [Bundle(0, 3, compress(encode_bundle([b"{}", b"{}", b"{}"])))])
    signed = len(release.signed)
    with pytest.raises(StoreMovedError, match="do not hash to the root that belongs to size 3") as caught:
        acme.releaser.renew(log.number)
    assert caught.value.mend is not None
    assert len(release.signed) == signed
    publish(acme, 4)
    with pytest.raises(StoreMovedError, match="do not hash to the root that belongs to size 3"):
        acme.releaser.release(log.number)
    assert len(release.signed) == signed
    assert acme.log.accepted_note == log.accepted_note
    with acme.database.write() as connection:
        put_bundles(connection, log.number, [Bundle(0, 3, sound)])
    assert acme.releaser.release(log.number) == 4
    assert numbers(acme) == [1, 2, 3, 4]


def test_a_pending_release_that_continues_another_story_is_not_signed(acme: OwnMember, release: Signing) -> None:
    publish(acme, 1, 2, 3)
    acme.releaser.release(acme.log.number)
    log, signed = whole(acme), len(release.signed)
    entries = [b"{}"] * 4
    placed = CompactRange().extend(leaf_hash(entry) for entry in entries)
    with acme.database.write() as connection:
        put_bundles(connection, log.number, [Bundle(0, 4, compress(encode_bundle(entries)))])
        place(connection, log.number, old_size=3, new_size=4, range=placed.encode())
        set_pending(connection, log.number, size=4, root=placed.root())
    with pytest.raises(StoreMovedError, match="belongs to size 3"):
        acme.releaser.release(log.number)
    assert len(release.signed) == signed


def test_nothing_else_is_signed_at_a_size_that_is_shown(acme: OwnMember, release: Signing) -> None:
    publish(acme, 1, 2)
    acme.releaser.release(acme.log.number)
    log, signed = whole(acme), len(release.signed)
    for size, root in ((2, bytes(32)), (1, bytes(32)), (0, EMPTY_ROOT)):
        with pytest.raises(StoreMovedError, match="something else is shown"):
            acme.releaser._sign_and_show(log, size, root)
    assert len(release.signed) == signed


def test_a_closed_log_is_not_signed_and_takes_nothing(acme: OwnMember, release: Signing) -> None:
    publish(acme, 1)
    acme.releaser.release(acme.log.number)
    publish(acme, 2)
    log, signed = acme.log, len(release.signed)
    with acme.database.write() as connection:
        connection.execute(text("UPDATE log SET state = 'closed' WHERE number = :log"), {"log": log.number})
    assert acme.releaser.waiting() == []
    for work in (acme.releaser.release, acme.releaser.renew):
        with pytest.raises(ConflictError, match="closed"):
            work(log.number)
    with pytest.raises(ConflictError, match="closed"):
        acme.releaser._sign_and_show(acme.log, log.accepted_size, log.accepted_root)
    assert len(release.signed) == signed
    assert acme.log.placed_size == 1
    with acme.database.read() as connection:
        assert count_waiting(connection) == 1, "what waits is not lost"


def test_a_key_that_the_card_does_not_name_signs_nothing(acme: OwnMember, release: Signing) -> None:
    publish(acme, 1)
    acme.keyring._notes[DEFAULT_KEYS["release"][0]] = acme.keyring.note_signer(RowName.CRISIS)
    with pytest.raises(ConfigurationError, match="does not name the release key"):
        acme.releaser.release(acme.log.number)
    acme.keyring._notes[DEFAULT_KEYS["release"][0]] = release
    acme.keyring._notes[DEFAULT_KEYS["witness"][0]] = acme.keyring.note_signer(RowName.CRISIS)
    with pytest.raises(ConfigurationError, match="does not name the witness key"):
        acme.releaser.release(acme.log.number)
    assert release.signed == []
    assert acme.log.accepted_note is None


def test_own_statements_are_merged_like_a_peers(acme: OwnMember) -> None:
    publish(acme, *range(2_100))
    acme.releaser.release(acme.log.number)
    whole(acme)
    digest = Digester(acme.database).digest()
    assert (digest.listings, digest.claims) == (2_100, 2_100)


def test_a_full_disk_while_publishing_loses_and_halves_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    acme = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    publish(acme, 1)
    acme.releaser.release(acme.log.number)
    chance = random.Random(0)
    drafts = [
        ListingDraft("image", tuple(make_signal("sha256", hex_of(chance, 32)) for _ in range(8))) for _ in range(700)
    ]
    limit_pages(sqlite_database, page_count(sqlite_database) + 8)
    with pytest.raises(StoreFullError):
        acme.publisher.publish(drafts, wait=False)
    assert acme.releaser.release(acme.log.number) == 1
    limit_pages(sqlite_database, PLENTY)
    acme.publisher.publish(drafts, wait=False)
    limit_pages(sqlite_database, page_count(sqlite_database) + 8)
    with pytest.raises(StoreFullError):
        acme.releaser.release(acme.log.number)
    stuck = acme.log
    assert stuck.held_size == 1
    with sqlite_database.read() as connection:
        assert count_entries(connection, stuck.number) == stuck.placed_size
        assert count_waiting(connection) + stuck.placed_size == 701
    limit_pages(sqlite_database, PLENTY)
    assert acme.releaser.release(acme.log.number) == 701
    whole(acme)
