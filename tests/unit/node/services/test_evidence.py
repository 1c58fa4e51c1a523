from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from follower import Follower
from hashpact_keys.evidence import verify_evidence
from hashpact_node.services.evidence import UNPROVEN_FORMAT, EvidenceKeeper, examine, notes_of
from hashpact_node.store.database import Database
from hashpact_protocol.errors import (
    EntriesError,
    EvidenceError,
    ForkError,
    NotFoundError,
    SignatureError,
    VerificationError,
)
from hashpact_protocol.evidence import parse_evidence
from hashpact_protocol.notes import parse_note
from hashpact_protocol.statements import encode_statement
from members import listing, sha256
from publisher import Publisher, flipped, says


def entries(first: int, count: int) -> list[bytes]:
    return [encode_statement(listing(number, sha256(number))) for number in range(first, first + count)]


@pytest.fixture
def reader(sqlite_follower: Follower) -> Follower:
    return sqlite_follower


def keeper(reader: Follower) -> EvidenceKeeper:
    return EvidenceKeeper(reader.database, reader.now)


def fork(reader: Follower, publisher: Publisher) -> ForkError:
    (error,) = reader.pull(publisher)
    assert isinstance(error, ForkError)
    return error


def exported(reader: Follower, number: int = 1) -> bytes:
    kept = keeper(reader).read(number)
    assert kept.proven
    assert examine(kept) is not None
    assert len(notes_of(kept)) in (0, 2)
    return kept.data


@pytest.mark.parametrize("tiles", [True, False])
@pytest.mark.parametrize(("held", "told"), [(3, 3), (3, 5), (300, 520), (256, 512), (520, 300), (5, 3)], ids=str)
def test_two_stories_of_any_sizes_are_kept_and_verify_apart(
    reader: Follower, publisher: Publisher, held: int, told: int, *, tiles: bool
) -> None:
    publisher.log.append(*entries(1, held))
    reader.add(publisher)
    reader.pull(publisher)
    publisher.log.tell(entries(1_000, 1) + entries(2, told - 1))
    if not tiles:  # the entries prove as much
        for path in ("tile/0/000", "tile/0/000.p/5", "tile/0/001", "tile/1/000.p/2", "tile/0/002.p/8"):
            publisher.alter(path, flipped)
    error = fork(reader, publisher)
    assert error.mend is not None
    assert "hashpact evidence export 1 FILE" in error.mend
    proven = verify_evidence(exported(reader), publisher.root_file)
    assert proven.fork is not None
    assert sorted((proven.fork.smaller.size, proven.fork.larger.size)) == sorted((held, told))
    assert (proven.member, proven.void, proven.doubts) == ("beta", None, ())
    alarm = reader.alarms()["log-forked"]
    assert alarm.mend == error.mend
    assert reader.held(publisher) == held


def test_a_larger_size_that_nobody_can_check_is_noise(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*entries(1, 3))
    reader.add(publisher)
    reader.pull(publisher)
    note = publisher.note(size=5, root=b"\1" * 32)
    publisher.log.append(*entries(4, 2))
    publisher.alter("checkpoint", says(note))
    (error,) = reader.pull(publisher)
    assert isinstance(error, EntriesError)
    assert keeper(reader).list() == []
    assert "entries-mismatch" in reader.alarms()


def test_a_replay_costs_no_write(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*entries(1, 3))
    reader.add(publisher)
    reader.pull(publisher)
    publisher.log.tell(entries(2, 3))
    error = fork(reader, publisher)
    number = reader.log(publisher).number
    again = ForkError("two stories", evidence=error.evidence)
    with counting_writes(reader.database) as writes:
        keeping = keeper(reader).keep_fork(again, number)
        reader.later(minutes=1)
        publisher.now = reader.clock[0]  # cosigned anew: the same story
        cosigned = ForkError("two stories", evidence=(error.evidence[0], publisher.note()))
        assert keeper(reader).keep_fork(cosigned, number) == keeping
    assert (keeping.number, keeping.new) == (1, False)
    assert again.mend == error.mend
    assert writes == []


