"""Rows 12 to 15, 22 and 23: checkpoints that a reader must refuse, and some that it must not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.keys import Key
from hashpact_conformance.simulator.log import SimLog, Witness, encoded, forged, write_note
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.statements import listing
from hashpact_conformance.simulator.world import World
from hashpact_protocol.notes import NoteSignature

JUDGING = "Judging a checkpoint"
Forge = Callable[[Member], bytes]
"""Makes a checkpoint, of all that the member's first log holds, that must be refused (or must not)."""


def _text(member: Member, **changes: str) -> bytes:
    """Write a checkpoint's text with lines replaced, by no rule at all."""
    log = member.log
    lines = {"origin": log.origin, "size": str(log.size), "root": encoded(log.root())} | changes
    return "".join(f"{line}\n" for line in lines.values()).encode("utf-8", "surrogatepass")


def _signed(member: Member, text: bytes) -> bytes:
    return member.note(text=text)


def _size(size: str) -> Forge:
    return lambda member: _signed(member, _text(member, size=size))


def _root(root: str) -> Forge:
    return lambda member: _signed(member, _text(member, root=root))


def _bytes(change: Callable[[bytes], bytes]) -> Forge:
    return lambda member: change(member.note())


def _stranger(member: Member) -> bytes:
    return member.note(lines=[member.log.sign(member.log.text(), Key())])


def _line(member: Member) -> str:
    return str(member.log.sign(member.log.text()))


def _signature_text(change: Callable[[str], str]) -> Forge:
    """Rewrite the base64 of the log's signature line."""

    def forge(member: Member) -> bytes:
        dash, name, data = _line(member).split(" ")
        return member.note(lines=[f"{dash} {name} {change(data)}"])

    return forge


def spare_bits(text: str) -> str:
    """Write the same bytes in another spelling: base64 whose last letter has a bit set that means nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = text.rstrip("=")
    assert bare != text, "without padding there are no spare bits"
    return bare[:-1] + letters[letters.index(bare[-1]) ^ 1] + "=" * (len(text) - len(bare))


def _padded(member: Member, count: int) -> bytes:
    """Attach signatures of strangers until there are so many."""
    text = member.log.text()
    strangers = [NoteSignature(f"stranger.example/{n}", n.to_bytes(4, "big"), bytes(64)) for n in range(count - 2)]
    return member.note(text=text, more=strangers)


def _wrong_beside_right(member: Member) -> bytes:
    right = member.log.sign(member.log.text())
    return member.note(lines=[right, forged(right)])


def _wrong_own_cosignature(member: Member) -> bytes:
    text = member.log.text()
    return member.note(own=False, more=[forged(member.witness.cosign(text, member.now))])


def _cosigned_by_log_key(member: Member) -> bytes:
    """Sign as a cosignature with the log's key: a type byte is part of the key id."""
    witness = Witness(member.log.origin, member.log.keys[0])
    text = member.log.text()
    return write_note(text, [witness.cosign(text, member.now)])


def _foreign_origin(member: Member) -> bytes:
    return member.note(text=member.log.text(origin=f"{member.prefix}/logs/listings-9"))


