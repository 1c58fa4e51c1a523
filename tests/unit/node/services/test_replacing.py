from __future__ import annotations

import pytest

from follower import Follower
from hashpact_node.store.logs import Log
from hashpact_node.store.succession import count_cut
from hashpact_protocol.policy import Action
from hashpact_protocol.statements import WellFormed
from members import listing, sha256, withdrawal
from publisher import Asked, Publisher, ScriptedLog, gone, says

REVIEW, NONE = Action.REVIEW, Action.NONE


def listings(first: int, last: int) -> list[WellFormed]:
    return [listing(number, sha256(number)) for number in range(first, last)]


@pytest.fixture
def reader(follower: Follower, publisher: Publisher) -> Follower:
    """Acme, which holds 600 listings of beta."""
    publisher.log.append(*listings(0, 600))
    follower.add(publisher)
    assert follower.pull(publisher) == []
    publisher.forget()
    return follower


def card(follower: Follower, publisher: Publisher) -> None:
    """Let a new card be published, and the follower be about to read it."""
    publisher.publish()
    follower.later(minutes=61)
    publisher.now = follower.clock[0]
    publisher.renew()


def newcomer(follower: Follower, publisher: Publisher) -> str:
    """Give the digest of a reader that begins now, with nothing held."""
    follower.peering.remove(publisher.member)
    follower.add(publisher)
    assert follower.pull(publisher) == []
    return follower.digest()


def ends_alike(follower: Follower, publisher: Publisher) -> None:
    digest = follower.digest()
    assert digest == newcomer(follower, publisher)


def listed(follower: Follower, *numbers: int) -> list[bool]:
    return [follower.action(sha256(number)) is not NONE for number in numbers]


def cut(follower: Follower, log: Log) -> int:
    with follower.database.read() as connection:
        return count_cut(connection, log.number)


def test_a_cut_without_a_successor_is_taken_up_at_once(reader: Follower, publisher: Publisher) -> None:
    publisher.log.close(300)
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 0, 299, 300, 599) == [True, True, False, False]
    log = reader.log(publisher)
    assert (log.held_size, log.accepted_size) == (300, 300)
    assert reader.held(publisher) == 300
    assert cut(reader, log) == 2
    assert publisher.paths() == [], "what is held is not read again"
    ends_alike(reader, publisher)


def test_cut_and_successor_are_taken_up_in_one(reader: Follower, publisher: Publisher) -> None:
    """What was void is published again in the successor; nobody who asks meanwhile misses it."""
    publisher.log.close(300)
    successor = publisher.add_log("listings-2")
    successor.append(*listings(300, 601), withdrawal(2_000, 5))
    seen: list[list[bool]] = []
    during: dict[str, None] = {}

    def look(_: Asked) -> None:
        seen.append(listed(reader, 0, 299, 300, 599))
        during.setdefault(reader.digest())

    publisher.before = look
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert seen
    assert all(all(one) for one in seen)
    assert len(during) <= 3, "before the card, with the successor's name in it, and after"
    assert listed(reader, 0, 5, 299, 300, 599, 600) == [True, False, True, True, True, True]
    publisher.before = lambda _: None
    ends_alike(reader, publisher)


@pytest.mark.parametrize("answer", [gone, says(b"", 503)])
def test_an_unreachable_successor_is_waited_for_15_minutes(
    reader: Follower, publisher: Publisher, answer: object
) -> None:
    publisher.log.close(300)
    publisher.add_log("listings-2").append(*listings(700, 710))
    publisher.alter("/logs/listings-2/checkpoint", answer)  # type: ignore[arg-type]  # one of the two
    card(reader, publisher)
    assert reader.pull(publisher) != []
    assert listed(reader, 0, 300, 599) == [True, True, True]
    reader.later(minutes=14)
    assert reader.pull(publisher) != []
    assert listed(reader, 0, 300, 599) == [True, True, True]
    reader.later(minutes=2)
    reader.pull(publisher)
    assert listed(reader, 0, 299, 300, 599) == [True, True, False, False]
    publisher.mend()
    assert reader.pull(publisher) == []
    assert listed(reader, 299, 300, 700) == [True, False, True]
    ends_alike(reader, publisher)


def test_another_story_is_fetched_from_where_it_differs(reader: Follower, publisher: Publisher) -> None:
    told = list(publisher.log.entries)
    publisher.log.tell([*told[:400], *told[500:]])
    publisher.log.close()
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 0, 399, 400, 499, 500, 599) == [True, True, False, False, True, True]
    bundles = publisher.paths("tile/entries/")
    assert bundles == ["logs/listings-1/tile/entries/001.p/244"]
    ends_alike(reader, publisher)


def test_another_story_that_goes_further_than_what_is_held(reader: Follower, publisher: Publisher) -> None:
    told = list(publisher.log.entries)
    publisher.log.tell(told[:300])
    publisher.log.append(*listings(1_000, 1_900))
    publisher.log.close()
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 299, 300, 599, 1_000, 1_899) == [True, False, False, True, True]
    ends_alike(reader, publisher)


