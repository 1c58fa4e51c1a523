from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from hashpact_keys.rows import RowName
from hashpact_node.services.beyond import Cut, Suspect
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.own_cards import own_trust
from hashpact_node.services.own_heads import learn
from hashpact_node.services.recovering import Keeps, Recovered, Recovery, Wanted
from hashpact_node.services.succession import Succession
from hashpact_node.services.undone import list_undone
from hashpact_node.services.views import own_card
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.awakening import known_heads
from hashpact_node.store.erasures import list_erasures
from hashpact_node.store.logs import Log, find_log
from hashpact_node.store.signals import find_signals
from hashpact_node.store.tables_shown import ShownSize
from hashpact_protocol.card import Card
from hashpact_protocol.card_logs import LogState
from hashpact_protocol.errors import (
    HashpactError,
    KeyUnavailableError,
    NotFoundError,
    RequestError,
    StoreMovedError,
)
from hashpact_protocol.merkle import CompactRange, leaf_hash
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    VerifierKey,
    format_checkpoint,
    format_note,
    log_signature,
    parse_note,
    verify_note,
)
from hashpact_protocol.policy import Action
from members import sha256
from own_member import NOW, ORIGIN, OwnMember

NEXT = "acme.example/logs/listings-2"
OPINIONS = "acme.example/logs/opinions-1"
WHY = "the release key was stolen"


@dataclass
class Stolen:
    """Acme with logs of listings and opinions, on a clock that moves a minute with everything that is published."""

    acme: OwnMember
    places: KeyPlaces
    clock: list[datetime]
    told: list[int]

    @property
    def recovery(self) -> Recovery:
        acme = self.acme
        tell = lambda: self.told.append(self.card_version)  # noqa: E731
        return Recovery(
            acme.database, acme.releaser.locks, acme.keyring, self.places, acme.releaser, tell, lambda: self.clock[0]
        )

    @property
    def card(self) -> Card:
        with self.acme.database.read() as connection:
            return own_card(connection)

    @property
    def card_version(self) -> int:
        with self.acme.database.read() as connection:
            return own_trust(connection).peer.card_version or 0

    def publish(self, *numbers: int, wait: bool = True) -> list[str]:
        self.clock[0] += timedelta(minutes=1)
        drafts = [ListingDraft("image", (sha256(number),)) for number in numbers]
        return [one.id for one in self.acme.publisher.publish(drafts, wait=wait)]

    def withdraw(self, listing: str, *, erase: bool = False) -> None:
        self.clock[0] += timedelta(minutes=1)
        self.acme.publisher.withdraw(listing, "error", erase=erase)

    def recover(self, keeps: Keeps = lambda _entry: False, *, since: datetime | None = None, **sizes: int) -> Recovered:
        return self.recovery.recover(Wanted("listings", Cut(since, sizes), lambda _found: keeps, WHY))

    def log(self, origin: str = ORIGIN) -> Log:
        with self.acme.database.read() as connection:
            found = find_log(connection, origin)
        assert found is not None
        return found

    def entries(self, origin: str) -> list[bytes]:
        log = self.log(origin)
        with self.acme.database.read() as connection:
            return [EntryReader(connection).entry(log.number, at) for at in range(log.accepted_size)]

    def listed(self, *numbers: int) -> list[bool]:
        keys = [sha256(number).key for number in numbers]
        with self.acme.database.read() as connection:
            found = find_signals(connection, keys)
        return [key in found and found[key].action == Action.BLOCK for key in keys]


@pytest.fixture
def stolen(acme: OwnMember) -> Stolen:
    clock = [NOW]
    places = KeyPlaces(acme.settings)
    acme.keyring.uris = places
    acme.releaser.now = lambda: clock[0]
    acme.publisher._now = lambda: clock[0]
    Succession(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: clock[0]).open("opinions")
    acme.releaser.release(acme.log.number)
    return Stolen(acme, places, clock, [])


def look(stolen: Stolen, since: datetime | None = None, **sizes: int) -> list[Suspect]:
    return stolen.recovery.look("listings", Cut(since, sizes))


