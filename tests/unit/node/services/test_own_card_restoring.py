"""Our own newer card, and newer roots, come back from peers; nobody can give us what we never signed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # it has no __all__; documented names

from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import RowName, TrustRole
from hashpact_keys.trust import TrustSigners, current_card, describe, publish_card
from hashpact_keys.trust_checks import check_role
from hashpact_keys.trust_files import TIMESTAMP_FILE, TrustFiles, newest, versioned, versions
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_card_restoring import CardRestorer
from hashpact_node.services.own_cards import own_trust, with_closed, with_successor
from hashpact_node.services.own_newer_card import CARD_BEHIND
from hashpact_node.services.signing_state import signing_state
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.awakening import known_heads, newest_known_card
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, find_log
from hashpact_node.store.owners import live_listings
from hashpact_node.store.queue import add_entries, count_entries
from hashpact_protocol.card import Card, encode_card
from hashpact_protocol.card_logs import CardLog, Final, LogKind, LogState
from hashpact_protocol.errors import ConflictError, HashpactError, TrustError
from hashpact_protocol.merkle import CompactRange, leaf_hash
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    VerifierKey,
    format_checkpoint,
    format_note,
    log_signature,
)
from hashpact_protocol.witness import origin_hash
from members import sha256
from mirroring import Rememberer, Waker, further
from own_member import NOW, ORIGIN, OwnMember
from publisher import gone, says

HELD = 5
SECOND = "acme.example/logs/listings-2"
LATER = NOW + timedelta(hours=1)
FOREVER = 30.0


@dataclass
class Future:
    """What acme signed after the copy was made, as its peers hold it; ``keyring`` has the keys that it had then."""

    own: OwnMember
    keyring: Keyring
    files: TrustFiles = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.own.database.read() as connection:
            self.files = own_trust(connection).files

    @property
    def card(self) -> Card:
        with self.own.database.read() as connection:
            return own_trust(connection).card

    def sign(self, card: Card, keyring: Keyring | None = None) -> int:
        """Sign a card; its version."""
        used = keyring or self.keyring
        signers = TrustSigners(used.trust_signers(RowName.ONLINE), used.trust_signers(RowName.TARGETS))
        self.files = publish_card(self.files, encode_card(card), signers, LATER)
        return current_card(self.files)[0]

    def rotate(self, row: RowName, roles: tuple[str, ...]) -> Keyring:
        """Name another key for a row in a new root; the keyring that has it."""
        store = KeyStore(self.own.home, lambda: b"passphrase of a test", kdf_rounds=1)
        store.create(f"keys/{row.value}-2.key")
        uris = {**self.own.settings.keys, row.value: (f"file:keys/{row.value}-2.key",)}
        keyring = Keyring(store, uris)
        (signer,) = keyring.trust_signers(row)
        data = newest(self.files, TrustRole.ROOT)
        assert data is not None
        root: Metadata[Root] = Metadata.from_bytes(data)
        root.signed.version += 1
        for role in roles:
            for old in list(root.signed.roles[role].keyids):
                root.signed.revoke_key(old, role)
            root.signed.add_key(signer.public_key, role)
        root.signatures.clear()
        for one in self.own.keyring.trust_signers(RowName.ROOT):
            root.sign(one, append=True)
        self.files[versioned(TrustRole.ROOT, root.signed.version)] = root.to_bytes()
        return keyring

    def shown_by(self, peer: Rememberer, member: str = "acme") -> None:
        """Let a peer show the newest card and all roots."""
        version, data = current_card(self.files)
        targets = newest(self.files, TrustRole.TARGETS)
        assert targets is not None
        roots = versions(self.files, TrustRole.ROOT)
        item = {"member": member, "url": "https://acme.example", "version": version, "root": roots[-1]}
        item["sha256"] = hashlib.sha256(targets).hexdigest()
        peer.alter("/witness/cards", says(json.dumps({"cards": [item]}).encode()))
        peer.alter(f"/witness/cards/{member}/{version}", says(targets))
        peer.alter(f"/witness/cards/{member}/{version}/card", says(data))
        for number in roots:
            root = self.files[versioned(TrustRole.ROOT, number)]
            peer.alter(f"/witness/cards/{member}/roots/{number}", says(root))

    def checkpoint(self, size: int, root: bytes, origin: str = SECOND) -> bytes:
        """Sign a checkpoint of the successor."""
        signer = self.keyring.note_signer(RowName.RELEASE)
        key = VerifierKey(origin, KeyType.ED25519, signer.public)
        text = format_checkpoint(Checkpoint(origin, size, root))
        return format_note(Note(text, (log_signature(key, signer.sign(text)),)))


@pytest.fixture
def future(acme: OwnMember) -> Future:
    acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(HELD)])
    return Future(acme, acme.keyring)


@pytest.fixture
def waker(acme: OwnMember, fetcher: Fetcher) -> Waker:
    return Waker(acme, fetcher)


@pytest.fixture
def beta(waker: Waker) -> Iterator[Rememberer]:
    with Rememberer() as peer:
        waker.add(peer)
        yield peer


def restorer(waker: Waker, keyring: Keyring | None = None) -> CardRestorer:
    own = waker.own
    locks = Locks(own.database, own.home)
    return CardRestorer(own.database, locks, waker.fetcher, keyring or own.keyring, lambda: LATER)


def in_force(own: OwnMember) -> tuple[int | None, bytes | None]:
    with own.database.read() as connection:
        peer = own_trust(connection).peer
        return peer.card_version, peer.card


def log(own: OwnMember, origin: str = ORIGIN) -> Log:
    with own.database.read() as connection:
        found = find_log(connection, origin)
    assert found is not None
    return found


def alarms(own: OwnMember) -> dict[str, str]:
    with own.database.read() as connection:
        return {alarm.code: alarm.what for alarm in list_alarms(connection)}


def succeeded(future: Future, size: int, root: bytes) -> Card:
    """Give the card that closed the log at a size, and opened its successor."""
    signer = future.keyring.note_signer(RowName.RELEASE)
    successor = CardLog(
        name="listings",
        kind=LogKind.LISTINGS,
        origin=SECOND,
        url=f"https://{SECOND}",
        keys=(VerifierKey(SECOND, KeyType.ED25519, signer.public),),
        state=LogState.OPEN,
    )
    return with_successor(with_closed(future.card, ORIGIN, Final(size, root)), successor)


def test_a_card_that_was_signed_since_is_in_force_again(future: Future, waker: Waker, beta: Rememberer) -> None:
    own = future.own
    version = future.sign(replace(future.card, contacts=("mailto:new@acme.example",)))
    future.shown_by(beta)
    process = waker.process()
    with pytest.raises(ConflictError, match="beta trusts version"):
        process.require()
    with own.database.read() as connection:
        assert f"version {version} of our own card is read back" in signing_state(connection, NOW)
    assert restorer(waker).behind()
    assert restorer(waker).restore() == version
    assert in_force(own) == (version, current_card(future.files)[1])
    with own.database.read() as connection:
        files = own_trust(connection).files
        assert newest_known_card(connection) is None
    state = describe(files)
    assert state.card_version == version
    assert min(role.version for role in state.roles if role.role is not TrustRole.ROOT) >= int(LATER.timestamp())
    assert CARD_BEHIND not in alarms(own)
    assert not restorer(waker).behind()
    process.require()


def test_a_successor_is_not_signed_before_it_is_read_back(future: Future, waker: Waker, beta: Rememberer) -> None:
    """What the newer card closed is read back up to its end; what it opened is known before anybody can sign it."""
    own = future.own
    entries = further(own, 20)
    root = CompactRange().extend(leaf_hash(one) for one in entries).root()
    future.sign(succeeded(future, len(entries), root))
    future.shown_by(beta)
    beta.remember(own, entries)
    beta.shows = None
    other = entries[:3]
    beta.alter(f"/witness/{origin_hash(SECOND)}/checkpoint", says(future.checkpoint(3, _root(other))))
    with own.database.write() as connection:
        add_entries(connection, own.log.number, [entries[7], b"{}"], now=NOW)
    waker.process().hear()
    restorer(waker).restore()
    first, second = log(own), log(own, SECOND)
    assert (first.state, second.state) == ("closed", "open")
    with own.database.read() as connection:
        assert {(one.log, one.size) for one in known_heads(connection)} == {(first.number, 25), (second.number, 3)}
        assert (count_entries(connection, first.number), count_entries(connection, second.number)) == (0, 2)
    with pytest.raises(ConflictError, match="beta holds 3 entries"):
        own.releaser.release(second.number)
    assert log(own, SECOND).placed_size == 0

    assert waker.restorer().restore(first.number) == 25
    first = log(own)
    assert (first.placed_size, first.accepted_size, first.held_size) == (25, 25, 25)
    assert (first.accepted_root, first.accepted_note) == (root, None)
    with own.database.read() as connection:
        assert len(live_listings(connection, first.number, sequence=first.sequence)) == 25
        assert count_entries(connection, second.number) == 1  # the other stood in the closed log


def _root(entries: list[bytes]) -> bytes:
    return CompactRange().extend(leaf_hash(one) for one in entries).root()


def test_a_log_that_was_cut_since_ends_there(future: Future, waker: Waker, beta: Rememberer) -> None:
    own = future.own
    root = _root(further(own, 0)[:3])
    future.sign(succeeded(future, 3, root))
    future.shown_by(beta)
    waker.process().hear()
    restorer(waker).restore()
    first = log(own)
    assert (first.placed_size, first.accepted_size, first.held_size) == (3, 3, 3)
    assert first.accepted_root == root
    with own.database.read() as connection:
        assert len(live_listings(connection, first.number, sequence=first.sequence)) == 3
        assert known_heads(connection) == []


def test_a_log_that_ended_at_another_story_is_told(future: Future, waker: Waker, beta: Rememberer) -> None:
    future.sign(succeeded(future, 3, bytes(32)))
    future.shown_by(beta)
    waker.process().hear()
    restorer(waker).restore()
    assert "own-log-forked" in alarms(future.own)
    with pytest.raises(ConflictError, match="another story"):
        waker.restorer().restore(log(future.own).number)


def test_the_card_must_be_the_one_that_was_signed(future: Future, waker: Waker, beta: Rememberer) -> None:
    version = future.sign(replace(future.card, contacts=("mailto:new@acme.example",)))
    future.shown_by(beta)
    waker.process().hear()
    before = in_force(future.own)
    other = encode_card(replace(future.card, contacts=("mailto:thief@acme.example",)))
    beta.alter(f"/witness/cards/acme/{version}/card", says(other))
    with pytest.raises(TrustError, match="not the card that we signed"):
        restorer(waker).restore()
    assert in_force(future.own) == before
    with Rememberer("gamma") as gamma:
        waker.add(gamma)
        future.shown_by(gamma)
        assert restorer(waker).restore() == version


@pytest.mark.parametrize("row", [RowName.ONLINE, RowName.TARGETS])
def test_roots_come_back_before_the_card(future: Future, waker: Waker, beta: Rememberer, row: RowName) -> None:
    """A card that a key signed which only the newer root names; and the online key that it names must be here."""
    own = future.own
    roles = ("snapshot", "timestamp") if row is RowName.ONLINE else ("targets",)
    later = future.rotate(row, roles)
    version = future.sign(replace(future.card, contacts=("mailto:new@acme.example",)), later)
    future.shown_by(beta)
    waker.process().hear()
    with own.database.read() as connection:
        assert versions(own_trust(connection).files, TrustRole.ROOT) == [1, 2]
    if row is RowName.ONLINE:
        before = in_force(own)
        with pytest.raises(ConflictError, match="the online key is not here"):
            restorer(waker).restore()
        assert in_force(own) == before
        assert "the online key is not here" in alarms(own)[CARD_BEHIND]
    assert restorer(waker, later).restore() == version
    with own.database.read() as connection:
        files = own_trust(connection).files
    root = newest(files, TrustRole.ROOT)
    assert root is not None
    check_role(root, TrustRole.TIMESTAMP, files[TIMESTAMP_FILE], where="own")
    assert CARD_BEHIND not in alarms(own)


def test_a_newer_root_alone_lets_the_timestamp_be_signed_anew(future: Future, waker: Waker, beta: Rememberer) -> None:
    later = future.rotate(RowName.ONLINE, ("snapshot", "timestamp"))
    future.shown_by(beta)
    assert not restorer(waker).behind()
    waker.process().require()
    assert restorer(waker).behind()
    restorer(waker, later).restore()
    assert not restorer(waker).behind()


def test_a_root_that_we_never_signed_is_no_answer(future: Future, waker: Waker, beta: Rememberer) -> None:
    future.rotate(RowName.ONLINE, ("snapshot", "timestamp"))
    future.shown_by(beta)
    with Rememberer("liar") as liar:
        stranger = liar.root_file.replace(b'"version": 1', b'"version": 2')
    beta.alter("/witness/cards/acme/roots/2", says(stranger))
    with pytest.raises(ConflictError, match="signs nothing yet"):
        waker.process().require()
    beta.alter("/witness/cards/acme/roots/2", gone)
    with pytest.raises(ConflictError, match="signs nothing yet"):
        waker.process().require()
    with future.own.database.read() as connection:
        assert versions(own_trust(connection).files, TrustRole.ROOT) == [1]


def test_nothing_is_signed_before_a_peer_was_heard(future: Future, waker: Waker) -> None:
    def asleep() -> None:
        raise ConflictError("this node signs nothing yet")

    one = restorer(waker)
    one.hear = asleep
    with pytest.raises(HashpactError, match="signs nothing yet"):
        one.restore()
    assert in_force(future.own)[0] is not None


def test_after_a_newer_card_everybody_is_asked_anew(waker: Waker, beta: Rememberer) -> None:
    process = waker.process(serves=True)
    assert process.look(FOREVER)
    process.require()
    process.ask_anew()
    assert not process.is_awake()
    beta.forget()
    assert process.look(FOREVER)
    assert beta.asked
