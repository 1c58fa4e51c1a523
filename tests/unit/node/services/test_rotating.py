from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from hashpact_keys.rotation import GRACE, KEPT, OVERLAP, dated_keys, named_keys
from hashpact_keys.rows import RowName
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.card_bell import CardBell
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.key_places import VARIABLE, KeyPlaces
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_cards import sign_card
from hashpact_node.services.publishing import Publisher
from hashpact_node.services.release import Releaser
from hashpact_node.services.rotating import ALONE, BOTH, NEXT, REPLACED, Rotated, Rotating
from hashpact_node.services.rotation_state import UnderWay, rotations_under_way
from hashpact_node.services.succession import Succession
from hashpact_node.services.views import own_card
from hashpact_node.services.witness_lines import WitnessLines
from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_protocol.card import Card
from hashpact_protocol.errors import (
    ConfigurationError,
    ConflictError,
    KeyUnavailableError,
    RequestError,
    StoreMovedError,
)
from hashpact_protocol.notes import KeyType, VerifierKey, parse_note
from members import sha256
from own_member import NOW, ORIGIN, OwnMember

DATED = [RowName.WITNESS, RowName.REQUEST]


@dataclass
class Rotation:
    """Acme with a clock that tests move, whose keys are found through node.toml as a running node finds them."""

    acme: OwnMember
    clock: list[datetime] = field(default_factory=lambda: [NOW])

    def __post_init__(self) -> None:
        self.places = KeyPlaces(self.acme.settings)
        self.keyring = Keyring(self.acme.keyring.keystore, self.places)
        self.releaser = Releaser(self.acme.database, self.acme.releaser.locks, self.keyring, self.now)
        lines = WitnessLines(self.acme.database, Fetcher(), self.now, 0)
        self.rotating = self.again(CardBell(self.acme.database, lines))

    def again(self, bell: CardBell) -> Rotating:
        locks = self.acme.releaser.locks
        return Rotating(self.acme.database, locks, self.keyring, self.places, self.releaser, bell, self.now)

    def now(self) -> datetime:
        return self.clock[0]

    def later(self, time: timedelta) -> None:
        self.clock[0] += time

    @property
    def card(self) -> Card:
        with self.acme.database.read() as connection:
            return own_card(connection)

    def signers(self) -> list[str]:
        """Say which keys signed what the log shows, by the URIs that they have or had."""
        note = parse_note(self.acme.log.accepted_note or b"")
        ids = [(one.name, one.key_id) for one in note.signatures]
        return [
            uri
            for uri in self.places["release"]
            for key in [VerifierKey(ORIGIN, KeyType.ED25519, self.keyring.signer_at(uri).public)]
            if (key.name, key.key_id) in ids
        ]

    def publish(self, number: int) -> None:
        draft = ListingDraft("image", (sha256(number),))
        Publisher(self.acme.database, self.releaser, self.now).publish([draft])

    def under_way(self) -> list[UnderWay]:
        return rotations_under_way(self.acme.database, self.places, self.now())

    def files(self) -> set[str]:
        return {path.name for path in (self.acme.home / "keys").iterdir()}


@pytest.fixture
def rotation(acme: OwnMember) -> Rotation:
    found = Rotation(acme)
    found.publish(1)
    return found


def refused(call: Callable[..., object], *arguments: Any, **options: Any) -> str:
    with pytest.raises(ConflictError) as caught:
        call(*arguments, **options)
    return caught.value.what


