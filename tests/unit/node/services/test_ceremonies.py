from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from full_disk import PLENTY, limit_pages, page_count
from hashpact_keys.ceremony import NamedKey, RowChange, lacking, sign_draft
from hashpact_keys.ceremony_draft import Draft, encode_draft, parse_draft
from hashpact_keys.keystore import KeyStore
from hashpact_keys.public_keys import generate
from hashpact_keys.rows import RowName, TrustRole
from hashpact_keys.signers import open_trust_signer
from hashpact_keys.trust import describe
from hashpact_keys.trust_checks import check_role, check_root
from hashpact_keys.trust_files import TIMESTAMP_FILE, newest, roots
from hashpact_node.services.ceremonies import Ceremonies
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_cards import own_trust
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_protocol.errors import ConflictError, RequestError, StoreBusyError, StoreError, TrustError
from own_member import NOW, OwnMember, found_member

LATER = NOW + timedelta(hours=1)


def anybody() -> None:
    """Let whoever signs."""


@pytest.fixture
def acme(database: Database, tmp_path: Path) -> OwnMember:
    member = found_member(database, tmp_path / "home", database.where)
    places = KeyPlaces(member.settings)
    keyring = Keyring(member.keyring.keystore, places)
    return replace(member, keyring=keyring)


def ceremonies(acme: OwnMember) -> Ceremonies:
    places = acme.keyring.uris
    assert isinstance(places, KeyPlaces)
    return Ceremonies(acme.database, Locks(acme.database, acme.home), acme.keyring, places, lambda: LATER, anybody)


def files_of(acme: OwnMember) -> dict[tuple[str, str], bytes]:
    with acme.database.read() as connection:
        return own_trust(connection).files