def test_it_shows_what_lies_beyond_and_changes_nothing(stolen: Stolen) -> None:
    (first,) = stolen.publish(1)
    good = stolen.clock[0]
    stolen.publish(2)
    stolen.withdraw(first)
    stolen.publish(3, wait=False)
    listings, opinions = look(stolen, good)
    assert (listings.log.origin, listings.size, listings.shown_at) == (ORIGIN, 1, int(good.timestamp()))
    assert [(one.index, one.kind) for one in listings.beyond] == [(1, "listing"), (2, "withdrawal")]
    assert f"sha256:{2:064x}" in listings.beyond[0].what
    assert listings.beyond[1].what == f"withdraws {first}: error"
    assert [(one.index, one.kind) for one in listings.waiting] == [(None, "listing")]
    assert (opinions.log.origin, opinions.size, opinions.beyond) == (OPINIONS, 0, ())
    assert stolen.log().state == "open"
    assert stolen.told == []


def test_what_a_thief_did_is_undone_and_what_is_reaffirmed_stands(stolen: Stolen) -> None:
    first, second = stolen.publish(1, 2)
    good = stolen.clock[0]
    stolen.publish(666)
    stolen.withdraw(first)
    stolen.publish(3)
    stolen.withdraw(second)
    before = stolen.entries(ORIGIN)
    assert stolen.listed(1, 2, 3, 666) == [False, False, True, True]
    done = stolen.recover(lambda one: one.index in (4, 5), since=good)
    assert stolen.listed(1, 2, 3, 666) == [True, False, True, False]
    assert [(log.name, log.size, log.beyond, log.kept) for log in done.logs] == [
        ("listings", 2, 4, 2),
        ("opinions", 0, 0, 0),
    ]
    assert stolen.entries(NEXT) == before[4:]
    assert stolen.entries(ORIGIN) == before[:2]
    closed, successor = (stolen.card.log(origin) for origin in (ORIGIN, NEXT))
    assert closed is not None
    assert successor is not None
    assert (closed.state, closed.reason, closed.final and closed.final.size) == (LogState.CLOSED, WHY, 2)
    assert (successor.state, successor.fresh, len(successor.keys)) == (LogState.OPEN, None, 1)
    assert stolen.told == [done.card]
    (undone,) = list_undone(stolen.acme.database, "acme")
    assert [(one.index, one.listed) for one in undone.entries] == [(2, False), (3, True), (4, True), (5, False)]
    assert undone.reason == WHY
    stolen.publish(7)
    assert stolen.listed(1, 3, 7) == [True] * 3


def test_all_logs_of_the_key_go_on_with_another_and_the_old_one_is_put_away(stolen: Stolen) -> None:
    stolen.publish(1)
    old = stolen.acme.keyring.note_signer(RowName.RELEASE).public
    crisis = stolen.acme.keyring.note_signer(RowName.CRISIS).public
    done = stolen.recover(since=stolen.clock[0])
    assert (done.key, done.retired) == ("file:keys/release-2.key", ("file:keys/release.key",))
    assert stolen.places["release"] == ("file:keys/release-2.key",)
    assert (stolen.acme.home / "keys" / "release.key.stolen").exists()
    assert not (stolen.acme.home / "keys" / "release.key").exists()
    open_logs = [log for log in stolen.card.logs if log.state is LogState.OPEN]
    new = stolen.acme.keyring.note_signer(RowName.RELEASE).public
    assert new not in (old, crisis)
    assert {(log.name, key.public) for log in open_logs for key in log.keys} >= {("listings", new), ("opinions", new)}
    assert not any(key.public == old for log in open_logs for key in log.keys)
    stolen.publish(2)
    note = parse_note(stolen.log(NEXT).accepted_note or b"")
    assert verify_note(note, {VerifierKey(NEXT, KeyType.ED25519, new)})