MALFORMED: dict[str, Forge] = {
    "no-final-newline": _bytes(lambda note: note[:-1]),
    "two-final-newlines": _bytes(lambda note: note + b"\n"),
    "carriage-returns": _bytes(lambda note: note.replace(b"\n", b"\r\n")),
    "one-carriage-return": lambda m: _signed(m, _text(m, origin=m.log.origin + "\r")),
    "nul": lambda m: _signed(m, _text(m, extension="a\x00b")),
    "tab": lambda m: _signed(m, _text(m, extension="a\tb")),
    "escape": lambda m: _signed(m, _text(m, extension="\x1b[31m")),
    "not-utf-8": lambda m: _signed(m, m.log.text() + b"\xff\xfe\n"),
    "surrogate": lambda m: _signed(m, _text(m, extension="\ud800")),
    "byte-order-mark": lambda m: _signed(m, b"\xef\xbb\xbf" + m.log.text()),
    "empty": lambda _m: b"",
    "only-newlines": lambda _m: b"\n\n\n",
    "no-signatures": lambda m: m.log.text() + b"\n",
    "no-blank-line": _bytes(lambda note: note.replace(b"\n\n", b"\n")),
    "blank-line-among-signatures": _bytes(lambda note: note.replace(b"=\n\xe2", b"=\n\n\xe2")),
    "text-among-signatures": lambda m: m.note(more=["hello"]),
    "hyphen-for-dash": lambda m: m.note(lines=[_line(m).replace("\u2014", "-")]),
    "signatures-17": lambda m: _padded(m, 17),
    "signatures-10000": lambda m: _padded(m, 10_000),
    "signature-no-base64": _signature_text(lambda text: "!" + text[1:]),
    "signature-url-base64": _signature_text(lambda text: text[:-4] + "-_A="),
    "signature-no-padding": _signature_text(lambda text: text.rstrip("=")),
    "signature-spare-bits": _signature_text(spare_bits),
    "root-spare-bits": lambda m: _signed(m, _text(m, root=spare_bits(encoded(m.log.root())))),
    "signature-too-short": _signature_text(lambda text: text[:40]),
    "signature-empty": _signature_text(lambda _text: ""),
    "root-no-padding": lambda m: _signed(m, _text(m, root=encoded(m.log.root())[:-1])),
    "root-31-bytes": lambda m: _signed(m, _text(m, root=encoded(m.log.root()[:31]))),
    "root-33-bytes": lambda m: _signed(m, _text(m, root=encoded(m.log.root() + b"\0"))),
    "root-hexadecimal": lambda m: _signed(m, _text(m, root=m.log.root().hex())),
    "root-empty": lambda m: _signed(m, m.log.origin.encode() + b"\n6\n\n"),
    "size-leading-zero": lambda m: _signed(m, _text(m, size=f"0{m.log.size}")),
    "size-plus": lambda m: _signed(m, _text(m, size=f"+{m.log.size}")),
    "size-space": lambda m: _signed(m, _text(m, size=f" {m.log.size}")),
    "size-negative": _size("-1"),
    "size-minus-zero": _size("-0"),
    "size-fraction": _size("6.0"),
    "size-exponent": _size("6e0"),
    "size-hexadecimal": _size("0x6"),
    "size-arabic": _size("\u0666"),
    "size-2-63": _size(str(2**63)),
    "size-2-64": _size(str(2**64)),
    "size-10000-digits": _size("9" * 10_000),
    "size-empty": _size(""),
    "two-lines": lambda m: _signed(m, f"{m.log.origin}\n{m.log.size}\n".encode()),
    "empty-extension": lambda m: _signed(m, m.log.text() + b"\nx\n"),
    "longer-than-16-KiB": lambda m: _signed(m, m.log.text() + b"x" * 16_384 + b"\n"),
    "size-0-with-a-root": lambda m: _signed(m, _text(m, size="0")),
}

UNSIGNED: dict[str, Forge] = {
    "signed-by-a-stranger": _stranger,
    "signed-by-witness-alone": lambda m: m.note(lines=[]),
    "signed-as-cosignature": _cosigned_by_log_key,
    "signed-over-another-size": lambda m: m.note(lines=[m.log.sign(m.log.text(m.log.size - 1))]),
}

WRONG: dict[str, Forge] = {
    "wrong-signature-beside-right": _wrong_beside_right,
    "wrong-signature-alone": lambda m: m.note(lines=[forged(m.log.sign(m.log.text()))]),
    "wrong-own-cosignature": _wrong_own_cosignature,
}

ELSEWHERE: dict[str, Forge] = {
    "another-origin": _foreign_origin,
    "origin-with-scheme": lambda m: _signed(m, _text(m, origin=m.log.url)),
    "origin-upper-case": lambda m: _signed(m, _text(m, origin=m.log.origin.replace("logs", "LOGS"))),
    "origin-trailing-slash": lambda m: _signed(m, _text(m, origin=m.log.origin + "/")),
    "origin-trailing-space": lambda m: _signed(m, _text(m, origin=m.log.origin + " ")),
}


def _refuses(world: World, forge: Forge) -> None:
    """See a checkpoint refused, and an honest one taken afterwards."""
    member = world.subject
    member.log.append(listing(500))
    member.show(forge(member))
    world.refused()
    world.recovers(500)


@case(Layer.NOTES, "a checkpoint that is no well-formed note is refused: {name}", "Checkpoints; attack 14")
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(world: World, name: str) -> None:
    _refuses(world, MALFORMED[name])


@case(Layer.NOTES, "a checkpoint that nobody signed who may is refused: {name}", f"{JUDGING}; attack 12")
@pytest.mark.parametrize("name", UNSIGNED)
def test_unsigned(world: World, name: str) -> None:
    _refuses(world, UNSIGNED[name])


@case(Layer.NOTES, "a checkpoint with a wrong signature is refused whole: {name}", f"{JUDGING}; attack 13")
@pytest.mark.parametrize("name", WRONG)
def test_wrong_signature(world: World, name: str) -> None:
    _refuses(world, WRONG[name])