class Board:
    """Three holders of root keys and an officer, each with a key of their own elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.keystore = KeyStore(folder, lambda: b"elsewhere", kdf_rounds=1)
        self.public = {name: generate(f"file:{name}.key", self.keystore) for name in ("ann", "bob", "cem", "officer")}

    def changes(self) -> dict[RowName, RowChange]:
        board = tuple(NamedKey(self.public[name], name) for name in ("ann", "bob", "cem"))
        return {
            RowName.ROOT: RowChange(board, 2),
            RowName.TARGETS: RowChange((NamedKey(self.public["officer"], "officer"),), 1),
        }

    def sign(self, draft: Draft, *names: str) -> Draft:
        for name in names:
            carried = parse_draft(encode_draft(draft), where="draft.json")
            draft = sign_draft(carried, open_trust_signer(f"file:{name}.key", self.keystore))
        return draft


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path / "elsewhere")


def test_a_trial_root_becomes_a_real_one_and_its_lines_leave_the_configuration(acme: OwnMember, board: Board) -> None:
    before = files_of(acme)
    service = ceremonies(acme)
    draft = service.sign_here(service.start(board.changes()))
    assert [one.missing[0].name for one in lacking(draft)] == ["ann", "officer"]
    done = service.publish(board.sign(draft, "ann", "officer", "bob"))
    files = files_of(acme)
    assert done.fingerprint == describe(files).fingerprint
    assert sorted(done.dropped) == ["file:keys/root.key", "file:keys/targets.key"]
    assert (acme.keyring.uris["root"], acme.keyring.uris["targets"]) == ((), ())
    new, old = newest(files, TrustRole.ROOT), newest(before, TrustRole.ROOT)
    assert new is not None
    assert old is not None
    check_root(new, old, where="test")
    assert len(roots(files)) == 2
    with acme.database.read() as connection:
        trust = own_trust(connection)
    assert trust.peer.card_version == done.card == describe(files).card_version
    # Nothing here can sign for root and targets any longer.
    assert len(lacking(service.sign_here(service.start({})))) == 2


@pytest.mark.parametrize("row", [RowName.ROOT, RowName.TARGETS, RowName.ONLINE])
def test_each_row_of_the_root_is_rotated_at_once_where_the_keys_are_here(acme: OwnMember, row: RowName) -> None:
    for number in (2, 3):
        draft, done = ceremonies(acme).rotate(row)
        assert done is not None
        assert not lacking(draft)
        assert acme.keyring.uris[row.value] == (f"file:keys/{row.value}-{number}.key",)
    files = files_of(acme)
    held = list(roots(files).values())
    assert len(held) == 3
    for root, previous in zip(held[1:], held, strict=False):
        check_root(root, previous, where="test")
    for root in held[-2:]:  # who still holds the root before meets nothing that it refuses
        check_role(root, TrustRole.TIMESTAMP, files[TIMESTAMP_FILE], where="test")
        targets = newest(files, TrustRole.TARGETS)
        assert targets is not None
        check_role(root, TrustRole.TARGETS, targets, where="test")


def test_holders_rotate_their_own_keys(acme: OwnMember, board: Board) -> None:
    service = ceremonies(acme)
    service.publish(board.sign(service.sign_here(service.start(board.changes())), "ann", "bob", "officer"))
    with pytest.raises(RequestError, match="held by 3 people"):
        service.rotate(RowName.ROOT)
    draft, done = service.rotate(RowName.ONLINE)
    assert done is None
    assert acme.keyring.uris["online"] == ("file:keys/online-2.key", "file:keys/online.key")
    service.publish(board.sign(draft, "bob", "cem"))
    assert dict(acme.keyring.uris)["online"] == ("file:keys/online-2.key",)


def test_a_card_is_signed_for_another_year_elsewhere(acme: OwnMember, board: Board) -> None:
    service = ceremonies(acme)
    service.publish(board.sign(service.sign_here(service.start(board.changes())), "ann", "bob", "officer"))
    before = describe(files_of(acme))
    draft = replace_now(service, LATER + timedelta(days=300)).start_card()
    done = replace_now(service, LATER + timedelta(days=300)).publish(board.sign(draft, "officer"))
    after = describe(files_of(acme))
    assert done.card == after.card_version > before.card_version
    assert after.card == before.card
    assert {role.role: role.expires for role in after.roles}[TrustRole.TARGETS] == LATER + timedelta(days=665)


def replace_now(service: Ceremonies, now: datetime) -> Ceremonies:
    return replace(service, now=lambda: now)


def test_what_is_stale_or_below_a_threshold_changes_nothing(acme: OwnMember, board: Board) -> None:
    service = ceremonies(acme)
    first, second = (service.sign_here(service.start(board.changes())) for _ in range(2))
    before = files_of(acme)
    with pytest.raises(TrustError, match="0 of the 2 signatures"):
        service.publish(first)
    assert files_of(acme) == before
    service.publish(board.sign(second, "ann", "bob", "officer"))
    between = files_of(acme)
    with pytest.raises(TrustError, match="stale"):
        service.publish(board.sign(first, "ann", "bob", "officer"))
    assert files_of(acme) == between


def test_nothing_is_published_while_nothing_may_be_signed(acme: OwnMember) -> None:
    def silent() -> None:
        raise ConflictError("no peer has said what it knows")

    before = files_of(acme)
    service = replace(ceremonies(acme), may_sign=silent)
    with pytest.raises(ConflictError):
        service.publish(service.sign_here(service.start({})))
    assert files_of(acme) == before


def test_a_failure_half_way_leaves_the_old_root_in_force(
    acme: OwnMember, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database refuses one write of the transaction: none of it stays, and the draft can be published later."""
    service = ceremonies(acme)
    draft = board.sign(service.sign_here(service.start(board.changes())), "ann", "bob", "officer")
    before = files_of(acme)

    def full(*_args: object, **_kwargs: object) -> None:
        raise StoreError("the disk is full", where="database")

    with monkeypatch.context() as broken:
        broken.setattr("hashpact_node.services.taking.take_card", full)
        with pytest.raises(StoreError, match="disk is full"):
            service.publish(draft)
    assert files_of(acme) == before
    assert acme.keyring.uris["root"] == ("file:keys/root.key",)
    assert service.publish(draft).dropped


def test_a_full_disk_leaves_the_old_root_in_force(sqlite_database: Database, tmp_path: Path) -> None:
    member = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    acme = replace(member, keyring=Keyring(member.keyring.keystore, KeyPlaces(member.settings)))
    service = ceremonies(acme)
    many = {f"holder-{number}": generate(f"file:h{number}.key", acme.keyring.keystore) for number in range(40)}
    wide = RowChange(tuple(NamedKey(key, name) for name, key in many.items()), 1)
    signer = open_trust_signer("file:h0.key", acme.keyring.keystore)
    draft = sign_draft(service.sign_here(service.start({RowName.ROOT: wide})), signer)
    before = files_of(acme)
    limit_pages(sqlite_database, page_count(sqlite_database))
    with pytest.raises(StoreError, match="full"):
        service.publish(draft)
    assert files_of(acme) == before
    limit_pages(sqlite_database, PLENTY)
    assert service.publish(draft).fingerprint.startswith("2:")


def test_two_publish_one_after_the_other(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    service = ceremonies(acme)
    draft = service.sign_here(service.start({}))
    monkeypatch.setattr("hashpact_node.services.ceremonies.LOCK_WAIT_SECONDS", 0.01)
    with Locks(acme.database, acme.home).hold("trust/own", timeout=5), pytest.raises(StoreBusyError):
        service.publish(draft)
    assert service.publish(draft).fingerprint.startswith("2:")