def test_a_release_key_is_rotated_in_two_cards(rotation: Rotation) -> None:
    first, new = "file:keys/release.key", "file:keys/release-2.key"
    rotate, finish = rotation.rotating.rotate, rotation.rotating.finish
    assert refused(finish, RowName.RELEASE) == "no rotation of the release key is under way"
    done = rotate(RowName.RELEASE)
    ready_at = int((NOW + OVERLAP).timestamp())
    assert (done.step, done.key, done.at, done.notes) == (BOTH, new, ready_at, ())
    assert list(rotation.places["release"]) == [new, first]
    assert len(named_keys(rotation.card, RowName.RELEASE)) == 2
    assert rotation.signers() == [new, first]
    (state,) = rotation.under_way()
    assert (state.at, state.command) == (ready_at, "hashpact keys rotate release --finish")
    again = rotate(RowName.RELEASE)
    assert (again.card, again.key, again.at) == (None, new, ready_at)
    assert "under way" in refused(rotate, RowName.RELEASE, uri="file:keys/other.key")
    rotation.publish(2)
    assert rotation.signers() == [new, first]
    rotation.later(OVERLAP - timedelta(seconds=1))
    assert "may not know" in refused(finish, RowName.RELEASE)
    rotation.later(timedelta(seconds=1))
    done = finish(RowName.RELEASE)
    assert (done.step, done.key, done.retired) == (ALONE, new, (first,))
    assert list(rotation.places["release"]) == [new]
    assert named_keys(rotation.card, RowName.RELEASE) == {rotation.keyring.signer_at(new).public}
    assert {"release.key.retired", "release-2.key"} <= rotation.files()
    assert len(parse_note(rotation.acme.log.accepted_note or b"").signatures) == 2
    assert rotation.under_way() == []
    rotation.publish(3)
    assert rotation.signers() == [new]
    # The name of a key that was put aside is not given again.
    assert rotate(RowName.RELEASE).key == "file:keys/release-3.key"


def test_who_cannot_wait_need_not_but_the_new_key_must_have_signed(
    rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_self: Releaser, _log: int) -> None:
        raise KeyUnavailableError("no device")

    with monkeypatch.context() as broken:
        broken.setattr(Releaser, "renew", cannot)
        done = rotation.rotating.rotate(RowName.RELEASE)
        assert "not signed anew yet" in done.notes[0]
    assert "signed is shown yet" in refused(rotation.rotating.finish, RowName.RELEASE, at_once=True)
    rotation.rotating.rotate(RowName.RELEASE)
    assert rotation.rotating.finish(RowName.RELEASE, at_once=True).step == ALONE


def test_where_it_was_never_written_down_when_it_began_the_whole_time_is_waited(rotation: Rotation) -> None:
    rotation.rotating.rotate(RowName.RELEASE, overlap=timedelta())
    with rotation.acme.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM key_rotation")
    assert "may not know" in refused(rotation.rotating.finish, RowName.RELEASE)
    assert rotation.under_way()[0].at == int((NOW + OVERLAP).timestamp())
    rotation.later(OVERLAP)
    assert rotation.rotating.finish(RowName.RELEASE).step == ALONE


def test_a_row_without_an_open_log_is_replaced_at_once(rotation: Rotation) -> None:
    done = rotation.rotating.rotate(RowName.CRISIS)
    assert (done.step, done.card, done.key) == (REPLACED, None, "file:keys/crisis-2.key")
    assert done.retired == ("file:keys/crisis.key",)
    assert rotation.places["crisis"] == ("file:keys/crisis-2.key",)
    succession = Succession(
        rotation.acme.database, rotation.acme.releaser.locks, rotation.keyring, rotation.releaser, rotation.now
    )
    succession.open("crisis")
    assert named_keys(rotation.card, RowName.CRISIS) == {rotation.keyring.signer_at(done.key).public}
    assert rotation.rotating.rotate(RowName.CRISIS).step == BOTH
    closed = rotation.card.log("acme.example/logs/crisis-1")
    assert closed is not None
    assert len(closed.keys) == 2


@pytest.mark.parametrize("row", DATED)
def test_a_witness_or_request_key_is_announced_and_begins_by_itself(rotation: Rotation, row: RowName) -> None:
    first, new = f"file:keys/{row.value}.key", f"file:keys/{row.value}-2.key"
    rotate, finish = rotation.rotating.rotate, rotation.rotating.finish
    done = rotate(row)
    assert (done.step, done.key, done.at) == (NEXT, new, int((NOW + OVERLAP).timestamp()))
    assert rotate(row) == replace(done, card=None)
    assert "begins at" in refused(finish, row)
    assert rotation.under_way() == [
        UnderWay(row.value, "the new key begins by itself", int((NOW + OVERLAP).timestamp()), None)
    ]
    rotation.later(OVERLAP)
    assert "counts until" in refused(finish, row)
    rotation.later(GRACE)
    assert rotation.under_way()[0].command == f"hashpact keys rotate {row.value} --finish"
    done = finish(row)
    assert (done.card, done.retired) == (None, (first,))
    assert rotation.places[row.value] == (new,)
    assert f"{row.value}.key.retired" in rotation.files()
    assert "no rotation" in refused(finish, row)
    assert len(dated_keys(rotation.card, row)) == 2
    rotation.later(KEPT)
    assert rotate(row).key == f"file:keys/{row.value}-3.key"
    assert len(dated_keys(rotation.card, row)) == 2