@case(Layer.NOTES, "a checkpoint of another log is refused here: {name}", f"{JUDGING}; attack 15")
@pytest.mark.parametrize("name", ELSEWHERE)
def test_of_another_log(world: World, name: str) -> None:
    _refuses(world, ELSEWHERE[name])


def _with_crisis_log(world: World) -> SimLog:
    """Let the subject have a second log that the reader knows."""
    log = world.subject.add_log("crisis-1", name="crisis", kind="crisis")
    log.append(listing(600))
    world.subject.publish()
    world.pull()
    return log


@case(Layer.NOTES, "a checkpoint that another log's key signed is refused", f"{JUDGING}; attack 12")
def test_signed_by_another_log(world: World) -> None:
    other = _with_crisis_log(world)
    _refuses(world, lambda member: member.note(lines=[other.sign(member.log.text())]))


@case(Layer.NOTES, "a wrong signature of another of the member's logs sinks the note", f"{JUDGING}; attack 13")
def test_wrong_signature_of_another_log(world: World) -> None:
    other = _with_crisis_log(world)
    _refuses(world, lambda member: member.note(more=[forged(other.sign(member.log.text()))]))


@case(Layer.NOTES, "another log, whole and rightly signed, is refused in this one's place", "Checkpoints; attack 15")
def test_another_log_in_this_place(world: World) -> None:
    other = _with_crisis_log(world)
    _refuses(world, lambda member: member.note(other))


@case(Layer.NOTES, "a checkpoint signed by a key that left the card is refused", "Card, Rotation; attack 12")
def test_retired_key(world: World) -> None:
    member = world.subject
    old = member.log.keys
    member.log.keys = [Key()]
    member.publish()
    world.pull()
    _refuses(world, lambda member: member.note(lines=[member.log.sign(member.log.text(), key) for key in old]))


GOOD: dict[str, Forge] = {
    "signatures-16": lambda m: _padded(m, 16),
    "extension-lines": lambda m: _signed(m, m.log.text(extensions=["x: y", "\u00e9 1 2 3"])),
    "stranger-beside-right": lambda m: m.note(more=[m.log.sign(m.log.text(), Key(), name="who.example/l")]),
    "unknown-type-of-signature": lambda m: m.note(more=[NoteSignature(m.log.origin, b"\1\2\3\4", b"x" * 99)]),
    "signed-twice": lambda m: m.note(lines=[m.log.sign(m.log.text())] * 2),
    "no-own-cosignature": lambda m: m.note(own=False),
}


@case(Layer.NOTES, "a checkpoint that is unusual and right is taken: {name}", "Checkpoints; attack 14")
@pytest.mark.parametrize("name", GOOD)
def test_unusual(world: World, name: str) -> None:
    member = world.subject
    member.log.append(listing(500))
    member.show(GOOD[name](member))
    world.accepted(500)


@case(
    Layer.NOTES,
    "a wrong cosignature in another member's name counts as none, and sinks nothing",
    f"{JUDGING}; attack 13",
)
def test_a_forged_line_of_another_member_counts_as_none(world: World) -> None:
    member = world.subject
    member.log.append(listing(500))
    text = member.log.text()
    member.show(member.note(more=[forged(world.other.witness.cosign(text, world.now))]))
    world.pull()
    assert world.claims(500)


@case(
    Layer.NOTES,
    "an unknown key makes the reader look at the trust repository, once a minute at most",
    "Trust: reading; attack 12",
)
def test_unknown_signature_asks_the_trust_repository_once_in_a_while(world: World) -> None:
    member = world.subject
    member.log.append(listing(500))
    member.show(_stranger(member))
    world.later(minutes=5, renewed=False)
    world.forget()
    for _ in range(5):
        world.pull("--plan", "yes")
    looks = world.asked(beginning="trust/metadata/timestamp.json")
    assert len(looks) == 1, f"{len(looks)} looks at the trust repository in one minute"


@case(Layer.NOTES, "a key that only the newest card names is learned when it signs", "Trust: reading; attack 12")
def test_rotated_key_is_learned_by_the_hint(world: World) -> None:
    member = world.subject
    member.log.append(listing(500))
    member.log.keys = [Key()]
    member.publish()
    world.later(minutes=5, renewed=False)
    world.pull("--plan", "yes")
    assert world.claims(500)


# Row 22: freshness.


