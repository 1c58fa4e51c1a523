"""Rows 16 to 21 and 24: logs that shrink, fork, or serve what does not hash to what they signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.log import SimLog
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.replies import Alter, Reply, body, flipped, gone, says, status
from hashpact_conformance.simulator.statements import listing
from hashpact_conformance.simulator.world import World
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.tiles import bundle_path, decode_bundle, encode_bundle

GROWING = "Growing"
NEW = 500


def grown(world: World, *, by: int = 1) -> Member:
    """Let the subject list some more."""
    world.subject.log.append(*(listing(NEW + number) for number in range(by)))
    return world.subject


def filled(world: World, size: int) -> Member:
    """Let the reader hold ``size`` entries of the subject."""
    log = world.subject.log
    log.append(*(listing(10_000 + number) for number in range(size - log.size)))
    world.accepted(10_000)
    return world.subject


# Rows 16, 17, 24: another story.


def _other_story(entries: list[bytes], at: int) -> list[bytes]:
    """Change one entry."""
    return [*entries[:at], listing(4_000 + at), *entries[at + 1 :]]


@case(
    Layer.LOG,
    "a smaller checkpoint with the reader's own root there is an old answer, and changes nothing",
    "Judging a checkpoint; attack 16",
)
@pytest.mark.parametrize("size", [0, 1, 4])
def test_old_answer(world: World, size: int) -> None:
    world.subject.log.shown = size
    world.refused(told=False)
    world.subject.log.shown = None
    world.recovers()


@case(Layer.LOG, "an old answer that lasts is an alarm", "Judging a checkpoint; attack 16")
def test_old_answer_that_lasts(world: World) -> None:
    world.subject.log.shown = 3
    world.pull()
    before = world.export().alarms
    world.later(hours=7)
    world.pull()
    assert world.export().alarms - before, "seven hours of old answers, and nobody is told"
    assert world.claims(1, 2, 3, 4, 5) == {1, 2, 3, 4, 5}
    world.subject.log.shown = None
    world.recovers()


@case(Layer.LOG, "a smaller checkpoint with another root is a fork: an alarm, and the list stays", "Forks; attack 16")
@pytest.mark.parametrize("size", [1, 3, 4])
def test_smaller_with_another_root(world: World, size: int) -> None:
    honest = list(world.subject.log.entries)
    world.subject.log.tell(_other_story(honest, 0)[:size])
    world.refused()
    assert world.export().alarmed("beta"), "no alarm stays"
    world.subject.log.tell(honest)
    world.recovers()


@case(Layer.LOG, "a log that begins anew at nothing is refused", "Forks; attack 16")
def test_emptied(world: World) -> None:
    honest = list(world.subject.log.entries)
    world.subject.log.tell([])
    world.refused(told=False)
    world.subject.log.tell(honest)
    world.recovers()


@case(Layer.LOG, "the accepted size with another root is a fork: an alarm that stays", "Forks; attack 17")
@pytest.mark.parametrize("at", [0, 2, 4])
def test_same_size_other_root(world: World, at: int) -> None:
    honest = list(world.subject.log.entries)
    world.subject.log.tell(_other_story(honest, at))
    world.refused()
    alarms = world.export().alarmed("beta")
    assert alarms
    world.subject.log.tell(honest)
    world.recovers()
    assert world.export().alarmed("beta") & alarms, "the alarm about two stories went away by itself"


@case(
    Layer.LOG,
    "a larger checkpoint that does not continue what is held is a fork: {size} more entries",
    "Forks; attack 17",
)
@pytest.mark.parametrize("size", [1, 2, 300])
@pytest.mark.parametrize("at", [0, 4])
def test_larger_inconsistent(world: World, size: int, at: int) -> None:
    honest = list(world.subject.log.entries)
    world.subject.log.tell([*_other_story(honest, at), *(listing(NEW + number) for number in range(size))])
    world.refused()
    assert world.export().alarmed("beta")
    world.subject.log.tell(honest)
    world.recovers()


@case(Layer.LOG, "a fork behind full bundles is found: another entry at {at} of 600", "Forks; attack 17")
@pytest.mark.parametrize("at", [0, 255, 256, 599])
def test_fork_behind_bundles(world: World, at: int) -> None:
    member = filled(world, 600)
    honest = list(member.log.entries)
    member.log.tell([*_other_story(honest, at), listing(NEW)])
    world.refused()
    assert world.export().alarmed("beta")
    member.log.tell(honest)
    world.recovers()


@case(Layer.LOG, "two stories told by turns: the first stays, and the second is an alarm", "Forks; attack 24")
def test_two_stories_by_turns(world: World) -> None:
    honest = list(world.subject.log.entries)
    other = _other_story(honest, 2)
    for number in range(2):
        world.subject.log.tell([*other, *(listing(600 + n) for n in range(number + 1))])
        world.refused()
        honest.append(listing(NEW + number))
        world.subject.log.tell(honest)
        world.pull()
        assert world.claims(NEW + number)
    assert world.export().alarmed("beta")
    assert not world.claims(600, 601)


# Row 18 and 20: what does not hash to the root.


def _entries(change: Callable[[list[bytes]], list[bytes]]) -> Alter:
    """Change the entries of a bundle."""

    def alter(honest: Reply) -> Reply:
        width = _count(honest.body)
        return replace(honest, body=encode_bundle(change(decode_bundle(honest.body, width))))

    return alter


def _count(data: bytes) -> int:
    count = at = 0
    while at < len(data):
        at += 2 + int.from_bytes(data[at : at + 2], "big")
        count += 1
    return count


BUNDLES: dict[str, Alter] = {
    "last-bit": body(flipped),
    "another-entry": _entries(lambda entries: [*entries[:-1], listing(4_444)]),
    "first-entry-changed": _entries(lambda entries: [listing(4_444), *entries[1:]]),
    "two-swapped": _entries(lambda entries: [*entries[:-2], entries[-1], entries[-2]]),
    "one-less": _entries(lambda entries: entries[:-1]),
    "one-more": _entries(lambda entries: [*entries, listing(4_444)]),
    "one-twice": _entries(lambda entries: [*entries[:-1], entries[0]]),
    "empty-entry": _entries(lambda entries: [*entries[:-1], b""]),
    "cut-in-an-entry": body(lambda data: data[:-3]),
    "cut-in-a-length": body(lambda data: data + b"\x00"),
    "trailing-bytes": body(lambda data: data + b"\x00\x00"),
    "empty": says(b""),
    "nothing-but-lengths": says(bytes(2 * 256)),
    "html": says(b"<!DOCTYPE html><html></html>"),
}


@case(
    Layer.LOG,
    "a bundle that is not what was signed is refused, and nothing of it applied: {name}",
    f"{GROWING}; attack 18",
)
@pytest.mark.parametrize("name", BUNDLES)
def test_partial_bundle(world: World, name: str) -> None:
    member = grown(world)
    member.alter(bundle_path(0, 6), BUNDLES[name])
    world.refused()
    world.recovers(NEW)


@case(Layer.LOG, "a full bundle that is not what was signed is refused: {name}", f"{GROWING}; attack 18")
@pytest.mark.parametrize("name", ["last-bit", "another-entry", "one-less", "one-more"])
@pytest.mark.parametrize("number", [0, 1])
def test_full_bundle(world: World, number: int, name: str) -> None:
    member = grown(world, by=600)
    member.alter(bundle_path(number), BUNDLES[name])
    world.refused()
    world.recovers(NEW, NEW + 599)


TILES: dict[str, Alter] = {
    "last-bit": body(flipped),
    "empty": says(b""),
    "too-short": body(lambda data: data[:-32]),
    "too-long": body(lambda data: data + bytes(32)),
    "zeros": body(lambda data: bytes(len(data))),
    "gone": gone,
    "500": status(500),
    "html": says(b"<!DOCTYPE html><html></html>"),
}
LONG = 5_000
"""So many entries that a reader may prove their root by tiles before it reads them."""


@case(Layer.LOG, "wrong tiles of level {level} prove nothing; right entries do: {name}", f"{GROWING}; attack 20")
@pytest.mark.parametrize("name", ["last-bit", "gone", "too-short"])
@pytest.mark.parametrize("level", [0, 1])
def test_wrong_tiles(world: World, level: int, name: str) -> None:
    member = grown(world, by=LONG)
    member.alter(f"tile/{level}/*", TILES[name])
    world.pull()
    assert world.claims(NEW, NEW + LONG - 1) == {NEW, NEW + LONG - 1}


@case(Layer.LOG, "right tiles and wrong entries: nothing unverified is applied", f"{GROWING}; attack 20")
@pytest.mark.parametrize("number", [3, 15])
def test_right_tiles_wrong_entries(world: World, number: int) -> None:
    member = grown(world, by=LONG)
    member.alter(bundle_path(number), BUNDLES["another-entry"])
    answer = world.pull()
    held = world.export()
    assert answer.code or held.alarmed("beta")
    assert not world.claims(4_444), "an entry was applied that nobody signed"
    size = held.logs[member.log.origin].held_size
    assert size <= number * 256 or size == 5, f"{size} entries are held, and bundle {number} was wrong"
    world.recovers(NEW, NEW + LONG - 1)


@case(
    Layer.LOG, "tiles and entries that agree with each other and not with the root are refused", f"{GROWING}; attack 20"
)
def test_tiles_and_entries_of_another_tree(world: World) -> None:
    member = grown(world, by=LONG)
    honest = list(member.log.entries)
    note = member.note()
    member.log.tell(_other_story(honest, 700))
    member.show(note)
    world.refused()
    member.log.tell(honest)
    world.recovers(NEW)


@case(Layer.LOG, "a root that nothing hashes to is refused: {name}", f"{GROWING}; attack 20")
@pytest.mark.parametrize("name", ["zeros", "empty", "of-half"])
def test_root_of_nothing(world: World, name: str) -> None:
    member = grown(world, by=3)
    roots = {"zeros": bytes(32), "empty": EMPTY_ROOT, "of-half": member.log.root(6)}
    member.show(member.note(text=member.log.text(root=roots[name])))
    world.refused()
    world.recovers(NEW)


# Row 19: what was deleted.


@case(Layer.LOG, "a full bundle stands in for a partial one that is gone: {code}", f"{GROWING}; attack 19")
@pytest.mark.parametrize("code", [404, 410])
def test_partial_is_gone(world: World, code: int) -> None:
    member = grown(world)
    note = member.note()
    log = member.log
    log.append(*(listing(8_000 + number) for number in range(300)))
    member.show(note)
    member.alter(bundle_path(0, 6), status(code))
    world.accepted(NEW)
    assert not world.claims(8_000), "entries beyond the checkpoint were taken from the full bundle"


@case(Layer.LOG, "{code} in the middle of a log: nothing is lost, and it goes on later", f"{GROWING}; attack 19")
@pytest.mark.parametrize("code", [404, 410, 500])
def test_gone_in_the_middle(world: World, code: int) -> None:
    member = grown(world, by=600)
    member.alter(bundle_path(1), status(code))
    world.refused()
    world.recovers(NEW, NEW + 599)


@case(Layer.LOG, "both the partial and the full bundle are gone: nothing is lost", f"{GROWING}; attack 19")
def test_all_gone(world: World) -> None:
    member = grown(world)
    member.alter("tile/*", gone)
    world.refused()
    world.recovers(NEW)


# Row 21: size.


@case(Layer.LOG, "a log that says it has {size} entries is refused, or read with bounded work", f"{GROWING}; attack 21")
@pytest.mark.parametrize("size", [2**32 + 1, 2**33, 2**62])
def test_huge_size(world: World, size: int) -> None:
    member = world.subject
    member.show(member.note(text=member.log.text(size, bytes(32))))
    member.alter("tile/*", gone)
    world.requests_max = 60
    world.refused()
    world.recovers()


@case(
    Layer.LOG,
    "a log that says it has four million entries and serves none is refused with bounded work",
    f"{GROWING}; attack 21",
)
def test_announced_and_not_there(world: World) -> None:
    member = world.subject
    member.show(member.note(text=member.log.text(4_000_000, bytes(32))))
    member.alter("tile/*", gone)
    world.requests_max = 60
    world.refused()
    world.recovers()


@case(Layer.LOG, "the same wrong entries for every bundle of a long log: bounded work", f"{GROWING}; attack 21")
def test_long_and_wrong(world: World) -> None:
    member = world.subject
    member.show(member.note(text=member.log.text(200_000, bytes(32))))
    bundle = encode_bundle([listing(4_444)] * 256)
    member.alter("tile/*", says(bytes(8_192)))
    member.alter("tile/entries/*", says(bundle))
    world.requests_max = 2_500
    world.refused()
    world.recovers()


@case(Layer.LOG, "a long log served one by one is read in steps that stay", f"{GROWING}; attack 21")
def test_one_by_one(world: World) -> None:
    log = world.subject.log
    for number in range(12):
        log.append(listing(NEW + number))
        world.pull()
        assert world.export().logs[log.origin].held_size == 6 + number
    assert len(world.asked(beginning=log.path)) <= 12 * 3, "more than a checkpoint and a bundle a step"


@case(Layer.FETCH, "no news costs one conditional request a log", "Transfer; attack 21")
def test_no_news(world: World) -> None:
    world.pull()
    world.forget()
    assert not world.pull().refused
    asked = world.asked(beginning=world.subject.log.path)
    assert [one.path for one in asked] == [f"/{world.subject.log.path}/checkpoint"]


@case(Layer.LOG, "a log of exactly {size} entries is read whole", f"{GROWING}; attack 21")
@pytest.mark.parametrize("size", [255, 256, 257, 512, 4_352])
def test_sizes(world: World, size: int) -> None:
    log: SimLog = world.subject.log
    log.append(*(listing(10_000 + number) for number in range(size - log.size)))
    world.requests_max = 1_000
    world.accepted(10_000, 10_000 + size - 6)
    assert world.export().logs[log.origin].held_size == size
    world.recovers()
