from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.awakening import ALONE, ASLEEP, VOUCHES_SECONDS, Awakening
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.awakening import known_heads, list_processes
from hashpact_node.store.peers import get_peer, record_success
from hashpact_protocol.errors import ConflictError
from hashpact_protocol.witness import origin_hash
from mirroring import Rememberer, Waker, further
from nodes import free_port
from own_member import NOW, OwnMember
from publisher import gone, login_page, says

SECONDS = 30.0


@pytest.fixture
def waker(acme: OwnMember, fetcher: Fetcher) -> Waker:
    return Waker(acme, fetcher)


@pytest.fixture
def beta(waker: Waker) -> Iterator[Rememberer]:
    """A peer that knows nothing of us yet."""
    with Rememberer() as peer:
        waker.add(peer)
        yield peer


@pytest.fixture
def lost(waker: Waker) -> Waker:
    """With a peer that does not answer."""
    waker.add_url("lost", f"http://127.0.0.1:{free_port()}")
    return waker


def alarms(waker: Waker) -> set[str]:
    with waker.own.database.read() as connection:
        return {alarm.code for alarm in list_alarms(connection)}


def asleep(process: Awakening) -> None:
    with pytest.raises(ConflictError, match="signs nothing yet"):
        process.require()


def test_without_peers_there_is_nobody_to_ask(waker: Waker) -> None:
    waker.process().require()
    assert alarms(waker) == set()


def test_nothing_is_signed_before_a_peer_has_answered(lost: Waker) -> None:
    process = lost.process()
    asleep(process)
    assert ASLEEP in alarms(lost)
    with Rememberer("gamma") as gamma:
        lost.add(gamma)
        process.require()
        assert process.unheard
    assert ASLEEP not in alarms(lost)


def test_a_process_that_serves_leaves_asking_to_its_thread(waker: Waker, beta: Rememberer) -> None:
    process = waker.process(serves=True)
    asleep(process)
    assert beta.asked == []
    assert process.look(SECONDS)
    process.require()
    assert not process.unheard


@pytest.mark.parametrize("answer", [says(b"", 500), says(b"", 403), login_page], ids=["500", "403", "a page"])
def test_what_is_no_answer_does_not_count(waker: Waker, beta: Rememberer, answer: object) -> None:
    beta.remember(waker.own, further(waker.own, 1))
    beta.alter(f"/witness/{beta.name}/checkpoint", answer)  # type: ignore[arg-type]  # one of the above
    process = waker.process()
    asleep(process)
    beta.alter(f"/witness/{beta.name}/checkpoint", gone)
    process.require()


def test_who_never_answered_this_member_need_not_know_it(waker: Waker, beta: Rememberer) -> None:
    beta.alter(f"/witness/{origin_hash(waker.own.log.origin)}/checkpoint", says(b"", 401))
    waker.process().require()
    with waker.own.database.write() as connection:
        record_success(connection, get_peer(connection, "beta").number, now=NOW, next_try_at=None)
    asleep(waker.process())


def test_a_checkpoint_that_we_never_signed_is_no_answer(waker: Waker, beta: Rememberer) -> None:
    beta.remember(waker.own, further(waker.own, 1))
    beta.log.origin = waker.own.log.origin
    beta.shows = beta.note(size=9, root=bytes(32))
    asleep(waker.process())
    with waker.own.database.read() as connection:
        assert known_heads(connection) == []


def test_what_a_peer_knows_outlives_the_process(waker: Waker, beta: Rememberer) -> None:
    beta.remember(waker.own, further(waker.own, 2))
    waker.process().require()
    with waker.own.database.read() as connection:
        (head,) = known_heads(connection)
    assert (head.size, head.member, head.note) == (2, "beta", beta.shows)
    with pytest.raises(ConflictError, match="beta holds 2 entries"):
        waker.own.releaser.release(waker.own.log.number)


def test_alone_it_signs_and_says_so(lost: Waker) -> None:
    process = lost.process(serves=True, alone=True)
    asleep(process)
    assert process.look(SECONDS)
    process.require()
    assert ALONE in alarms(lost)
    with Rememberer("gamma") as gamma:
        lost.add(gamma)
        gamma.remember(lost.own, further(lost.own, 1))
        assert lost.process(serves=True).look(SECONDS)
    assert ALONE not in alarms(lost)
    with lost.own.database.read() as connection:
        assert known_heads(connection)


def test_others_rely_on_a_process_that_is_awake(waker: Waker, beta: Rememberer) -> None:
    node = waker.process(serves=True)
    node.begin()
    asleep(waker.process(serves=True))  # it is not awake itself
    assert node.look(SECONDS)
    node.beat()
    beta.forget()
    waker.process(serves=True).require()
    assert beta.asked == []
    node.end()
    asleep(waker.process(serves=True))
    with waker.own.database.read() as connection:
        assert list_processes(connection) == []


@pytest.mark.usefixtures("beta")
def test_nobody_relies_on_yesterdays_processes(waker: Waker) -> None:
    node = waker.process(serves=True)
    node.begin()
    assert node.look(SECONDS)
    node.beat()
    waker.clock[0] += timedelta(seconds=VOUCHES_SECONDS + 1)
    asleep(waker.process(serves=True))
    node.beat()
    waker.process(serves=True).require()
    assert node._held is not None
    node._held.release()  # as if it had been killed, or the row had come with a copy
    asleep(waker.process(serves=True))


@pytest.mark.usefixtures("beta")
def test_whoever_lost_its_database_asks_anew(waker: Waker) -> None:
    node = waker.process(serves=True)
    node.begin()
    assert node.look(SECONDS)
    node.require()
    assert node._held is not None
    node._held.release()
    asleep(node)
    node.beat()
    assert node.look(SECONDS)
    node.require()
    node.end()