@case(
    Layer.NOTES,
    "a log without a fresh cosignature of its publisher is stale, and its list stays: {name}",
    f"{JUDGING}; attack 22",
)
@pytest.mark.parametrize("name", ["missing", "old", "in-the-future"])
def test_stale(world: World, name: str) -> None:
    member = world.subject
    world.later(hours=7)
    cosigned = {"old": world.now - timedelta(hours=6, minutes=30), "in-the-future": world.now + timedelta(hours=1)}
    member.log.append(listing(500))
    member.show(member.note(own=name != "missing", cosigned=cosigned.get(name)))
    before = world.export()
    world.pull()
    after = world.export()
    assert before.claims <= after.claims
    assert set(after.alarms) - set(before.alarms), "no alarm, though nothing says that the log is fresh"
    assert world.claims(500), "a stale checkpoint is still a checkpoint"
    member.mend()
    world.later(minutes=5)
    world.accepted(1, 500)


@case(
    Layer.NOTES,
    "a cosignature four minutes ahead of the reader's clock is fresh",
    f"{JUDGING}; attack 22",
)
def test_within_the_skew(world: World) -> None:
    member = world.subject
    world.later(hours=7)
    member.log.append(listing(500))
    member.show(member.note(cosigned=world.now + timedelta(minutes=4)))
    before = world.export().alarms
    world.accepted(500)
    assert not [alarm for alarm in set(world.export().alarms) - set(before) if member.prefix in alarm]


# Row 23: witnesses.


@case(
    Layer.NOTES, "nothing is applied before enough other members have cosigned it; then it is", f"{JUDGING}; attack 23"
)
def test_too_few_cosignatures(witnessed: World) -> None:
    member, others = witnessed.subject, [witnessed.other.witness, witnessed.members["delta"].witness]
    member.log.append(listing(500))
    member.cosigners = others[:1]
    witnessed.refused(others=False)
    member.cosigners = others
    witnessed.accepted(500)


OLD = timedelta(days=400)
BY_NOBODY: dict[str, Callable[[World, bytes], list[NoteSignature]]] = {
    "none": lambda _world, _text: [],
    "publisher": lambda world, text: [world.subject.witness.cosign(text, world.now + timedelta(seconds=1))],
    "stranger": lambda world, text: [Witness("stranger.example/witness-1", Key()).cosign(text, world.now)],
    "key-out-of-its-time": lambda world, text: [world.other.witness.cosign(text, world.now - OLD)],
    "forged": lambda world, text: [forged(world.other.witness.cosign(text, world.now))],
    "over-another-checkpoint": lambda world, _text: [
        world.other.witness.cosign(world.subject.log.text(4), world.now),
    ],
    "one-witness-twice": lambda world, text: [
        world.members["delta"].witness.cosign(text, world.now),
        world.members["delta"].witness.cosign(text, world.now - timedelta(seconds=1)),
    ],
    "under-another-name": lambda world, text: [
        Witness(f"{world.other.prefix}/witness-2", world.members["delta"].witness_key).cosign(text, world.now),
    ],
}


@case(
    Layer.NOTES,
    "cosignatures that speak for no other member do not make up the number: {name}",
    f"{JUDGING}; attack 23",
)
@pytest.mark.parametrize("name", BY_NOBODY)
def test_cosignatures_that_do_not_count(witnessed: World, name: str) -> None:
    """One member's cosignature is right, and one more is asked for."""
    member = witnessed.subject
    member.log.append(listing(500))
    text = member.log.text()
    right = witnessed.members["delta"].witness.cosign(text, witnessed.now)
    member.show(member.note(more=[right, *BY_NOBODY[name](witnessed, text)]))
    witnessed.refused(others=False)
    member.mend()
    member.cosigners = [witnessed.other.witness, witnessed.members["delta"].witness]
    witnessed.accepted(500)


@case(Layer.NOTES, "one key that two members list speaks for one of them only", f"{JUDGING}; attack 23")
def test_one_key_of_two_members(witnessed: World) -> None:
    member, other, delta = witnessed.subject, witnessed.other, witnessed.members["delta"]
    delta.witness_key = other.witness_key
    delta.publish()
    witnessed.pull()
    member.log.append(listing(500))
    member.cosigners = [other.witness, delta.witness]
    witnessed.refused(others=False)


@case(Layer.NOTES, "what is accepted stays accepted when fewer cosign it", f"{JUDGING}; attack 23")
def test_same_size_is_never_refused_for_missing_cosignatures(witnessed: World) -> None:
    assert not witnessed.pull().refused
    assert witnessed.claims(1, 2, 3, 4, 5) == {1, 2, 3, 4, 5}
