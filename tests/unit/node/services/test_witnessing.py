from __future__ import annotations

import itertools
import multiprocessing
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from databases import opened
from follower import Follower
from hashpact_keys.keystore import KeyStore
from hashpact_node.net.rates import Budgets
from hashpact_node.services.cosigning import Cosigner, line_by, made_at
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.witnessing import OWN_AHEAD, REUSED_SECONDS, Busy, Cosigned, Stands, Witness
from hashpact_node.settings import Settings
from hashpact_node.store.database import Database
from hashpact_node.store.doorbells import find_ring
from hashpact_node.store.logs import Log
from hashpact_node.store.peers import set_state
from hashpact_protocol.errors import (
    ConsistencyError,
    ForkError,
    NoteError,
    NotFoundError,
    ProofError,
    RequestError,
    SignatureError,
    VerificationError,
)
from hashpact_protocol.merkle import EMPTY_ROOT, consistency_proof, leaf_hash, subtree_root
from hashpact_protocol.notes import (
    Checkpoint,
    Note,
    cosignatures,
    format_checkpoint,
    format_note,
    log_signature,
    parse_note,
    verify_note,
)
from hashpact_protocol.statements import encode_statement
from hashpact_protocol.witness import format_add_checkpoint, origin_hash
from members import listing, sha256
from own_member import NOW
from publisher import Publisher, ScriptedLog

PASSPHRASE = b"passphrase of a test"


@dataclass
class Asker:
    """Sends checkpoints of a publisher's log to the witness of a follower."""

    follower: Follower
    publisher: Publisher
    witness: Witness

    @property
    def log(self) -> Log:
        return self.follower.log(self.publisher)

    def body(
        self, old: int, size: int, proof: tuple[bytes, ...] | None = None, *, shown: bool = False, **note: Any
    ) -> bytes:
        scripted = self.publisher.log
        if proof is None:
            proof = proof_of(scripted, old, size)
        signed = self.publisher.note(scripted, size=size, **note)
        if not shown:  # while it gathers, a publisher has not cosigned yet
            parsed = parse_note(signed)
            signed = format_note(Note(parsed.text, parsed.signatures[:-1]))
        return format_add_checkpoint(old, proof, signed)

    def ask(self, old: int, size: int, *more: Any, **note: Any) -> Cosigned | Stands | Busy:
        return self.witness.add_checkpoint(self.body(old, size, *more, **note))

    def ring(self) -> tuple[int, int] | None:
        with self.follower.database.read() as connection:
            return find_ring(connection, self.log.number)


def proof_of(log: ScriptedLog, old: int, size: int) -> tuple[bytes, ...]:
    leaves = [leaf_hash(entry) for entry in log.entries]
    return tuple(consistency_proof(old, size, lambda level, n: subtree_root(leaves[n << level : (n + 1) << level])))


def make_witness(follower: Follower, **options: Any) -> Witness:
    cosigner = Cosigner(follower.database, follower.own.keyring, follower.now)
    return Witness(follower.database, cosigner, follower.now, **options)


def asker_of(follower: Follower, publisher: Publisher) -> Asker:
    publisher.log.append(*(listing(number, sha256(number)) for number in range(9)))
    publisher.log.shown = 2
    follower.add(publisher)
    assert follower.pull(publisher) == []
    return Asker(follower, publisher, make_witness(follower))


@pytest.fixture
def asker(follower: Follower, publisher: Publisher) -> Asker:
    """Acme, which has pulled the first 2 of beta's 9 entries, once on each kind of database."""
    return asker_of(follower, publisher)


@pytest.fixture
def sqlite_asker(sqlite_follower: Follower, publisher: Publisher) -> Asker:
    return asker_of(sqlite_follower, publisher)


def writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Database) -> None:
        raise AssertionError("this should not have written")

    monkeypatch.setattr(Database, "write", refuse)


def test_growth_is_cosigned_and_remembered(asker: Asker) -> None:
    answer = asker.ask(2, 5)
    assert isinstance(answer, Cosigned)
    log, key = asker.log, asker.witness.cosigner.key()
    assert (log.cosigned_size, log.cosigned_root) == (5, asker.publisher.log.root(5))
    assert (log.accepted_size, log.held_size) == (2, 2)
    stored = parse_note(asker.witness.checkpoint(origin_hash(log.origin)))
    assert verify_note(stored, [*asker.publisher.log.verifier_keys(), key])
    assert [one.timestamp for one in cosignatures(Note(stored.text, answer.lines), [key])] == [int(NOW.timestamp())]
    assert line_by(log.cosigned_note, key) == answer.lines[0]


