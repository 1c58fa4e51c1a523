from __future__ import annotations

from collections.abc import Iterator

import pytest

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.own_heads import BEHIND, FORKED
from hashpact_node.services.restoring import OwnEntries
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.awakening import known_heads
from hashpact_node.store.bundles import count_entries
from hashpact_node.store.owners import live_listings
from hashpact_node.store.queue import add_entries
from hashpact_node.store.queue import count_entries as count_queued
from hashpact_protocol.errors import ConflictError, EntriesError, HashpactError, StoreFullError
from members import sha256
from mirroring import Rememberer, Waker, further
from own_member import NOW, OwnMember
from publisher import flipped, gone

HELD, MORE = 300, 700


@pytest.fixture
def waker(acme: OwnMember, fetcher: Fetcher) -> Waker:
    """A member whose database holds 300 entries."""
    acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(HELD)])
    return Waker(acme, fetcher)


@pytest.fixture
def beta(waker: Waker) -> Iterator[Rememberer]:
    """A peer that holds 1 000, all signed by us."""
    with Rememberer() as peer:
        waker.add(peer)
        peer.remember(waker.own, further(waker.own, MORE))
        yield peer


def restore(waker: Waker) -> int:
    waker.process().require()
    return waker.restorer().restore(waker.own.log.number)


def stored(waker: Waker) -> int:
    with waker.own.database.read() as connection:
        return count_entries(connection, waker.own.log.number)


def alarms(waker: Waker) -> set[str]:
    with waker.own.database.read() as connection:
        return {alarm.code for alarm in list_alarms(connection)}


def test_own_entries_are_read_back_and_the_log_goes_on(waker: Waker, beta: Rememberer) -> None:
    own = waker.own
    assert restore(waker) == HELD + MORE
    assert beta.remembered is not None
    log = own.log
    assert (log.accepted_size, log.accepted_root) == (HELD + MORE, beta.remembered.root())
    assert log.accepted_note == beta.shows
    assert not {BEHIND, FORKED} & alarms(waker)
    own.publisher.publish([ListingDraft("image", (sha256(5_000),))])
    log = own.log
    assert log.accepted_size == log.held_size == HELD + MORE + 1
    with own.database.read() as connection:
        assert len(live_listings(connection, log.number, sequence=log.sequence)) == HELD + MORE + 1
    entries = further(own, 0)
    assert entries[: HELD + MORE] == beta.remembered.entries


def test_what_waits_and_stands_in_the_log_waits_no_more(waker: Waker, beta: Rememberer) -> None:
    own = waker.own
    assert beta.remembered is not None
    waiting = [beta.remembered.entries[HELD + 3], b'{"kind":"another"}']
    with own.database.write() as connection:
        add_entries(connection, own.log.number, waiting, now=NOW)
    restore(waker)
    with own.database.read() as connection:
        assert count_queued(connection, own.log.number) == 1


def test_a_release_that_was_pending_is_part_of_what_was_signed(waker: Waker, beta: Rememberer) -> None:
    own = waker.own
    own.publisher.publish([ListingDraft("image", (sha256(7_000),))], wait=False)
    assert own.releaser._place(own.log.number)
    beta.remember(own, further(own, MORE))
    assert restore(waker) == HELD + 1 + MORE
    assert (own.log.pending_size, own.log.accepted_size) == (None, HELD + 1 + MORE)


@pytest.mark.usefixtures("beta")
def test_a_release_that_was_pending_and_never_signed_so_is_another_story(waker: Waker) -> None:
    own = waker.own
    own.publisher.publish([ListingDraft("image", (sha256(7_000),))], wait=False)
    assert own.releaser._place(own.log.number)
    with pytest.raises(ConflictError, match="do not continue"):
        restore(waker)
    assert FORKED in alarms(waker)
    assert own.log.pending_size == HELD + 1
    with pytest.raises(ConflictError):
        own.releaser.release(own.log.number)


