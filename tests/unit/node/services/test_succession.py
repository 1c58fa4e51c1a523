from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import RowName
from hashpact_keys.signers import NoteSigner, TrustSigner
from hashpact_node.services.digests import Digester
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.log_files import LogFiles
from hashpact_node.services.own_cards import sign_card
from hashpact_node.services.succession import Succession
from hashpact_node.services.views import own_card
from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_node.store.logs import Log, find_log, list_logs
from hashpact_node.store.owners import live_listings
from hashpact_node.store.queue import count_entries
from hashpact_node.store.signals import find_signals
from hashpact_node.store.succession import count_cut
from hashpact_protocol.card_logs import LogState
from hashpact_protocol.errors import (
    ConflictError,
    GoneError,
    HashpactError,
    KeyUnavailableError,
    NotFoundError,
    RequestError,
)
from hashpact_protocol.notes import parse_checkpoint, parse_note
from hashpact_protocol.policy import Action
from hashpact_protocol.statements import parse_statement
from hashpact_protocol.tiles import TileId
from members import sha256
from own_member import NOW, ORIGIN, OwnMember

NEXT = "acme.example/logs/listings-2"


def successions(acme: OwnMember) -> Succession:
    return Succession(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: NOW)


def publish(acme: OwnMember, *numbers: int, wait: bool = True) -> list[str]:
    drafts = [ListingDraft("image", (sha256(number),)) for number in numbers]
    return [one.id for one in acme.publisher.publish(drafts, wait=wait)]


def row(acme: OwnMember, origin: str) -> Log:
    with acme.database.read() as connection:
        found = find_log(connection, origin)
    assert found is not None
    return found


def entries(acme: OwnMember, origin: str) -> list[bytes]:
    log = row(acme, origin)
    with acme.database.read() as connection:
        return [EntryReader(connection).entry(log.number, at) for at in range(log.accepted_size)]


def listed(acme: OwnMember, *numbers: int) -> list[bool]:
    """Say of each number whether a lookup finds it."""
    keys = [sha256(number).key for number in numbers]
    with acme.database.read() as connection:
        found = find_signals(connection, keys)
    return [key in found and found[key].action == Action.BLOCK for key in keys]


def live(acme: OwnMember, origin: str) -> int:
    log = row(acme, origin)
    with acme.database.read() as connection:
        return len(live_listings(connection, log.number, sequence=log.sequence))


def test_a_closed_log_ends_where_it_was_shown(acme: OwnMember) -> None:
    publish(acme, 1, 2, 3)
    before = acme.log
    done = successions(acme).close("listings")
    assert (done.closed, done.final_size, done.opened) == (ORIGIN, 3, None)
    with acme.database.read() as connection:
        (log,) = own_card(connection).logs
    assert log.state is LogState.CLOSED
    assert log.final is not None
    assert (log.final.size, log.final.root) == (3, before.accepted_root)
    assert listed(acme, 1, 2, 3) == [True] * 3
    files = LogFiles(acme.database)
    with pytest.raises(GoneError):
        files.checkpoint("listings-1")
    assert files.tile("listings-1", TileId(None, 0, 3)).body
    with pytest.raises(NotFoundError, match="no open log"):
        publish(acme, 4)
    with pytest.raises(NotFoundError, match="no log named"):
        successions(acme).close("listings")


def test_a_successor_goes_on_where_the_log_ended(acme: OwnMember) -> None:
    first, second = publish(acme, 1, 2)
    done = successions(acme).open("listings")
    assert (done.closed, done.opened, done.fresh) == (ORIGIN, NEXT, None)
    publish(acme, 3)
    assert listed(acme, 1, 2, 3) == [True] * 3
    withdrawn = acme.publisher.withdraw(first, "error")
    assert withdrawn.origin == NEXT
    assert listed(acme, 1, 2, 3) == [False, True, True]
    restated = acme.publisher.publish([ListingDraft("image", (sha256(4),), id=second)])
    assert restated[0].origin == NEXT
    assert listed(acme, 2, 3, 4) == [False, True, True]
    assert Digester(acme.database).digest().listings == 2


