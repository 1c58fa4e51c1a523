from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from follower import Follower
from hashpact_keys.trust_files import TrustFiles
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.digests import Digester
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.erasing import Erasing
from hashpact_node.services.log_files import LogFiles
from hashpact_node.services.own_cards import sign_card
from hashpact_node.services.succession import Succession
from hashpact_node.store.bundles import count_entries
from hashpact_node.store.erasures import list_erased, list_erasures
from hashpact_node.store.logs import Log, find_log
from hashpact_node.store.signals import find_signals
from hashpact_protocol.errors import GoneError
from hashpact_protocol.merge import id_text
from hashpact_protocol.tiles import TileId
from members import listing, sha256, withdrawal
from own_member import NOW, ORIGIN, OwnMember
from publisher import Publisher, Reply, says

NEXT = "acme.example/logs/listings-2"


def successions(acme: OwnMember) -> Succession:
    return Succession(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: NOW)


def erasing(follower: Follower) -> Erasing:
    return Erasing(follower.database, follower.locks, follower.fetcher, follower.now)


@pytest.fixture
def own_erasing(acme: OwnMember, fetcher: Fetcher) -> Erasing:
    return Erasing(acme.database, acme.releaser.locks, fetcher, lambda: NOW)


def publish(acme: OwnMember, *numbers: int) -> list[str]:
    return [one.id for one in acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in numbers])]


def row(acme: OwnMember, origin: str) -> Log:
    with acme.database.read() as connection:
        found = find_log(connection, origin)
    assert found is not None
    return found


def stored(acme: OwnMember, origin: str) -> bytes:
    log = row(acme, origin)
    with acme.database.read() as connection:
        reader = EntryReader(connection)
        return b"".join(reader.entry(log.number, at) for at in range(log.accepted_size))


def waiting(acme: OwnMember) -> list[str]:
    with acme.database.read() as connection:
        return [id_text(one.listing) for one in list_erasures(connection, waiting=True)]


def listed(acme: OwnMember, *numbers: int) -> list[bool]:
    keys = [sha256(number).key for number in numbers]
    with acme.database.read() as connection:
        found = find_signals(connection, keys)
    return [key in found and bool(found[key].claims) for key in keys]


def test_an_erasure_withdraws_at_once_and_waits(acme: OwnMember) -> None:
    first, _ = publish(acme, 1, 2)
    acme.publisher.withdraw(first, "law", erase=True)
    assert listed(acme, 1, 2) == [False, True]
    assert waiting(acme) == [first]
    acme.publisher.withdraw(first, "law", erase=True)
    assert waiting(acme) == [first]
    assert acme.log.accepted_size == 3, "nothing is withdrawn twice"


def test_a_fresh_successor_does_without_it_and_the_old_log_is_destroyed(acme: OwnMember, own_erasing: Erasing) -> None:
    ids = publish(acme, *range(300))
    acme.publisher.withdraw(ids[7], "law", erase=True)
    hashes = LogFiles(acme.database).tile("listings-1", TileId(0, 0, 256)).body
    root = acme.log.accepted_root
    done = successions(acme).open("listings", fresh=True)
    assert done.erased == (ids[7],)
    assert waiting(acme) == []
    assert ids[7].encode() not in stored(acme, NEXT)
    assert row(acme, ORIGIN).erased
    files = LogFiles(acme.database)
    for tile in (TileId(None, 0, 256), TileId(0, 0, 256)):
        with pytest.raises(GoneError):
            files.tile("listings-1", tile)
    assert own_erasing.destroy() == 1
    assert own_erasing.destroy() == 0
    old = row(acme, ORIGIN)
    with acme.database.read() as connection:
        assert count_entries(connection, old.number) == 0
        assert list_erased(connection)[old.number].destroyed_at == int(NOW.timestamp())
        assert b"".join(EntryReader(connection).leaf_hashes(old.number, 0, 256)) == hashes
        assert EntryReader(connection).root_at(old.number, old.accepted_size) == root, "it stays provable"
    assert all(listed(acme, *[number for number in range(300) if number != 7]))
    assert Digester(acme.database).digest().listings == 299


