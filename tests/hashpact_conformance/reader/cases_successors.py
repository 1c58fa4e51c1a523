"""Rows 25 to 27: logs that are closed, cut, followed by others, reopened and erased."""

from __future__ import annotations

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.keys import Key
from hashpact_conformance.simulator.log import SimLog
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.replies import gone, status
from hashpact_conformance.simulator.statements import listing, signal, withdrawal
from hashpact_conformance.simulator.world import World

SEQUENCES = "Card, Sequences"


def succeed(member: Member, *entries: bytes, fresh: int | None = None, slug: str = "listings-2") -> SimLog:
    """Open a successor of the member's first log; ``fresh`` restates so many."""
    log = member.add_log(slug, fresh=fresh)
    log.append(*entries)
    return log


def _numbers(world: World) -> set[int]:
    return world.claims(*range(1, 8), *range(500, 520))


@case(
    Layer.LOG, "a log that is closed where it stands counts on, and its successor counts too", f"{SEQUENCES}; attack 25"
)
def test_closed_and_followed(world: World) -> None:
    member = world.subject
    member.log.close()
    succeed(member, listing(501))
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2, 3, 4, 5, 501}


@case(
    Layer.LOG, "a fresh successor that is held replaces what was before it, whatever it says", f"{SEQUENCES}; attack 25"
)
def test_fresh_successor(world: World) -> None:
    member = world.subject
    member.log.close()
    succeed(member, listing(1), listing(3, signal(503)), listing(501), fresh=3)
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 503, 501}, "the successor left out 2, 4 and 5, changed 3 and added 501"


@case(Layer.LOG, "until its first n are held, a fresh successor replaces nothing", f"{SEQUENCES}; attack 25")
def test_fresh_successor_in_part(world: World) -> None:
    member = world.subject
    member.log.close()
    log = succeed(member, listing(1), fresh=2)
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2, 3, 4, 5}
    log.append(listing(502))
    world.pull()
    assert _numbers(world) == {1, 502}


@case(Layer.LOG, "what lies beyond `final` never happened: cut at {size}", f"{SEQUENCES}; attack 25")
@pytest.mark.parametrize("size", [0, 1, 3, 4])
def test_cut(world: World, size: int) -> None:
    member = world.subject
    member.log.close(size)
    succeed(member, listing(501))
    member.publish()
    world.pull()
    assert _numbers(world) == {*range(1, size + 1), 501}


@case(Layer.LOG, "a cut below what is held, with another story there, is read anew", f"{SEQUENCES}; attack 25")
def test_cut_at_another_root(world: World) -> None:
    member = world.subject
    member.log.tell([listing(1), listing(2), listing(503), listing(504)])
    member.log.close()
    succeed(member, listing(501))
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2, 503, 504, 501}


@case(Layer.LOG, "a cut to a root that cannot be read: the list stays, with an alarm", f"{SEQUENCES}; attack 25")
@pytest.mark.parametrize("name", ["nobody-has-it", "gone", "500"])
def test_cut_that_cannot_be_read(world: World, name: str) -> None:
    member = world.subject
    honest = list(member.log.entries)
    if name != "nobody-has-it":
        member.log.tell([listing(1), listing(2), listing(503)])
        member.alter("tile/*", gone if name == "gone" else status(500))
    member.log.close(3, bytes(32) if name == "nobody-has-it" else None)
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2, 3, 4, 5}
    assert world.export().alarmed("beta")
    member.mend()
    member.log.tell(honest)
    member.log.final = None
    member.publish()
    world.recovers()


@case(Layer.LOG, "a `final` beyond what is held is read up to there", f"{SEQUENCES}; attack 25")
def test_final_beyond(world: World) -> None:
    member = world.subject
    member.log.append(listing(6), listing(7))
    member.log.close()
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2, 3, 4, 5, 6, 7}


@case(
    Layer.LOG,
    "`final` that moves back and forth: what counts is a function of the newest card",
    f"{SEQUENCES}; attack 25",
)
def test_final_moves(world: World) -> None:
    member = world.subject
    for size in (3, 5, 2, 4):
        member.log.close(size)
        member.publish()
        world.pull()
        assert _numbers(world) == set(range(1, size + 1))
    assert world.export().alarmed("beta"), "`final` of a closed log has moved, and nobody is told"


@case(Layer.LOG, "a closed log that is opened again applies, and is an alarm", f"{SEQUENCES}; attack 25")
def test_reopened(world: World) -> None:
    member = world.subject
    member.log.close(3)
    member.publish()
    world.pull()
    member.log.final = None
    member.log.append(listing(501))
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2, 3, 4, 5, 501}
    assert world.export().alarmed("beta")


@case(Layer.LOG, "a log that the card names no more stops counting at once, with an alarm", f"{SEQUENCES}; attack 25")
def test_dropped(world: World) -> None:
    member = world.subject
    other = member.add_log("crisis-1", name="crisis", kind="crisis")
    other.append(listing(501))
    member.publish()
    world.pull()
    member.logs.remove(other)
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2, 3, 4, 5}
    assert world.export().alarmed("beta")