def test_a_fresh_successor_restates_what_lives_byte_for_byte(acme: OwnMember) -> None:
    ids = publish(acme, 1, 2, 3, 4)
    acme.publisher.withdraw(ids[1], "error")
    acme.publisher.publish([ListingDraft("image", (sha256(30),), id=ids[2])])
    old = entries(acme, ORIGIN)
    done = successions(acme).open("listings", fresh=True)
    assert done.fresh == 3
    assert entries(acme, NEXT) == [old[0], old[3], old[5]]
    assert listed(acme, 1, 2, 3, 4, 30) == [True, False, False, True, True]
    assert live(acme, ORIGIN) == 0
    digest = Digester(acme.database).digest()
    assert [(log.origin, log.size) for log in digest.logs] == [(NEXT, 3)]
    assert digest.listings == 3
    note = row(acme, NEXT).accepted_note
    assert note is not None
    assert parse_checkpoint(parse_note(note).text).size == 3


def test_no_lookup_sees_a_gap(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(acme, *range(10))
    seen: list[list[bool]] = []

    def look(*_: object, **__: object) -> None:
        seen.append(listed(acme, *range(10)))

    monkeypatch.setattr("hashpact_node.services.succession.sign_card", _then(look, sign_card))
    monkeypatch.setattr(type(acme.releaser), "release", _then(look, type(acme.releaser).release))
    successions(acme).open("listings", fresh=True)
    assert len(seen) >= 3
    assert all(all(one) for one in seen)
    assert all(listed(acme, *range(10)))


def _then(look: Callable[..., None], function: Callable[..., object]) -> Callable[..., object]:
    def both(*arguments: object, **named: object) -> object:
        look()
        done = function(*arguments, **named)
        look()
        return done

    return both


def test_what_waits_moves_to_the_successor(acme: OwnMember) -> None:
    (first,) = publish(acme, 1)
    acme.keyring._notes[DEFAULT_KEYS["release"][0]] = _Failing(acme.keyring.note_signer(RowName.RELEASE))
    publish(acme, 2)  # it gets a place, and cannot be signed
    publish(acme, 3, wait=False)
    acme.publisher.withdraw(first, "error", wait=False)
    closed = successions(acme).close("listings")
    assert closed.final_size == 1
    assert row(acme, ORIGIN).pending_size is None
    del acme.keyring._notes[DEFAULT_KEYS["release"][0]]
    successions(acme).open("listings")
    assert listed(acme, 1, 2, 3) == [False, True, True]
    kinds = [parse_statement(entry, "listings").kind for entry in entries(acme, NEXT)]
    assert kinds == ["listing", "listing", "withdrawal"]
    with acme.database.read() as connection:
        assert count_entries(connection) == 0


class _Failing:
    def __init__(self, inner: NoteSigner) -> None:
        self.public = inner.public

    def sign(self, _message: bytes) -> bytes:
        raise KeyUnavailableError("the device does not answer")


def test_what_a_thief_published_is_void(acme: OwnMember) -> None:
    ids = publish(acme, *range(300))
    acme.publisher.withdraw(ids[0], "error")
    publish(acme, 1_000)
    done = successions(acme).close("listings", at=290)
    assert done.final_size == 290
    assert listed(acme, 0, 1, 289, 290, 1_000) == [True, True, True, False, False]
    log = row(acme, ORIGIN)
    assert (log.accepted_size, log.held_size, log.placed_size) == (290, 290, 290)
    with acme.database.read() as connection:
        assert count_cut(connection, log.number) == 1
        assert EntryReader(connection).root_at(log.number, 290) == log.accepted_root == log.final_root
        assert len(EntryReader(connection).bundle(log.number, 1)) == 34
    successions(acme).open("listings", fresh=True)
    assert listed(acme, 0, 289, 290, 1_000) == [True, True, False, False]
    assert live(acme, NEXT) == 290


@pytest.mark.parametrize("at", [-1, 4])
def test_a_log_cannot_end_at_what_was_not_shown(acme: OwnMember, at: int) -> None:
    publish(acme, 1, 2, 3)
    with pytest.raises(RequestError, match="cannot end"):
        successions(acme).close("listings", at=at)
    assert acme.log.state == "open"


def test_without_the_targets_key_it_says_which_is_needed(acme: OwnMember) -> None:
    publish(acme, 1)
    (acme.home / "keys" / "targets.key").unlink()
    keystore = KeyStore(acme.home, lambda: b"passphrase of a test", kdf_rounds=1)
    forgetful = replace(acme, keyring=Keyring(keystore, acme.settings.keys))
    with pytest.raises(KeyUnavailableError, match="targets key") as caught:
        successions(forgetful).open("listings", fresh=True)
    assert caught.value.where is not None
    assert "targets.key" in caught.value.where
    assert acme.log.state == "open"
    publish(acme, 2)
    assert listed(acme, 1, 2) == [True, True]


@pytest.mark.parametrize("name", ["", "hits", "listings_2", "Listings"])
def test_names_that_no_log_has(acme: OwnMember, name: str) -> None:
    with pytest.raises(RequestError, match="named"):
        successions(acme).open(name)


def test_the_first_log_of_a_name(acme: OwnMember) -> None:
    done = successions(acme).open("opinions")
    assert (done.closed, done.opened) == (None, "acme.example/logs/opinions-1")
    assert row(acme, "acme.example/logs/opinions-1").accepted_note is not None
    with pytest.raises(ConflictError, match="nothing was published"):
        successions(acme).open("opinions", fresh=True)


def test_where_nothing_lives_a_fresh_log_says_a_withdrawal(acme: OwnMember) -> None:
    (only,) = publish(acme, 1)
    acme.publisher.withdraw(only, "error")
    assert successions(acme).open("listings", fresh=True).fresh == 1
    (entry,) = entries(acme, NEXT)
    assert parse_statement(entry, "listings").kind == "withdrawal"
    assert listed(acme, 1) == [False]


def test_run_again_after_a_crash_nothing_is_signed_under_two_roots(
    acme: OwnMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(acme, 1, 2)
    signed: list[bytes] = []
    inner = acme.keyring.note_signer(RowName.RELEASE)

    class Remembering:
        public = inner.public

        def sign(self, message: bytes) -> bytes:
            signed.append(message)
            return inner.sign(message)

    acme.keyring._notes[DEFAULT_KEYS["release"][0]] = Remembering()
    honest: Callable[[RowName], tuple[TrustSigner, ...]] = acme.keyring.trust_signers

    def crash(_row: RowName) -> tuple[TrustSigner, ...]:
        raise HashpactError("the power went")

    for numbers in ((), (), (3,), (4,)):
        publish(acme, *numbers) if numbers else None
        monkeypatch.setattr(type(acme.keyring), "trust_signers", lambda _self, row: crash(row))
        with pytest.raises(HashpactError, match="power"):
            successions(acme).open("listings", fresh=True)
        monkeypatch.undo()
    assert acme.keyring.trust_signers(RowName.TARGETS)[0].public_key == honest(RowName.TARGETS)[0].public_key
    done = successions(acme).open("listings", fresh=True)
    roots: dict[tuple[str, int], set[bytes]] = {}
    for message in signed:
        checkpoint = parse_checkpoint(message)
        roots.setdefault((checkpoint.origin, checkpoint.size), set()).add(checkpoint.root)
    assert all(len(one) == 1 for one in roots.values())
    assert done.opened is not None
    assert listed(acme, 1, 2, 3, 4) == [True] * 4
    with acme.database.read() as connection:
        named = [log.origin for log in list_logs(connection) if log.named]
    assert named == [ORIGIN, done.opened]