def test_another_story_that_cannot_be_had_is_no_reason_to_lose_the_list(reader: Follower, publisher: Publisher) -> None:
    publisher.log.close(500, root=bytes(32))
    for path in ("tile/0/001.p/244", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/244"):
        publisher.alter(path, lambda honest: honest)
    card(reader, publisher)
    assert reader.pull(publisher) != []
    reader.later(days=3)
    publisher.now = reader.clock[0]
    publisher.renew()
    assert reader.pull(publisher) != []
    assert listed(reader, 0, 599) == [True, True]
    assert "entries-mismatch" in reader.alarms()


def test_a_final_that_is_moved_back_and_forth(reader: Follower, publisher: Publisher) -> None:
    for size, expected in ((300, [True, False, False]), (550, [True, True, False]), (200, [False, False, False])):
        publisher.log.close(size)
        card(reader, publisher)
        assert reader.pull(publisher) == []
        assert listed(reader, 299, 300, 599) == expected
    assert "log-final-changed" in reader.alarms()
    publisher.log.final = None
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 299, 300, 599) == [True, True, True]
    ends_alike(reader, publisher)


def test_a_log_that_ended_in_another_story_and_is_open_again(reader: Follower, publisher: Publisher) -> None:
    told = list(publisher.log.entries)
    publisher.log.tell([*told[:400], *told[500:]])
    publisher.log.close()
    card(reader, publisher)
    assert reader.pull(publisher) == []
    publisher.log.tell(told)
    publisher.log.final = None
    card(reader, publisher)
    reader.pull(publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 399, 400, 599) == [True, True, True]
    ends_alike(reader, publisher)


def fresh(publisher: Publisher, slug: str, *statements: WellFormed) -> ScriptedLog:
    log = publisher.add_log(slug)
    log.append(*statements)
    log.fresh = len(statements)
    return log


def test_a_cut_with_a_fresh_successor(reader: Follower, publisher: Publisher) -> None:
    """It leaves one out, adds one and alters one: what it says counts."""
    publisher.log.close(500)
    altered = listing(7, sha256(77))
    fresh(publisher, "listings-2", *listings(0, 7), altered, *listings(8, 499), *listings(900, 901))
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 0, 7, 77, 498, 499, 500, 900) == [True, False, True, True, False, False, True]
    assert reader.log(publisher).held_size == 0
    ends_alike(reader, publisher)


def test_a_reader_that_was_offline_through_two_successions(reader: Follower, publisher: Publisher) -> None:
    publisher.log.close(500)
    second = fresh(publisher, "listings-2", *listings(0, 400))
    publisher.publish()
    second.append(*listings(1_000, 1_010), withdrawal(2_000, 3))
    second.close(405)
    publisher.add_log("listings-3").append(*listings(1_100, 1_110), withdrawal(2_001, 4), listing(0, sha256(8_000)))
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 0, 3, 4, 399, 400, 1_004, 1_005, 1_100, 8_000) == [
        False,
        True,
        False,
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    ends_alike(reader, publisher)


def test_a_cut_of_a_log_whose_successor_is_held(reader: Follower, publisher: Publisher) -> None:
    """The successor withdraws and restates what is cut; what follows of that is derived anew."""
    publisher.log.close()
    publisher.add_log("listings-2").append(listing(10, sha256(8_000)), withdrawal(2_000, 11), listing(590, sha256(9)))
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 10, 11, 590, 8_000) == [False, False, False, True]
    publisher.log.close(300)
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 10, 11, 12, 300, 590, 8_000) == [False, False, True, False, False, True]
    ends_alike(reader, publisher)


def test_a_dropped_log_gives_way_to_what_stood_before(reader: Follower, publisher: Publisher) -> None:
    publisher.log.close()
    successor = publisher.add_log("listings-2")
    successor.append(listing(10, sha256(8_000)), withdrawal(2_000, 11))
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 10, 11, 8_000) == [False, False, True]
    publisher.logs.remove(successor)
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 10, 11, 8_000) == [True, True, False]
    assert "log-dropped" in reader.alarms()
    ends_alike(reader, publisher)


def test_an_earlier_log_that_counts_again(reader: Follower, publisher: Publisher) -> None:
    publisher.log.close()
    successor = fresh(publisher, "listings-2", listing(10, sha256(8_000)), withdrawal(2_000, 11))
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 9, 10, 11, 8_000) == [False, False, False, True]
    successor.fresh = None
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 9, 10, 11, 8_000) == [True, False, False, True]
    ends_alike(reader, publisher)


def test_an_id_of_another_kind_counts_once_its_owner_is_replaced(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(withdrawal(5_000, 1))
    assert reader.pull(publisher) == []
    publisher.log.close()
    fresh(publisher, "listings-2", listing(0, sha256(0)), listing(5_000, sha256(5_000)))
    card(reader, publisher)
    assert reader.pull(publisher) == []
    assert listed(reader, 0, 1, 5_000) == [True, False, True]
    ends_alike(reader, publisher)