@pytest.mark.parametrize("path", ["tile/entries/001", "tile/entries/002", "tile/1/000.p/3"])
def test_a_lying_mirror_gives_nothing_and_the_next_one_all(waker: Waker, beta: Rememberer, path: str) -> None:
    beta.remember(waker.own, further(waker.own, 5_000))  # so many that they are proven by tiles
    beta.alter(f"/mirror/{beta.name}/{path}", flipped)
    if path.startswith("tile/1"):
        beta.alter(f"/mirror/{beta.name}/tile/entries/002", flipped)
    with pytest.raises(HashpactError):
        restore(waker)
    assert stored(waker) == waker.own.log.placed_size < HELD + 5_000
    assert waker.own.log.accepted_size == HELD
    assert BEHIND in alarms(waker)
    with Rememberer("gamma") as gamma:
        waker.add(gamma)
        assert beta.remembered is not None
        gamma.remember(waker.own, beta.remembered.entries)
        assert restore(waker) == HELD + 5_000
    assert BEHIND not in alarms(waker)


def test_a_few_false_entries_are_not_stored_either(waker: Waker, beta: Rememberer) -> None:
    beta.alter(f"/mirror/{beta.name}/tile/entries/003.p/232", flipped)
    with pytest.raises(EntriesError):
        restore(waker)
    assert stored(waker) == HELD


def test_a_mirror_that_has_nothing_leaves_the_log_unsigned(waker: Waker, beta: Rememberer) -> None:
    beta.alter(f"/mirror/{beta.name}/tile/entries/001", gone)
    with pytest.raises(HashpactError):
        restore(waker)
    with pytest.raises(ConflictError, match="beta holds 1000 entries"):
        waker.own.releaser.release(waker.own.log.number)


def test_two_stories_are_told_apart(waker: Waker, beta: Rememberer) -> None:
    other = further(waker.own, 0)[:10] + further(waker.own, MORE, first=50_000)[HELD:]
    beta.remember(waker.own, other)
    with pytest.raises(ConflictError, match="do not continue"):
        restore(waker)
    assert FORKED in alarms(waker)
    assert stored(waker) == HELD
    with waker.own.database.read() as connection:
        assert known_heads(connection)


def test_it_goes_on_where_it_was_killed(waker: Waker, beta: Rememberer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashpact_node.services.catch_up.ENTRIES_ALONE", 300)
    for module in ("catch_up", "prefetch"):
        monkeypatch.setattr(f"hashpact_node.services.{module}.BATCH_BUNDLES", 4)
    beta.remember(waker.own, further(waker.own, 3_000))  # more than one batch
    absorb = OwnEntries.absorb

    def once(self: OwnEntries, *args: object, **kwargs: object) -> None:
        absorb(self, *args, **kwargs)  # type: ignore[arg-type]  # passed on as they are
        raise StoreFullError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(OwnEntries, "absorb", once)
        with pytest.raises(StoreFullError):
            restore(waker)
    placed = waker.own.log.placed_size
    assert HELD < placed == stored(waker) < HELD + 3_000
    with pytest.raises(ConflictError, match="beta holds"):
        waker.own.releaser.release(waker.own.log.number)
    beta.forget()
    assert restore(waker) == HELD + 3_000
    bundles = {path.partition("tile/entries/")[2][:3] for path in beta.paths("/mirror") if "tile/entries/" in path}
    assert min(bundles) == f"{placed // 256:03}", "it went on from there"


@pytest.mark.usefixtures("beta")
def test_it_is_shown_again_after_a_crash_before_the_end(waker: Waker, monkeypatch: pytest.MonkeyPatch) -> None:
    restorer = waker.restorer()
    waker.process().require()
    with monkeypatch.context() as patched:
        patched.setattr(type(restorer), "_finish", lambda *_: None)
        restorer.restore(waker.own.log.number)
    assert waker.own.log.accepted_size == HELD
    assert restore(waker) == HELD + MORE
    assert waker.own.log.accepted_size == HELD + MORE