def test_the_witness_key_changes_by_itself_when_its_time_comes(rotation: Rotation) -> None:
    def key() -> bytes:
        return rotation.keyring.witness_key(rotation.card, rotation.now())[0].public

    old = key()
    done = rotation.rotating.rotate(RowName.WITNESS)
    rotation.later(OVERLAP - timedelta(seconds=1))
    assert key() == old
    rotation.later(timedelta(seconds=1))
    assert key() == rotation.keyring.signer_at(done.key).public
    rotation.releaser.renew(rotation.acme.log.number)
    names = [one.name for one in parse_note(rotation.acme.log.accepted_note or b"").signatures]
    assert names == [ORIGIN, "acme.example/witness-2"]


def test_the_next_rotation_puts_away_what_the_last_one_left(rotation: Rotation) -> None:
    rotation.rotating.rotate(RowName.WITNESS)
    rotation.later(OVERLAP + GRACE)
    done = rotation.rotating.rotate(RowName.WITNESS)
    assert done.retired == ("file:keys/witness.key",)
    assert rotation.places["witness"] == ("file:keys/witness-3.key", "file:keys/witness-2.key")


@pytest.mark.parametrize("row", DATED)
def test_a_stolen_key_counts_no_more_at_once(rotation: Rotation, row: RowName) -> None:
    rotation.rotating.rotate(row)
    old = named_keys(rotation.card, row)
    done = rotation.rotating.revoke(row)
    (only,) = dated_keys(rotation.card, row)
    assert only.begins == NOW
    assert only.public not in old
    assert done.retired == (f"file:keys/{row.value}-2.key", f"file:keys/{row.value}.key")
    assert rotation.places[row.value] == (f"file:keys/{row.value}-3.key",)
    assert {f"{row.value}.key.revoked", f"{row.value}-2.key.revoked"} <= rotation.files()
    names = {one.name for one in parse_note(rotation.acme.log.accepted_note or b"").signatures}
    assert names == {ORIGIN, "acme.example/witness-3" if row is RowName.WITNESS else "acme.example/witness-1"}
    again = rotation.rotating.revoke(row)
    assert (again.key, again.retired) == (f"file:keys/{row.value}-4.key", (done.key,))


@pytest.mark.parametrize("row", [RowName.RELEASE, RowName.CRISIS])
def test_a_log_key_is_not_revoked_by_itself(rotation: Rotation, row: RowName) -> None:
    with pytest.raises(RequestError, match="is not revoked by itself") as caught:
        rotation.rotating.revoke(row)
    assert "hashpact keys recover" in str(caught.value.mend)


@pytest.mark.parametrize("row", [RowName.ROOT, RowName.TARGETS, RowName.ONLINE])
def test_keys_that_the_root_names_go_by_a_ceremony(rotation: Rotation, row: RowName) -> None:
    for change in (rotation.rotating.rotate, rotation.rotating.finish, rotation.rotating.revoke):
        with pytest.raises(RequestError) as caught:
            change(row)
        assert "hashpact keys ceremony start" in str(caught.value.mend)


def test_a_key_that_is_given_is_taken(rotation: Rotation) -> None:
    rotation.keyring.keystore.create("elsewhere/mine.key")
    done = rotation.rotating.rotate(RowName.RELEASE, uri="file:elsewhere/mine.key")
    assert done.key == "file:elsewhere/mine.key"
    assert rotation.signers() == ["file:elsewhere/mine.key", "file:keys/release.key"]
    assert rotation.rotating.rotate(RowName.REQUEST, uri="file:elsewhere/new.key").key == "file:elsewhere/new.key"
    for row, used in ((RowName.CRISIS, "release"), (RowName.WITNESS, "request"), (RowName.WITNESS, "witness")):
        with pytest.raises(RequestError, match="names this key already"):
            rotation.rotating.rotate(row, uri=f"file:keys/{used}.key")


