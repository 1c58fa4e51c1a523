from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update
from sqlmodel import col

from follower import Follower
from hashpact_node.services import witness_lines
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.release import Releaser
from hashpact_node.services.witness_lines import WitnessLines, _Line, valid_cosignature
from hashpact_node.store.audiences import add_audience, remove_readers
from hashpact_node.store.tables import Sequence
from hashpact_protocol.card import parse_card
from hashpact_protocol.errors import NoteError, SignatureError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.notes import (
    Checkpoint,
    Note,
    NoteSignature,
    cosignature,
    cosignature_message,
    cosignatures,
    format_checkpoint,
    parse_note,
)
from hashpact_protocol.witness import AddCheckpoint, format_signatures, format_size, parse_add_checkpoint
from members import sha256
from own_member import NOW
from publisher import Publisher

GENEROUS_SECONDS = 60.0


class Witness:
    """A peer's witness that answers for a publisher; ``asked`` holds what came."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.cosigned = 0
        self.asked: list[AddCheckpoint] = []
        self.hold: threading.Event | None = None

    def answer(self, body: bytes) -> tuple[int, bytes]:
        request = parse_add_checkpoint(body)
        self.asked.append(request)
        if self.hold is not None:
            self.hold.wait(GENEROUS_SECONDS)
        if request.old != self.cosigned:
            return 409, format_size(self.cosigned)
        self.cosigned = request.checkpoint.size
        return 200, format_signatures((self.line(request.parsed.text),))

    def line(self, text: bytes) -> NoteSignature:
        timestamp = int(NOW.timestamp())
        signed = self.publisher.witness.sign(cosignature_message(text, timestamp))
        return cosignature(self.publisher.witness_key, timestamp, signed)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No witness is given up because the machine has much else to do; a test that is about that says so."""
    for name in ("ADD_CHECKPOINT_SECONDS", "BELL_SECONDS", "GATHER_SECONDS"):
        monkeypatch.setattr(witness_lines, name, GENEROUS_SECONDS)


@pytest.fixture
def peers(sqlite_follower: Follower) -> Iterator[list[Witness]]:
    """Two peers of acme, whose witnesses cosign."""
    with Publisher("beta") as beta, Publisher("gamma") as gamma:
        witnesses = [Witness(beta), Witness(gamma)]
        for witness in witnesses:
            witness.publisher.takes = witness.answer
            sqlite_follower.add(witness.publisher)
        yield witnesses


def make_lines(follower: Follower, wanted: int = 2, seconds: float = GENEROUS_SECONDS) -> WitnessLines:
    return WitnessLines(follower.database, follower.fetcher, follower.now, wanted, seconds)


def release(follower: Follower, lines: WitnessLines, number: int) -> Note:
    own = follower.own
    releaser = Releaser(follower.database, follower.locks, own.keyring, follower.now, witness_lines=lines)
    own.lazy_publisher().publish([ListingDraft("image", (sha256(number),))], wait=False)
    releaser.release(own.log.number)
    return shown(follower)


def shown(follower: Follower) -> Note:
    return parse_note(follower.own.log.accepted_note or b"")


def wait_for(question: Callable[[], object]) -> None:
    deadline = time.monotonic() + GENEROUS_SECONDS
    while not question():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def all_have_bell(witnesses: list[Witness], size: int) -> bool:
    """Say whether a checkpoint of a size came to all that was shown already: with more than the log's signature."""
    return all(
        any(one.checkpoint.size == size and len(one.parsed.signatures) > 1 for one in witness.asked)
        for witness in witnesses
    )


def test_a_release_is_shown_with_the_cosignatures_of_its_readers(
    sqlite_follower: Follower, peers: list[Witness]
) -> None:
    lines = make_lines(sqlite_follower)
    note = release(sqlite_follower, lines, 1)
    witnesses = [witness.publisher.witness_key for witness in peers]
    assert len(cosignatures(note, witnesses)) == 2
    lines.close()
    for witness in peers:
        first, *_, bell = witness.asked
        # Gathering carries the log's signature alone, and the doorbell all that is shown.
        assert len(first.parsed.signatures) == 1
        assert bell.parsed.signatures == shown(sqlite_follower).signatures
        assert (bell.old, bell.checkpoint.size) == (1, 1)
        assert len(bell.parsed.signatures) == 4