def test_what_waits_goes_on_unless_it_is_said_that_it_should_not(stolen: Stolen) -> None:
    stolen.publish(1)
    good = stolen.clock[0]
    stolen.publish(2, 3, wait=False)
    stolen.recover(lambda one: one.index is None and f"{2:064x}" in one.what, since=good)
    assert stolen.listed(1, 2, 3) == [True, True, False]


def test_where_there_is_no_record_the_size_is_asked_for(stolen: Stolen) -> None:
    stolen.publish(1, 2)
    stolen.publish(3)
    with pytest.raises(RequestError, match="cannot end"):
        look(stolen, listings=4)
    assert [one.size for one in look(stolen, listings=2)] == [2, 0]
    assert [one.size for one in look(stolen, listings=2, opinions=0)] == [2, 0]
    with pytest.raises(RequestError, match="not known") as caught:
        look(stolen, listings=1)  # never shown, so it is not known when the opinions went wrong
    assert "--size opinions=N" in (caught.value.mend or "")
    with pytest.raises(RequestError, match="signs no open log"):
        look(stolen, listings=2, crisis=0)
    with pytest.raises(NotFoundError, match="no log named"):
        stolen.recovery.look("crisis", Cut(NOW))


def test_a_record_that_begins_later_says_so(stolen: Stolen) -> None:
    stolen.publish(1)
    stolen.recover(lambda _one: True, since=NOW)
    with pytest.raises(RequestError, match="is not on record") as caught:
        look(stolen, NOW)
    assert "--size listings=N" in (caught.value.mend or "")


def test_the_same_recovery_again_ends_nothing(stolen: Stolen) -> None:
    stolen.publish(1)
    good = stolen.clock[0]
    stolen.publish(666)
    stolen.recover(since=good)
    stolen.publish(2)
    with pytest.raises(RequestError, match="is not on record"):
        stolen.recover(since=good)
    assert stolen.listed(1, 2, 666) == [True, True, False]


def test_a_record_that_is_not_of_these_entries_is_not_believed(stolen: Stolen) -> None:
    stolen.publish(1)
    good = stolen.clock[0]
    stolen.publish(2)
    with stolen.acme.database.write() as connection:
        connection.execute(update(ShownSize).where(col(ShownSize.size) == 1).values(root=bytes(32)))
    with pytest.raises(StoreMovedError, match="not those that are stored"):
        look(stolen, good)


def test_a_log_cannot_end_within_what_it_restates(stolen: Stolen) -> None:
    stolen.publish(1, 2)
    acme = stolen.acme
    succession = Succession(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: stolen.clock[0])
    assert succession.open("listings", fresh=True).fresh == 2
    with pytest.raises(RequestError, match="restate"):
        stolen.recover(listings=1, opinions=0)
    assert stolen.log(NEXT).state == "open"


def test_a_thief_with_the_key_alone_does_not_keep_us_from_going_on(stolen: Stolen) -> None:
    """Its checkpoint, which a peer shows us, keeps the log from being signed; the successor is."""
    stolen.publish(1)
    log, signer = stolen.log(), stolen.acme.keyring.note_signer(RowName.RELEASE)
    root = CompactRange().extend([leaf_hash(b"forged"), leaf_hash(b"too")]).root()
    text = format_checkpoint(Checkpoint(ORIGIN, 2, root))
    forged = format_note(
        Note(text, (log_signature(VerifierKey(ORIGIN, KeyType.ED25519, signer.public), signer.sign(text)),))
    )
    stolen.publish(2)
    with stolen.acme.database.write() as connection:
        learn(connection, log.number, forged, member="beta", now=NOW)
    stolen.publish(3)
    assert stolen.listed(1, 2, 3) == [True, True, False]
    assert [len(one.waiting) for one in look(stolen, stolen.clock[0])] == [1, 0]
    stolen.recover(since=stolen.clock[0])
    assert stolen.listed(1, 2, 3) == [True, True, False]
    stolen.publish(4)
    assert stolen.listed(4) == [True]
    with stolen.acme.database.read() as connection:
        assert known_heads(connection) == []
        assert list_alarms(connection) == []


