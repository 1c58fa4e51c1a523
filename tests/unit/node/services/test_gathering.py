from __future__ import annotations

from collections.abc import Iterator

import pytest

from follower import Follower
from hashpact_node.services.gathering import Gatherer
from hashpact_protocol.notes import (
    Note,
    NoteSignature,
    cosignature,
    cosignature_message,
    cosignatures,
    format_note,
    parse_note,
)
from hashpact_protocol.witness import origin_hash
from members import listing, sha256
from publisher import Publisher, says


@pytest.fixture
def gamma(sqlite_follower: Follower) -> Iterator[Publisher]:
    """A witness of beta's log."""
    with Publisher("gamma") as one:
        sqlite_follower.add(one)
        yield one
        one.unexpected = [path for path in one.unexpected if not path.startswith("witness/")]


def cosigned(witness: Publisher, text: bytes, timestamp: int = 1_800_000_000) -> NoteSignature:
    signature = witness.witness.sign(cosignature_message(text, timestamp))
    return cosignature(witness.witness_key, timestamp, signature)


def show(gamma: Publisher, publisher: Publisher, note: Note) -> None:
    gamma.alter(f"/witness/{origin_hash(publisher.log.origin)}/checkpoint", says(format_note(note)))


def test_the_cosignatures_of_peers_are_added_once(
    sqlite_follower: Follower, publisher: Publisher, gamma: Publisher
) -> None:
    publisher.log.append(listing(1, sha256(1)))
    note = parse_note(publisher.note())
    line = cosigned(gamma, note.text)
    show(gamma, publisher, Note(note.text, (*note.signatures, line)))
    gatherer = Gatherer(sqlite_follower.database, sqlite_follower.fetcher)
    gathered = gatherer.gather(publisher.log.origin, format_note(note))
    assert parse_note(gathered).signatures == (*note.signatures, line)
    assert cosignatures(parse_note(gathered), [gamma.witness_key])
    assert gatherer.gather(publisher.log.origin, gathered) == gathered


def test_what_is_not_right_is_left_out(sqlite_follower: Follower, publisher: Publisher, gamma: Publisher) -> None:
    publisher.log.append(listing(1, sha256(1)))
    note = parse_note(publisher.note())
    gatherer = Gatherer(sqlite_follower.database, sqlite_follower.fetcher)
    wrong = cosignature(gamma.witness_key, 1, bytes(64))
    smaller = parse_note(publisher.note(size=0))
    for shown in (Note(note.text, (wrong,)), Note(smaller.text, (cosigned(gamma, smaller.text),))):
        show(gamma, publisher, shown)
        assert gatherer.gather(publisher.log.origin, format_note(note)) == format_note(note)
    for nonsense in (says(b"nonsense"), says(b"", 500)):
        gamma.alter(f"/witness/{origin_hash(publisher.log.origin)}/checkpoint", nonsense)
        assert gatherer.gather(publisher.log.origin, format_note(note)) == format_note(note)


def test_at_most_16_signatures(sqlite_follower: Follower, publisher: Publisher, gamma: Publisher) -> None:
    publisher.log.append(listing(1, sha256(1)))
    note = parse_note(publisher.note())
    others = tuple(NoteSignature("other", bytes([n] * 4), bytes(64)) for n in range(16 - len(note.signatures)))
    full = Note(note.text, (*note.signatures, *others))
    show(gamma, publisher, Note(note.text, (cosigned(gamma, note.text),)))
    gatherer = Gatherer(sqlite_follower.database, sqlite_follower.fetcher)
    assert gatherer.gather(publisher.log.origin, format_note(full)) == format_note(full)