def test_nothing_is_made_where_the_environment_sets_the_keys(rotation: Rotation) -> None:
    fixed = replace(rotation.acme.settings, keys=DEFAULT_KEYS, keys_fixed=True)
    rotation.rotating.places = rotation.keyring.uris = KeyPlaces(fixed)
    before = rotation.files()
    with pytest.raises(ConfigurationError) as caught:
        rotation.rotating.rotate(RowName.RELEASE)
    assert caught.value.where == VARIABLE
    assert rotation.files() == before


class Killed(BaseException):
    """In place of a kill."""


def fails(*_arguments: Any, **_options: Any) -> None:
    raise Killed


@pytest.mark.parametrize("row", [RowName.RELEASE, *DATED])
def test_what_a_crash_before_the_card_left_is_taken_up(
    rotation: Rotation, row: RowName, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = rotation.card
    with monkeypatch.context() as broken:
        broken.setattr("hashpact_node.services.rotating.sign_card", fails)
        with pytest.raises(Killed):
            rotation.rotating.rotate(row)
    assert rotation.card == card
    assert rotation.places[row.value][0] == f"file:keys/{row.value}-2.key"
    rotation.publish(2)
    assert rotation.rotating.rotate(row).key == f"file:keys/{row.value}-2.key"
    assert f"{row.value}-3.key" not in rotation.files()


def test_a_revocation_never_takes_up_what_another_run_left(rotation: Rotation, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("hashpact_node.services.rotating.sign_card", fails)
        with pytest.raises(Killed):
            rotation.rotating.revoke(RowName.WITNESS)
    done = rotation.rotating.revoke(RowName.WITNESS)
    assert done.key == "file:keys/witness-3.key"
    assert set(done.retired) == {"file:keys/witness-2.key", "file:keys/witness.key"}


def test_a_revoked_key_that_a_crash_left_is_never_taken_up(rotation: Rotation, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(KeyPlaces, "remove", fails)
        with pytest.raises(Killed):
            rotation.rotating.revoke(RowName.WITNESS)
    assert rotation.places["witness"] == ("file:keys/witness-2.key", "file:keys/witness.key")
    rotation.publish(2)
    assert {one.name for one in parse_note(rotation.acme.log.accepted_note or b"").signatures} == {
        ORIGIN,
        "acme.example/witness-2",
    }
    stolen = rotation.keyring.signer_at("file:keys/witness.key").public
    done = rotation.rotating.rotate(RowName.WITNESS)
    assert done.key == "file:keys/witness-3.key"
    assert done.retired == ("file:keys/witness.key",)
    assert stolen not in named_keys(rotation.card, RowName.WITNESS)


def test_an_old_log_key_that_a_crash_left_is_put_away_by_the_next_finish(
    rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotation.rotating.rotate(RowName.RELEASE)
    with monkeypatch.context() as broken:
        broken.setattr(KeyPlaces, "remove", fails)
        with pytest.raises(Killed):
            rotation.rotating.finish(RowName.RELEASE, at_once=True)
    (state,) = rotation.under_way()
    assert state.command == "hashpact keys rotate release --finish"
    rotation.publish(2)
    assert rotation.signers() == ["file:keys/release-2.key"]
    done: Rotated = rotation.rotating.finish(RowName.RELEASE)
    assert (done.card, done.retired) == (None, ("file:keys/release.key",))
    assert rotation.places["release"] == ("file:keys/release-2.key",)


def test_whoever_was_faster_with_another_card_wins(rotation: Rotation, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Rotation(rotation.acme)

    def faster(*arguments: Any) -> Any:
        monkeypatch.undo()
        files = sign_card(*arguments)
        monkeypatch.setattr(type(other.acme.releaser.locks), "hold", free)
        other.rotating.rotate(RowName.REQUEST)
        monkeypatch.undo()
        return files

    monkeypatch.setattr("hashpact_node.services.rotating.sign_card", faster)
    with pytest.raises(StoreMovedError, match="another card"):
        rotation.rotating.rotate(RowName.WITNESS)
    assert len(dated_keys(rotation.card, RowName.WITNESS)) == 1
    assert len(dated_keys(rotation.card, RowName.REQUEST)) == 2


def free(*_arguments: Any, **_options: Any) -> Any:
    return nullcontext()


def test_a_file_that_cannot_be_put_aside_is_said(rotation: Rotation, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.rename", full)
    done = rotation.rotating.revoke(RowName.WITNESS)
    assert "could not be renamed" in done.notes[0]