def test_a_pull_cosigns_what_it_has_verified(asker: Asker) -> None:
    stored = parse_note(asker.witness.checkpoint(origin_hash(asker.log.origin)))
    assert stored.text.split(b"\n")[1] == b"2"
    assert len(cosignatures(stored, [asker.witness.cosigner.key()])) == 1
    # The publisher's own cosignature is not kept: what is served is the log's word and ours.
    assert len(stored.signatures) == 2


def test_a_first_checkpoint_starts_from_nothing(follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(listing(0, sha256(0)))
    follower.add(publisher)
    asker = Asker(follower, publisher, make_witness(follower))
    with pytest.raises(NotFoundError):
        asker.witness.checkpoint(origin_hash(asker.log.origin))
    assert isinstance(asker.ask(0, 1), Cosigned)
    assert asker.log.cosigned_size == 1


def test_unknown_origins(asker: Asker) -> None:
    body = asker.body(2, 5)
    other = body.replace(asker.publisher.log.origin.encode(), asker.publisher.log.origin.encode() + b"0")
    with pytest.raises(NotFoundError):
        asker.witness.add_checkpoint(other)
    for state in ("paused", "removed"):
        with asker.follower.database.write() as connection:
            set_state(connection, asker.log.peer, state)
        with pytest.raises(NotFoundError):
            asker.witness.add_checkpoint(body)
    with pytest.raises(NotFoundError):
        asker.witness.checkpoint(origin_hash("nobody.example/logs/listings-1"))


def test_a_closed_log_is_not_cosigned(asker: Asker) -> None:
    asker.publisher.log.close(2)
    asker.publisher.publish()
    asker.follower.later(minutes=61)
    asker.follower.pull(asker.publisher)
    with pytest.raises(NotFoundError):
        asker.ask(2, 5)


def test_signatures(asker: Asker) -> None:
    stranger = Ed25519PrivateKey.generate()
    with pytest.raises(SignatureError):
        asker.ask(2, 5, keys=[stranger])
    assert isinstance(asker.ask(2, 3, keys=[stranger, *asker.publisher.log.keys]), Cosigned)
    body = asker.body(3, 5)
    broken = body.replace(parse_note(asker.publisher.note(size=5)).text, parse_note(asker.publisher.note(size=6)).text)
    with pytest.raises(SignatureError):
        asker.witness.add_checkpoint(broken)
    assert asker.log.cosigned_size == 3


def test_a_wrong_signature_beside_a_right_one_sinks_the_note(asker: Asker) -> None:
    other = parse_note(asker.publisher.note(size=6)).signatures[1]
    with pytest.raises(SignatureError):
        asker.ask(2, 5, shown=True, more=(other,))


def test_an_unknown_origin_comes_before_a_wrong_signature_and_that_before_sizes(asker: Asker) -> None:
    with pytest.raises(SignatureError):
        asker.ask(7, 5, (), keys=[Ed25519PrivateKey.generate()])
    with pytest.raises(RequestError, match="larger"):
        asker.ask(7, 5, ())


@pytest.mark.parametrize("body", [b"", b"old 1\n\n", b"old 01\n\nx\n"])
def test_malformed_bodies(sqlite_asker: Asker, body: bytes) -> None:
    with pytest.raises((ProofError, NoteError)):
        sqlite_asker.witness.add_checkpoint(body)


def test_another_old_size_is_told_ours(asker: Asker) -> None:
    assert asker.ask(0, 5) == Stands(2)
    assert asker.ask(3, 5) == Stands(2)
    assert isinstance(asker.ask(2, 5), Cosigned)
    assert asker.ask(2, 5) == Stands(5)  # a replay
    assert asker.ask(2, 4) == Stands(5)
    assert isinstance(asker.ask(5, 5), Cosigned)
    assert asker.log.cosigned_size == 5


def test_what_is_not_proven_is_not_cosigned(asker: Asker) -> None:
    with pytest.raises(ConsistencyError):
        asker.ask(2, 5, ())
    with pytest.raises(ConsistencyError):
        asker.ask(2, 5, root=bytes(32))
    with pytest.raises(ConsistencyError):
        asker.ask(2, 5, (bytes(32),) * 3)
    assert asker.log.cosigned_size == 2
    assert asker.follower.alarms() == {}


def test_an_empty_log_has_one_root(follower: Follower, publisher: Publisher) -> None:
    follower.add(publisher)
    asker = Asker(follower, publisher, make_witness(follower))
    with pytest.raises(ConsistencyError):
        asker.ask(0, 0, root=bytes(32))
    assert isinstance(asker.ask(0, 0, root=EMPTY_ROOT), Cosigned)
    assert isinstance(asker.ask(0, 0, root=EMPTY_ROOT), Cosigned)
    assert asker.witness.checkpoint(origin_hash(asker.log.origin))


def test_a_log_of_too_many_entries_is_refused(asker: Asker) -> None:
    with pytest.raises(VerificationError, match="refused"):
        asker.ask(2, 2**33, (), root=bytes(32))


def test_another_root_at_the_cosigned_size_is_told_with_both_notes(asker: Asker) -> None:
    asker.ask(2, 5)
    with pytest.raises(ConsistencyError, match="two roots"):
        asker.ask(5, 5, root=bytes(32))
    alarm = asker.follower.alarms()[ForkError.code]
    assert (alarm.peer, alarm.log, alarm.times) == (asker.log.peer, asker.log.number, 1)
    assert alarm.evidence is not None
    assert alarm.evidence.count(b'"') >= 6  # two notes in a list
    assert (asker.log.cosigned_size, asker.log.cosigned_root) == (5, asker.publisher.log.root(5))
    peer = asker.follower.peer()
    assert (peer.failures, peer.last_error) == (0, None)


@pytest.mark.parametrize("size", [1, 2])
def test_another_root_at_any_size_that_is_held_is_told(asker: Asker, size: int) -> None:
    told: list[ForkError] = []
    asker.witness.on_fork = lambda _log, fork: told.append(fork)
    asker.ask(2, 5)
    assert asker.ask(0, size) == Stands(5)
    assert told == []
    assert asker.ask(0, size, root=bytes(32)) == Stands(5)
    assert len(told) == 1
    assert len(told[0].evidence) == 2
    assert b"AAAAAAAAAA" in told[0].evidence[1]


def test_a_fork_is_told_once(sqlite_asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    body = sqlite_asker.body(2, 2, root=bytes(32))
    with pytest.raises(ConsistencyError):
        sqlite_asker.witness.add_checkpoint(body)
    assert sqlite_asker.follower.alarms()[ForkError.code].times == 1
    writes_nothing(monkeypatch)
    for _ in range(3):
        with pytest.raises(ConsistencyError):
            sqlite_asker.witness.add_checkpoint(body)


def test_bad_bodies_and_replays_write_nothing(sqlite_asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    asker = sqlite_asker
    asker.ask(2, 5)
    asker.ask(5, 5, shown=True)
    writes_nothing(monkeypatch)
    assert asker.ask(2, 5) == Stands(5)
    assert isinstance(asker.ask(5, 5, shown=True), Cosigned)
    assert isinstance(asker.ask(5, 5), Cosigned)
    with pytest.raises(ConsistencyError):
        asker.ask(5, 7, ())
    with pytest.raises(SignatureError):
        asker.ask(5, 7, keys=[Ed25519PrivateKey.generate()])
    with pytest.raises(NotFoundError):
        asker.witness.add_checkpoint(asker.body(5, 7).replace(b"listings-1", b"listings-2"))


def test_the_same_checkpoint_gets_the_same_cosignature_for_a_while(asker: Asker) -> None:
    first, again = asker.ask(2, 5), asker.ask(5, 5)
    assert first == again
    asker.follower.later(seconds=REUSED_SECONDS + 1)
    later = asker.ask(5, 5)
    assert isinstance(later, Cosigned)
    assert made_at(later.lines[0]) == int(NOW.timestamp()) + REUSED_SECONDS + 1
    assert line_by(asker.log.cosigned_note, asker.witness.cosigner.key()) == later.lines[0]


def test_a_checkpoint_that_is_shown_rings_at_once_and_one_that_gathers_a_little_later(asker: Asker) -> None:
    now = int(NOW.timestamp() * 1_000)
    assert asker.ring() is None
    asker.ask(2, 5)
    assert asker.ring() == (5, now + 1_500)
    assert not asker.witness.rung.is_set()
    asker.ask(5, 5, shown=True)
    assert asker.ring() == (5, now)
    assert asker.witness.rung.is_set()


def test_a_ring_wakes_at_once_though_time_passes_while_it_is_looked_at(sqlite_asker: Asker) -> None:
    witness, looks = sqlite_asker.witness, itertools.count()
    witness.now = lambda: NOW + next(looks) * timedelta(milliseconds=5)
    sqlite_asker.ask(2, 5, shown=True)
    assert witness.rung.is_set()


def test_what_is_accepted_already_rings_for_nothing(asker: Asker) -> None:
    asker.ask(2, 2, shown=True)
    assert asker.ring() is None
    assert asker.ask(0, 1, shown=True) == Stands(2)
    assert asker.ring() is None


def test_a_flood_of_valid_checkpoints_is_bounded(sqlite_asker: Asker) -> None:
    asker = sqlite_asker
    clock = [0.0]
    asker.witness = make_witness(asker.follower, work=Budgets(per_second=1, burst=2, monotonic=lambda: clock[0]))
    assert isinstance(asker.ask(2, 3), Cosigned)
    assert isinstance(asker.ask(3, 4), Cosigned)
    answer = asker.ask(4, 5)
    assert isinstance(answer, Busy)
    assert 0 < answer.seconds <= 1
    assert asker.log.cosigned_size == 4
    clock[0] += 1
    assert isinstance(asker.ask(4, 5), Cosigned)


def test_nobody_silences_the_doorbell_of_another(sqlite_asker: Asker) -> None:
    """Another member sends what beta signed once, as often as it likes: what beta pushes is still heard."""
    asker, witness = sqlite_asker, sqlite_asker.witness
    few = {"per_second": 1, "burst": 3, "monotonic": lambda: 0.0}
    witness.work, witness.looking = Budgets(**few), Budgets(**few)  # type: ignore[arg-type]  # as named
    old, new = asker.body(0, 1, shown=True), asker.body(2, 5, shown=True)
    for _ in range(10):
        assert witness.add_checkpoint(old, asker="gamma") == Stands(2)
    assert not isinstance(witness.add_checkpoint(new, asker="gamma"), Busy), "looking for forks is another budget"
    for _ in range(10):
        asker.follower.later(seconds=REUSED_SECONDS + 1)  # so that each wants a new cosignature
        last = witness.add_checkpoint(asker.body(5, 5, shown=True), asker="gamma")
    assert isinstance(last, Busy)
    assert isinstance(witness.add_checkpoint(asker.body(5, 7, shown=True), asker="beta"), Cosigned)
    assert (asker.ring() or (0,))[0] == 7


def test_nobody_hides_a_fork_by_what_another_asks(sqlite_asker: Asker) -> None:
    asker, witness = sqlite_asker, sqlite_asker.witness
    witness.looking = Budgets(per_second=1, burst=3, monotonic=lambda: 0.0)
    for _ in range(10):
        witness.add_checkpoint(asker.body(0, 1), asker="beta")
    assert witness.add_checkpoint(asker.body(0, 1, root=bytes(32)), asker="gamma") == Stands(2)
    assert ForkError.code in asker.follower.alarms()


def test_whoever_is_slower_never_rolls_back(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are proven from the same size; the larger is stored while the smaller is being signed."""
    cosign, body = Cosigner.cosign, asker.body(2, 7)
    inner = [body]

    def slow(cosigner: Cosigner, text: bytes) -> Any:
        if inner:
            assert isinstance(asker.witness.add_checkpoint(inner.pop()), Cosigned)
        return cosign(cosigner, text)

    monkeypatch.setattr(Cosigner, "cosign", slow)
    assert asker.ask(2, 5) == Stands(7)
    assert (asker.log.cosigned_size, asker.log.cosigned_root) == (7, asker.publisher.log.root(7))


def _race(url: str, home: Path, bodies: list[bytes], start: Any, answers: Any) -> None:
    with opened(url) as database:
        keyring = Keyring(KeyStore(home, lambda: PASSPHRASE), Settings(home=home).keys)
        witness = Witness(database, Cosigner(database, keyring, lambda: NOW), lambda: NOW)
        start.wait()
        for body in bodies:
            answer = witness.add_checkpoint(body)
            answers.put(answer.size if isinstance(answer, Stands) else -1)


def test_two_processes_at_once_cosign_each_size_once(asker: Asker, database_url: str) -> None:
    """Whichever comes first at each size, nothing is cosigned that does not continue what was."""
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(2), context.Queue()
    steps = [asker.body(size, size + 1) for size in range(2, 9)]
    leaps = [asker.body(size, min(9, size + 2)) for size in range(2, 9)]
    home = asker.follower.own.home
    racers = [
        context.Process(target=_race, args=(database_url, home, bodies, start, answers)) for bodies in (steps, leaps)
    ]
    for racer in racers:
        racer.start()
    found = [answers.get(timeout=300) for _ in range(len(steps) + len(leaps))]
    for racer in racers:
        racer.join(300)
        assert racer.exitcode == 0
    log = asker.log
    assert log.cosigned_root == asker.publisher.log.root(log.cosigned_size)
    assert len(cosignatures(parse_note(log.cosigned_note or b""), [asker.witness.cosigner.key()])) == 1
    sizes = [size for size in found if size >= 0]
    assert all(2 <= size <= log.cosigned_size for size in sizes)
    assert 1 <= found.count(-1) <= log.cosigned_size - 2


def test_threads_at_once_cosign_a_checkpoint_once(asker: Asker) -> None:
    body, found = asker.body(2, 5), list[Any]()
    threads = [threading.Thread(target=lambda: found.append(asker.witness.add_checkpoint(body))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in found if isinstance(one, Cosigned)]) == 1
    assert found.count(Stands(5)) == 5


def own_body(follower: Follower, alter: Callable[[bytes], bytes] = lambda note: note) -> bytes:
    note = follower.own.log.accepted_note
    assert note is not None
    return format_add_checkpoint(follower.own.log.accepted_size, (), alter(note))


def test_our_own_log_is_cosigned_as_it_is_shown(follower: Follower) -> None:
    own = follower.own
    own.publisher.publish([ListingDraft("image", (sha256(1),))])
    witness = make_witness(follower)
    assert isinstance(witness.add_checkpoint(own_body(follower)), Cosigned)
    assert parse_note(witness.checkpoint(origin_hash(own.log.origin))).text.split(b"\n")[1] == b"1"


def test_our_own_log_only_grows_by_our_own_hand(follower: Follower) -> None:
    """A larger checkpoint, signed by our key, says that this database is older than what was published."""
    own = follower.own
    own.releaser.release(own.log.number)
    scripted = ScriptedLog("https://acme.example")
    scripted.append(encode_statement(listing(1, sha256(1))))
    ((key, signer),) = own.keyring.log_keys(own.log)
    text = format_checkpoint(Checkpoint(own.log.origin, 1, scripted.root()))
    note = format_note(Note(text, (log_signature(key, signer.sign(text)),)))
    witness = make_witness(follower)
    for _ in range(2):
        assert witness.add_checkpoint(format_add_checkpoint(0, (), note)) == Stands(0)
    assert own.log.cosigned_size == 0
    alarm = follower.alarms()[OWN_AHEAD]
    assert alarm.times == 1
    (heading,) = re.findall("'(.+)' in docs/operations.md", alarm.mend or "")
    operations = Path(__file__).parents[4] / "docs" / "operations.md"
    assert f"\n### {heading}\n" in operations.read_text(encoding="utf-8")


def test_a_cosigned_head_that_a_pull_contradicts_is_a_fork(asker: Asker) -> None:
    """It was proven to a witness, and what is then read does not continue it."""
    log = asker.publisher.log
    honest = list(log.entries)
    log.entries = [*honest[:2], *(encode_statement(listing(90 + n, sha256(90 + n))) for n in range(3))]
    log._hashes.clear()
    asker.ask(2, 5)
    for shown in (5, 9):
        log.tell(honest)
        log.shown = shown
        errors = asker.follower.pull(asker.publisher)
        assert [type(error) for error in errors] == [ForkError]
    assert asker.log.cosigned_size == 5