@case(Layer.LOG, "a reader that missed two successions ends where one ends that saw each", f"{SEQUENCES}; attack 26")
@pytest.mark.parametrize("how", ["each", "last-alone"])
def test_two_successions(world: World, how: str) -> None:
    member = world.subject

    def first() -> None:
        member.log.close(4)
        succeed(member, listing(1), listing(2), listing(501), fresh=3)

    def second() -> None:
        member.logs[1].append(withdrawal(510, 1))
        member.logs[1].close()
        succeed(member, listing(2), listing(501), listing(502), fresh=2, slug="listings-3")

    for step in (first, second):
        step()
        member.publish()
        if how == "each":
            world.pull()
    world.pull()
    assert _numbers(world) == {2, 501, 502}


@case(Layer.LOG, "a newcomer reads the last fresh log and none before it", f"{SEQUENCES}; attack 26")
def test_newcomer_starts_fresh(newcomer: World) -> None:
    member = newcomer.subject
    member.log.close()
    succeed(member, listing(1), listing(501), fresh=2)
    member.publish()
    assert not newcomer.follow(member).refused
    newcomer.pull()
    assert _numbers(newcomer) == {1, 501}
    assert not newcomer.asked(beginning=f"{member.log.path}/tile"), "what counts no more was read"


@case(Layer.LOG, "a withdrawal in a successor reaches a listing of the closed log", "Merge, 3; attack 26")
def test_withdrawal_into_a_closed_log(world: World) -> None:
    member = world.subject
    member.log.close()
    succeed(member, withdrawal(510, 2), listing(501))
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 3, 4, 5, 501}


@case(Layer.LOG, "a listing in a successor restates one of the closed log", "Merge, 2; attack 26")
def test_restated_in_a_successor(world: World) -> None:
    member = world.subject
    member.log.close()
    succeed(member, listing(2, signal(502)))
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 3, 4, 5, 502}


@case(Layer.LOG, "a cut whose successor cannot be reached waits: no lookup sees the gap", f"{SEQUENCES}; attack 26")
@pytest.mark.parametrize("code", [403, 500, 503])
def test_unreachable_successor(world: World, code: int) -> None:
    member = world.subject
    member.log.close(2)
    log = succeed(member, listing(3), listing(4), listing(5), listing(501))
    member.alter(f"/{log.path}/*", status(code))
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2, 3, 4, 5}, "the cut was taken up before its successor was there"
    member.mend()
    world.pull()
    assert _numbers(world) == {1, 2, 3, 4, 5, 501}


@case(Layer.LOG, "a cut waits for its successor for 15 minutes and no longer", f"{SEQUENCES}; attack 26")
def test_unreachable_for_long(world: World) -> None:
    member = world.subject
    member.log.close(2)
    log = succeed(member, listing(3), listing(501))
    member.alter(f"/{log.path}/*", status(500))
    member.publish()
    world.pull()
    world.later(minutes=20)
    world.pull()
    assert _numbers(world) == {1, 2}


@case(Layer.LOG, "a cut without a successor in the card is taken up alone", f"{SEQUENCES}; attack 26")
def test_cut_alone(world: World) -> None:
    member = world.subject
    member.log.close(2)
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2}


@case(
    Layer.LOG,
    "the key of a successor is its own: one that signs with the old log's key is refused",
    "Card, Logs; attack 25",
)
def test_successor_signed_by_a_stranger(world: World) -> None:
    member = world.subject
    member.log.close()
    log = succeed(member, listing(501))
    member.publish()
    text = log.text()
    member.show(member.note(log, lines=[log.sign(text, Key())]), log)
    world.refused()
    member.mend()
    world.pull()
    assert 501 in _numbers(world)


@case(Layer.LOG, "a log is erased only once its successor is held, and what it said is gone", f"{SEQUENCES}; attack 27")
def test_erased(world: World) -> None:
    member = world.subject
    member.log.close()
    succeed(member, *(listing(number) for number in (1, 2, 3, 5)), listing(501), fresh=4)
    member.log.erased = True
    member.publish()
    world.pull()
    assert _numbers(world) == {1, 2, 3, 5, 501}
    world.pull()
    assert _numbers(world) == {1, 2, 3, 5, 501}


@case(Layer.LOG, "410 alone erases nothing", f"{SEQUENCES}; attack 27")
@pytest.mark.parametrize("code", [404, 410])
def test_gone_alone(world: World, code: int) -> None:
    member = world.subject
    member.alter("*", status(code))
    world.refused()
    world.recovers()


@case(Layer.LOG, "an erased log that is still served is not read again", f"{SEQUENCES}; attack 27")
def test_erased_and_still_served(world: World) -> None:
    member = world.subject
    member.log.close()
    succeed(member, listing(1), listing(501), fresh=2)
    member.log.erased = True
    member.publish()
    world.pull()
    member.alter("tile/*", lambda honest: honest)
    world.forget()
    world.pull()
    assert _numbers(world) == {1, 501}
    assert not world.asked(beginning=f"{member.log.path}/tile"), "what is gone was read again"


@case(Layer.LOG, "a newcomer finds the log before a fresh successor gone, and reads on", f"{SEQUENCES}; attack 27")
def test_newcomer_after_erasure(newcomer: World) -> None:
    member = newcomer.subject
    member.log.close()
    succeed(member, listing(1), listing(501), fresh=2)
    member.log.erased = True
    member.publish()
    assert not newcomer.follow(member).refused
    assert not newcomer.pull().refused
    assert _numbers(newcomer) == {1, 501}