def test_an_erasure_that_a_thief_asked_for_is_forgotten(stolen: Stolen) -> None:
    first, second = stolen.publish(1, 2)
    stolen.withdraw(second, erase=True)
    good = stolen.clock[0]
    stolen.withdraw(first, erase=True)
    stolen.recover(since=good)
    assert stolen.listed(1, 2) == [True, False]
    with stolen.acme.database.read() as connection:
        assert [one.listing.hex() for one in list_erasures(connection)] == [second.replace("-", "")]


def test_nothing_is_made_without_the_targets_key(stolen: Stolen) -> None:
    stolen.publish(1)
    (stolen.acme.home / "keys" / "targets.key").unlink()
    stolen.acme.keyring.keystore._unlocked.clear()
    with pytest.raises(KeyUnavailableError, match="targets key"):
        stolen.recover(since=stolen.clock[0])
    assert sorted(path.name for path in (stolen.acme.home / "keys").glob("release*")) == ["release.key"]
    assert stolen.places["release"] == ("file:keys/release.key",)
    assert stolen.log().state == "open"


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 257])
def test_a_reason_that_no_card_can_tell(stolen: Stolen, reason: str) -> None:
    with pytest.raises(RequestError, match="reason"):
        stolen.recovery.recover(Wanted("listings", Cut(NOW), lambda _found: lambda _entry: False, reason))
    assert stolen.log().state == "open"


def test_a_key_that_served_before_is_refused(stolen: Stolen) -> None:
    stolen.publish(1)
    for uri, why in (("file:keys/release.key", "already"), ("file:keys/crisis.key", "another row")):
        wanted = Wanted("listings", Cut(stolen.clock[0]), lambda _found: lambda _entry: False, WHY, uri)
        with pytest.raises(RequestError, match=why):
            stolen.recovery.recover(wanted)
    assert stolen.places["release"] == ("file:keys/release.key",)


def test_what_a_recovery_left_is_done_by_the_next(stolen: Stolen, monkeypatch: pytest.MonkeyPatch) -> None:
    stolen.publish(1)
    good = stolen.clock[0]
    stolen.publish(2)
    for name in ("put_aside", "remove"):
        target = "hashpact_node.services.recovering.put_aside" if name == "put_aside" else None
        with monkeypatch.context() as patch:
            if target:
                patch.setattr(target, _crash)
            else:
                patch.setattr(KeyPlaces, "remove", _crash)
            with pytest.raises(HashpactError, match="power"):
                stolen.recover(since=good)
    assert stolen.listed(1, 2) == [True, False]
    done = stolen.recover(since=good)
    assert (done.finished, done.logs) == (True, ())
    assert stolen.places["release"] == ("file:keys/release-2.key",)
    assert (stolen.acme.home / "keys" / "release.key.stolen").exists()
    assert not stolen.log(NEXT).final_size
    # The next theft is another matter.
    again = stolen.recover(since=stolen.clock[0])
    assert (again.finished, again.key) == (False, "file:keys/release-3.key")


def _crash(*_arguments: object) -> None:
    raise HashpactError("the power went")


def test_a_crash_before_the_card_leaves_all_as_it_was(stolen: Stolen, monkeypatch: pytest.MonkeyPatch) -> None:
    stolen.publish(1)
    good = stolen.clock[0]
    stolen.publish(2)
    with monkeypatch.context() as patch:
        patch.setattr("hashpact_node.services.recovering.sign_card", _crash)
        with pytest.raises(HashpactError, match="power"):
            stolen.recover(since=good)
    assert stolen.listed(1, 2) == [True, True]
    stolen.publish(3)  # the new key stands first, and nobody heeds it
    assert stolen.listed(3) == [True]
    done = stolen.recover(since=good)
    assert stolen.listed(1, 2, 3) == [True, False, False]
    assert done.retired == ("file:keys/release-2.key", "file:keys/release.key")
    assert stolen.places["release"] == (done.key,) == ("file:keys/release-3.key",)