def test_the_size_that_each_answered_last_is_where_the_next_proof_starts(
    sqlite_follower: Follower, peers: list[Witness]
) -> None:
    lines = make_lines(sqlite_follower)
    for number in range(3):
        release(sqlite_follower, lines, number)
    lines.close()
    olds = [(asked.old, asked.checkpoint.size) for asked in peers[0].asked if len(asked.parsed.signatures) == 1]
    assert olds == [(0, 1), (1, 2), (2, 3)]


def test_a_conflict_is_sent_once_more_from_its_size(sqlite_follower: Follower, peers: list[Witness]) -> None:
    lines = make_lines(sqlite_follower, wanted=0)
    for number in range(3):
        release(sqlite_follower, lines, number)
    lines.close()
    peers[0].cosigned, peers[0].asked = 1, []
    again = make_lines(sqlite_follower, wanted=2)
    note = release(sqlite_follower, again, 4)
    assert len(cosignatures(note, [peers[0].publisher.witness_key])) == 1
    again.close()
    assert [asked.old for asked in peers[0].asked][:2] == [3, 1]


def test_of_many_peers_the_quickest_are_asked_first_and_all_are_rung(
    sqlite_follower: Follower, peers: list[Witness], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness_lines, "SPARES", 0)
    lines = make_lines(sqlite_follower, wanted=1)
    log = sqlite_follower.own.log.number
    for slow, quick in (peers, peers[::-1]):
        lines._line(slow.publisher.member, log).seconds = 2.0
        lines._line(quick.publisher.member, log).seconds = 1.0
        before = [len(one.asked) for one in (slow, quick)]
        size = sqlite_follower.own.log.accepted_size + 1
        release(sqlite_follower, lines, size)
        wait_for(partial(all_have_bell, peers, size))
        gathered = [
            [one for one in witness.asked[old:] if len(one.parsed.signatures) == 1]
            for witness, old in zip((slow, quick), before, strict=True)
        ]
        assert [bool(one) for one in gathered] == [False, True]
    lines.close()


def test_a_bell_that_was_not_heard_rings_again(
    sqlite_follower: Follower, peers: list[Witness], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness_lines, "RING_AGAIN_SECONDS", 0.02)
    lines, beta = make_lines(sqlite_follower), peers[0]
    deaf = 3

    def hears_late(body: bytes) -> tuple[int, bytes]:
        nonlocal deaf
        if len(parse_add_checkpoint(body).parsed.signatures) > 1 and deaf:
            deaf -= 1
            return 503, b""
        return beta.answer(body)

    beta.publisher.takes = hears_late
    release(sqlite_follower, lines, 1)
    wait_for(partial(all_have_bell, peers, 1))
    assert deaf == 0
    lines.close()


def test_a_bell_that_nobody_hears_rings_no_more_after_some_times(
    sqlite_follower: Follower, peers: list[Witness], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness_lines, "RING_AGAIN_SECONDS", 0.01)
    lines, beta = make_lines(sqlite_follower, wanted=1), peers[0]
    rung = 0

    def never_hears(body: bytes) -> tuple[int, bytes]:
        nonlocal rung
        rung += len(parse_add_checkpoint(body).parsed.signatures) > 1
        return 503, b""

    beta.publisher.takes = never_hears
    release(sqlite_follower, lines, 1)
    line = lines._line("beta", sqlite_follower.own.log.number)
    wait_for(lambda: line.bells.count > witness_lines.RINGS_MAX and not line.busy)
    assert (line.later, lines._timers) == (None, set())
    assert rung == witness_lines.RINGS_MAX + 1
    lines.close()


def test_nobody_is_waited_for_where_there_is_nobody(sqlite_follower: Follower) -> None:
    lines = make_lines(sqlite_follower, seconds=10 * GENEROUS_SECONDS)
    assert len(release(sqlite_follower, lines, 1).signatures) == 2
    lines.close()


def test_a_peer_that_does_not_cosign_is_not_waited_for(sqlite_follower: Follower, peers: list[Witness]) -> None:
    peers[0].publisher.takes = None  # 404: it does not follow us
    lines = make_lines(sqlite_follower, seconds=10 * GENEROUS_SECONDS)
    note = release(sqlite_follower, lines, 1)
    assert len(cosignatures(note, [peers[1].publisher.witness_key])) == 1
    lines.close()