@contextmanager
def counting_writes(database: Database) -> Iterator[list[str]]:
    writes: list[str] = []

    def look(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.split(" ", 1)[0].upper() in {"INSERT", "UPDATE", "DELETE"}:
            writes.append(statement)

    event.listen(database._engine, "before_cursor_execute", look)
    try:
        yield writes
    finally:
        event.remove(database._engine, "before_cursor_execute", look)


def test_forged_evidence_is_refused(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*entries(1, 3))
    reader.add(publisher)
    reader.pull(publisher)
    number = reader.log(publisher).number
    with Publisher("gamma") as thief:
        forged = thief.note(origin=publisher.log.origin, size=3, root=b"\1" * 32)
    with pytest.raises(SignatureError):
        keeper(reader).keep_fork(ForkError("two", evidence=(publisher.note(), forged)), number)
    with pytest.raises(SignatureError):
        keeper(reader).keep_fork(ForkError("two"), number)
    assert keeper(reader).list() == []
    assert "log-forked" not in reader.alarms()


def test_what_is_not_proven_is_kept_as_such(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*entries(1, 3))
    reader.add(publisher)
    reader.pull(publisher)
    number, ours = reader.log(publisher).number, publisher.note()
    theirs = publisher.note(size=7, root=b"\1" * 32)
    keeping = keeper(reader).keep_fork(ForkError("two stories", evidence=(ours, theirs)), number)
    assert keeping.new
    assert not keeper(reader).keep_fork(ForkError("two stories", evidence=(ours, theirs)), number).new
    kept = keeper(reader).read(1)
    assert (kept.proven, examine(kept), notes_of(kept)) == (False, None, [ours, theirs])
    value = json.loads(kept.data)
    assert (value["format"], value["member"]) == (UNPROVEN_FORMAT, "beta")
    assert "no proof that they contradict" in value["reason"]
    with pytest.raises(EvidenceError):
        verify_evidence(kept.data, publisher.root_file)
    with pytest.raises(NotFoundError, match="no evidence 2"):
        keeper(reader).read(2)


def test_one_story_is_never_kept_as_proof(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*entries(1, 5))
    reader.add(publisher)
    reader.pull(publisher)
    number = reader.log(publisher).number
    error = ForkError("two stories?", evidence=(publisher.note(), publisher.note(size=3)))
    keeper(reader).keep_fork(error, number)
    assert not keeper(reader).read(1).proven


def test_what_is_exported_holds_the_newest_card_which_may_void_it(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*entries(1, 5))
    reader.add(publisher)
    reader.pull(publisher)
    publisher.log.tell(entries(1, 3) + entries(100, 2))
    fork(reader, publisher)
    publisher.log.close(3)
    publisher.publish()
    reader.later(hours=2)
    publisher.now = reader.clock[0]
    publisher.renew()
    reader.pull(publisher)
    data = exported(reader)
    assert len(parse_evidence(data).cards) == 2
    assert "closes this log at size 3" in str(verify_evidence(data, publisher.root_file).void)


def test_two_cards_of_one_version_are_kept_once(reader: Follower, publisher: Publisher) -> None:
    reader.add(publisher)
    before = dict(publisher.files)
    publisher.publish(name="Beta, as some see it")
    one = newest_targets(publisher)
    publisher.files = before
    publisher.publish(name="Beta, as others see it")
    other = newest_targets(publisher)
    peer = reader.peer()
    assert keeper(reader).keep_cards(peer.number, "beta", publisher.url, one, other).new
    assert not keeper(reader).keep_cards(peer.number, "beta", publisher.url, other, one).new
    assert "two targets metadata of version" in verify_evidence(exported(reader), publisher.root_file).what
    assert reader.alarms()["card-forked"].mend is not None
    with pytest.raises(VerificationError):
        keeper(reader).keep_cards(peer.number, "beta", publisher.url, one, one)


def newest_targets(publisher: Publisher) -> bytes:
    return publisher.files["metadata", f"{publisher.card_version}.targets.json"]


def test_a_proof_that_does_not_lead_there_proves_nothing(reader: Follower, publisher: Publisher) -> None:
    publisher.log.append(*entries(1, 3))
    reader.add(publisher)
    reader.pull(publisher)
    ours, theirs = publisher.note(), publisher.note(size=7, root=b"\1" * 32)
    error = ForkError("two", evidence=(ours, theirs), prefix_root=bytes(32), proof=(bytes(32),))
    keeper(reader).keep_fork(error, reader.log(publisher).number)
    assert "consistency" in json.loads(keeper(reader).read(1).data)["reason"]


def test_a_log_that_is_opened_again_answers_for_what_it_had_signed(reader: Follower, publisher: Publisher) -> None:
    """A cut makes what lies beyond unhappened; once the log is open again, both stories were signed, and are meant."""
    publisher.log.append(*entries(1, 5))
    reader.add(publisher)
    reader.pull(publisher)
    first = publisher.note()
    for closed in (True, False):
        reader.later(hours=2)
        publisher.now = reader.clock[0]
        if closed:
            publisher.log.close(3)
        else:
            publisher.log.final = None
            publisher.log.tell(entries(1, 3) + entries(100, 2))
        publisher.publish()
        assert reader.pull(publisher) == []
    assert reader.held(publisher) == 5  # what counts is a function of the newest card
    errors = reader.pull(publisher)
    assert [type(error) for error in errors] == [ForkError]
    data = exported(reader)
    proven = verify_evidence(data, publisher.root_file)
    assert proven.void is None
    assert parse_note(parse_evidence(data).notes[0]).text == parse_note(first).text