def test_an_erasure_that_is_asked_for_while_the_card_is_signed_waits(
    acme: OwnMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes live in the successor, so it is not said to be erased: the next successor does without it."""
    first, second, _ = publish(acme, 1, 2, 3)
    acme.publisher.withdraw(first, "law", erase=True)
    honest: Callable[..., TrustFiles] = sign_card

    def late(*arguments: object) -> TrustFiles:
        acme.publisher.withdraw(second, "law", wait=False, erase=True)
        return honest(*arguments)

    monkeypatch.setattr("hashpact_node.services.succession.sign_card", late)
    done = successions(acme).open("listings", fresh=True)
    monkeypatch.undo()
    assert done.erased == (first,)
    assert waiting(acme) == [second]
    assert second.encode() in stored(acme, NEXT)
    assert listed(acme, 1, 2, 3) == [False, False, True]
    again = successions(acme).open("listings", fresh=True)
    assert again.erased == (second,)
    assert again.opened is not None
    assert second.encode() not in stored(acme, again.opened)
    assert row(acme, NEXT).erased
    assert waiting(acme) == []


def test_a_line_that_waits_in_the_queue_is_erased_too(acme: OwnMember) -> None:
    first, _ = publish(acme, 1, 2)
    acme.lazy_publisher().publish([ListingDraft("image", (sha256(9),), id=first)], wait=False)
    acme.publisher.withdraw(first, "law", wait=False, erase=True)
    closed = successions(acme).close("listings")
    assert closed.closed == ORIGIN
    done = successions(acme).open("listings", fresh=True)
    assert done.erased == (first,)
    assert b'"kind":"listing"' in stored(acme, NEXT)
    assert first.encode() + b'","kind":"listing"' not in stored(acme, NEXT)


def test_the_last_listing_can_be_erased(acme: OwnMember, own_erasing: Erasing) -> None:
    (only,) = publish(acme, 1)
    acme.publisher.withdraw(only, "law", erase=True)
    successions(acme).open("listings", fresh=True)
    assert own_erasing.destroy() == 1
    assert listed(acme, 1) == [False]


# Readers


def erase(publisher: Publisher) -> None:
    """Let beta's first log, of 300 listings, be erased: number 7 is to disappear."""
    publisher.log.close()
    successor = publisher.add_log("listings-2")
    successor.append(*(listing(number, sha256(number)) for number in range(300) if number != 7))
    successor.fresh = 299
    publisher.log.erased = True
    for path in ("checkpoint", "tile/entries/000", "tile/0/000"):
        publisher.alter(path, says(b"erased", 410))


def follow(follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(*(listing(number, sha256(number)) for number in range(300)))
    follower.add(publisher)
    assert follower.pull(publisher) == []


def news(follower: Follower, publisher: Publisher) -> None:
    publisher.publish()
    follower.later(minutes=61)
    publisher.now = follower.clock[0]
    publisher.renew()


def held_bundles(follower: Follower, publisher: Publisher) -> int:
    with follower.database.read() as connection:
        return count_entries(connection, follower.log(publisher).number)


def test_a_reader_destroys_its_copy_once_it_holds_the_successor(follower: Follower, publisher: Publisher) -> None:
    follow(follower, publisher)
    erase(publisher)
    publisher.alter("/logs/listings-2/checkpoint", says(b"", 503))
    news(follower, publisher)
    assert follower.pull(publisher) != []
    assert erasing(follower).destroy() == 0, "a 410 or a card alone asks for nothing"
    assert held_bundles(follower, publisher) == 300
    publisher.mend()
    assert follower.pull(publisher) == []
    assert erasing(follower).destroy() == 1
    assert held_bundles(follower, publisher) == 0
    log = follower.log(publisher)
    with follower.database.read() as connection:
        root = EntryReader(connection).root_at(log.number, 300)
    assert root == publisher.log.root() == log.final_root
    publisher.forget()
    news(follower, publisher)
    assert follower.pull(publisher) == []
    assert publisher.paths() == [], "gone stays gone"
    assert erasing(follower).destroy() == 0


def test_a_reader_that_missed_the_end_of_an_erased_log_does_not_ask_for_it(
    follower: Follower, publisher: Publisher
) -> None:
    follow(follower, publisher)
    publisher.log.append(withdrawal(300, 7))
    erase(publisher)
    publisher.alter("tile/entries/001.p/45", says(b"erased", 410))
    news(follower, publisher)
    publisher.forget()
    assert follower.pull(publisher) == []
    assert publisher.paths("tile/") == []
    assert "fetch-status" not in follower.alarms()
    assert follower.log(publisher, "listings-2").held_size == 299
    assert erasing(follower).destroy() == 1


def test_what_was_hindered_by_an_erasure_is_told_no_more_once_the_card_says_so(
    follower: Follower, publisher: Publisher
) -> None:
    follow(follower, publisher)
    publisher.log.append(withdrawal(300, 7))
    publisher.publish()
    for path in ("tile/entries/001.p/45", "tile/entries/001"):
        publisher.alter(path, says(b"erased", 410))
    assert follower.pull(publisher) != []
    assert "fetch-status" in follower.alarms()
    erase(publisher)
    news(follower, publisher)
    assert follower.pull(publisher) == []
    assert "fetch-status" not in follower.alarms()


@pytest.mark.parametrize("then", ["pause", "remove"])
def test_copies_of_members_that_are_followed_no_more_go_too(
    follower: Follower, publisher: Publisher, then: str
) -> None:
    follow(follower, publisher)
    erase(publisher)
    news(follower, publisher)
    assert follower.pull(publisher) == []
    getattr(follower.peering, then)("beta")
    assert erasing(follower).destroy() == 1
    assert held_bundles(follower, publisher) == 0


def test_peers_are_asked_who_still_serves_what_is_erased(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven days after the card said so, it is an alarm."""
    acme = follower.own
    (only,) = publish(acme, 1)
    follower.add(publisher)
    acme.publisher.withdraw(only, "law", erase=True)
    successions(acme).open("listings", fresh=True)
    answers = [Reply(200, b"bytes")]
    honest = publisher.answer
    monkeypatch.setattr(publisher, "answer", lambda one: answers[0] if one.path.startswith("mirror/") else honest(one))
    one = erasing(follower)
    assert one.ask() == 1
    assert [(copy.origin, copy.member, copy.word) for copy in one.copies()] == [(ORIGIN, "beta", "still served")]
    assert "erased-still-served" not in follower.alarms()
    follower.clock[0] += timedelta(days=7)
    one.ask()
    assert "beta still serves" in follower.alarms()["erased-still-served"].what
    answers[0] = Reply(410)
    one.ask()
    assert "erased-still-served" not in follower.alarms()
    assert [copy.word for copy in one.copies()] == ["gone"]
    assert one.ask() == 0, "who has destroyed it is not asked again"


def test_an_answer_that_does_not_come_is_no_answer(
    follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = follower.own
    (only,) = publish(acme, 1)
    follower.add(publisher)
    acme.publisher.withdraw(only, "law", erase=True)
    successions(acme).open("listings", fresh=True)
    monkeypatch.setattr(publisher, "answer", lambda _one: Reply(200, b"x" * 100, {"Content-Length": "1000"}, cut=10))
    one = replace(erasing(follower))
    one.ask()
    assert [copy.word for copy in one.copies()] == ["no answer"]