def test_a_slow_peer_holds_nobody_up_and_gets_the_newest(sqlite_follower: Follower, peers: list[Witness]) -> None:
    slow, quick = peers
    slow.hold = threading.Event()
    lines = make_lines(sqlite_follower, wanted=1)
    for number in range(40):  # more than there are threads
        assert len(cosignatures(release(sqlite_follower, lines, number), [quick.publisher.witness_key])) == 1
    assert len(slow.asked) < 10
    slow.hold.set()
    slow.hold = None

    def has_the_newest() -> bool:
        # On a busy machine it has failed by now, and is left alone for a moment.
        lines.ring(sqlite_follower.own.log.number)
        return slow.asked[-1].checkpoint.size == 40

    wait_for(has_the_newest)
    lines.close()


def test_a_peer_that_is_too_slow_for_a_release_is_rung_and_cosigns_late(
    sqlite_follower: Follower, peers: list[Witness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A witness that takes longer than a release waits has the doorbell's time to answer."""
    monkeypatch.setattr(witness_lines, "ADD_CHECKPOINT_SECONDS", 0.1)
    slow, over, held = peers[0], threading.Event(), list[bytes]()

    def answer(body: bytes) -> tuple[int, bytes]:
        """Answer nothing the first time."""
        if held:
            return slow.answer(body)
        held.append(body)
        over.wait(GENEROUS_SECONDS)
        return 503, b""

    slow.publisher.takes = answer
    lines = make_lines(sqlite_follower)
    release(sqlite_follower, lines, 1)
    lines.close()
    over.set()
    assert len(held) == 1
    assert len(cosignatures(shown(sqlite_follower), [slow.publisher.witness_key])) == 1


def comes_late(witness: Witness, follower: Follower, lines: WitnessLines) -> None:
    """Let a witness answer that was held up, and wait until its cosignature is shown."""
    assert witness.hold is not None
    witness.hold.set()
    witness.hold = None
    number, key = follower.own.log.number, witness.publisher.witness_key

    def is_shown() -> bool:
        lines.ring(number)
        return bool(cosignatures(shown(follower), [key]))

    wait_for(is_shown)
    lines.close()


def test_who_answers_a_doorbell_slowly_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness_lines, "ADD_CHECKPOINT_SECONDS", 1.0)
    monkeypatch.setattr("hashpact_node.clock.monotonic", lambda: 100.0)
    line = _Line("beta")
    line.failed(bell=False)
    assert (line.is_waited_for(), line.is_rung()) == (False, True)
    line.answered(2.0, bell=True)
    assert (line.is_waited_for(), line.is_rung()) == (False, True)
    line.failed(bell=True)
    assert (line.is_waited_for(), line.is_rung()) == (False, False)
    line.answered(0.5, bell=True)
    assert (line.is_waited_for(), line.is_rung()) == (True, True)


def test_more_than_were_waited_for_are_shown_afterwards(sqlite_follower: Follower, peers: list[Witness]) -> None:
    slow, quick = peers
    slow.hold = threading.Event()
    lines = make_lines(sqlite_follower, wanted=1)
    assert len(cosignatures(release(sqlite_follower, lines, 1), [quick.publisher.witness_key])) == 1
    comes_late(slow, sqlite_follower, lines)


def test_none_is_shown_where_none_is_wanted(sqlite_follower: Follower, peers: list[Witness]) -> None:
    lines = make_lines(sqlite_follower, wanted=0)
    release(sqlite_follower, lines, 1)
    lines.close()
    assert peers[0].asked
    assert cosignatures(shown(sqlite_follower), [peer.publisher.witness_key for peer in peers]) == ()


def test_a_late_cosignature_is_shown_afterwards(sqlite_follower: Follower, peers: list[Witness]) -> None:
    late = peers[0]
    late.hold = threading.Event()
    lines = make_lines(sqlite_follower, seconds=0.05)
    note = release(sqlite_follower, lines, 1)
    assert cosignatures(note, [late.publisher.witness_key]) == ()
    comes_late(late, sqlite_follower, lines)


def test_renewing_keeps_the_cosignatures_of_others(sqlite_follower: Follower, peers: list[Witness]) -> None:
    lines = make_lines(sqlite_follower)
    before = release(sqlite_follower, lines, 1)
    own = sqlite_follower.own
    sqlite_follower.later(minutes=5)
    Releaser(
        sqlite_follower.database, sqlite_follower.locks, own.keyring, sqlite_follower.now, witness_lines=lines
    ).renew(own.log.number)
    lines.close()
    after = shown(sqlite_follower)
    assert set(before.signatures) - set(after.signatures) != set()
    witnesses = [witness.publisher.witness_key for witness in peers]
    assert len(cosignatures(after, witnesses)) == 2
    assert len(after.signatures) == 4


def test_a_cosignature_by_a_key_that_was_revoked_is_asked_for_anew(
    sqlite_follower: Follower, peers: list[Witness]
) -> None:
    lines = make_lines(sqlite_follower)
    release(sqlite_follower, lines, 1)
    beta, gamma = (peer.publisher for peer in peers)
    old = beta.witness_key
    beta.witness = Ed25519PrivateKey.generate()
    beta.publish()
    sqlite_follower.later(hours=2)
    assert sqlite_follower.pull(beta) == []
    own = sqlite_follower.own
    Releaser(
        sqlite_follower.database, sqlite_follower.locks, own.keyring, sqlite_follower.now, witness_lines=lines
    ).renew(own.log.number)
    lines.close()
    assert cosignatures(shown(sqlite_follower), [old]) == ()
    assert len(cosignatures(shown(sqlite_follower), [beta.witness_key, gamma.witness_key])) == 2


def test_a_second_signature_of_the_log_has_room(sqlite_follower: Follower) -> None:
    lines = make_lines(sqlite_follower, wanted=0)
    many = tuple(NoteSignature(f"w{number}.example/witness-1", bytes(4), bytes(72)) for number in range(20))
    own = sqlite_follower.own
    release(sqlite_follower, lines, 1)
    assert len(lines.gather(own.log, shown(sqlite_follower), many)) == LIMITS.note_signatures_max - 3
    lines.close()


def test_only_what_a_card_names_and_what_is_right_counts(publisher: Publisher) -> None:
    card = parse_card(publisher.card(), member="beta", url=publisher.url)
    witness = Witness(publisher)
    text = format_checkpoint(Checkpoint("acme.example/logs/listings-1", 1, bytes(32)))
    other = format_checkpoint(Checkpoint("acme.example/logs/listings-1", 2, bytes(32)))
    good = witness.line(text)
    assert valid_cosignature(card, text, format_signatures((good,)), NOW) == good
    with pytest.raises(SignatureError):
        valid_cosignature(card, text, format_signatures((witness.line(other),)), NOW)
    publisher.witness, honest = Ed25519PrivateKey.generate(), publisher.witness
    with pytest.raises(SignatureError):
        valid_cosignature(card, text, format_signatures((witness.line(text),)), NOW)
    assert valid_cosignature(card, text, format_signatures((witness.line(text), good)), NOW) == good
    publisher.witness = honest
    with pytest.raises(NoteError):
        valid_cosignature(card, text, b"", NOW)


def test_the_log_of_an_audience_is_sent_to_its_readers_alone(sqlite_follower: Follower, peers: list[Witness]) -> None:
    with sqlite_follower.database.write() as connection:
        named = update(Sequence).where(col(Sequence.number) == sqlite_follower.own.log.sequence)
        connection.execute(named.values(name="listings-x1"))
        audience = add_audience(connection, "eu-desk", "listings-x1", ["beta"], now=NOW)
    lines = make_lines(sqlite_follower)
    own = sqlite_follower.own
    releaser = Releaser(own.database, own.releaser.locks, own.keyring, sqlite_follower.now, witness_lines=lines)
    draft = ListingDraft("image", (sha256(1),), audiences=("eu-desk",))
    own.lazy_publisher().publish([draft], wait=False)
    releaser.release(own.log.number)
    with sqlite_follower.database.write() as connection:
        remove_readers(connection, audience.number, ["beta"])
    own.lazy_publisher().publish([draft], wait=False)
    releaser.release(own.log.number)
    lines.close()
    beta, gamma = peers
    assert {asked.checkpoint.size for asked in beta.asked} == {1}
    assert gamma.asked == []
