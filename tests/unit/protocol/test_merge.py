from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.claims import Claim, Place, join_claims, unpack_claims
from hashpact_protocol.digest import BlocklistDigest
from hashpact_protocol.errors import SignalError
from hashpact_protocol.merge import (
    ENTRY,
    ID_REUSED,
    Kind,
    Merged,
    Owner,
    Quarantined,
    id_bytes,
    id_text,
    merge_statements,
    touched_ids,
)
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.signals import Signal, make_signal, parse_signal_key
from hashpact_protocol.statements import Incident, Listing, Malformed, Opinion, Unknown, Withdrawal
from vectors.generate_merge import merge_area
from vectors.naive_merge import At, Entry, naive_merge
from vectors_lookup import Vector, committed_files, vectors

TIME = "2026-11-24T04:00:00Z"
LATER = "2027-11-24T04:00:00Z"
LEAF = "ab" * 32


def uuid_of(number: int) -> str:
    return str(UUID(int=number, version=4))


def signal(number: int, quality: int | None = None) -> Signal:
    """Signal number ``number``: PDQ where a quality is told, SHA-256 elsewhere."""
    value = f"{number:064x}"
    return make_signal("sha256", value) if quality is None else make_signal("pdq", value, quality)


def listing(number: int, *signals: int, dropped: tuple[str, ...] = (), expires: str | None = None) -> Listing:
    return Listing(
        uuid_of(number), TIME, "image", tuple(signal(value) for value in signals), dropped=dropped, expires=expires
    )


def withdrawal(number: int, of: int) -> Withdrawal:
    return Withdrawal(uuid_of(number), TIME, uuid_of(of), "error")


def opinion(number: int, verdict: str = "agree") -> Opinion:
    return Opinion(uuid_of(number), TIME, "beta", "listings", uuid_of(1), LEAF, verdict)


def incident(number: int, status: str = "proposed") -> Incident:
    return Incident(uuid_of(number), TIME, uuid_of(99), status)


MALFORMED = Malformed("statement-malformed", "no JSON")
UNKNOWN = Unknown("poem", critical=False)
CRITICAL = Unknown("treaty", critical=True)


@dataclass
class Reader:
    """A node in small: applies what batches change to one sequence, as the store does to its tables."""

    claims: dict[bytes, bytes]
    owners: dict[bytes, Owner] = field(default_factory=dict)
    held: dict[Place, Entry] = field(default_factory=dict)
    stopped: dict[int, int] = field(default_factory=dict)
    unknown: dict[int, int] = field(default_factory=dict)
    quarantined: dict[tuple[int, int, int], str] = field(default_factory=dict)

    def read(self, log: int, start: int, entries: Sequence[Entry]) -> None:
        """Read the next batch of a log; behind a critical entry nothing is merged."""
        if log in self.stopped:
            return
        self.held.update({Place(log, index): entry for index, entry in enumerate(entries, start)})
        known = {key: self.owners[key] for key in touched_ids(entries) if key in self.owners}
        self.apply(log, merge_statements(entries, log=log, start=start, known=known))

    def apply(self, log: int, merged: Merged) -> None:
        for place in merged.ended:
            ended = self.held[place]
            assert isinstance(ended, Listing)
            for each in ended.signals:
                self.claims[each.key] = join_claims(self.claims[each.key], remove=[place])
        for key, added in merged.claims.items():
            self.claims[key] = join_claims(self.claims.get(key, b""), add=added)
        self.owners.update(merged.owners)
        if merged.stopped_at is not None:
            self.stopped[log] = merged.stopped_at
        self.unknown[log] = self.unknown.get(log, 0) + merged.unknown
        self.quarantined |= {(log, item.position, item.part): item.code for item in merged.quarantined}

    @property
    def live(self) -> dict[str, At]:
        owned = self.owners.items()
        return {
            id_text(key): (owner.log, owner.position)
            for key, owner in owned
            if owner.kind == Kind.LISTING and owner.live
        }


def standing(claims: Mapping[bytes, bytes]) -> dict[bytes, dict[At, int | None]]:
    """Claims as the naive merge tells them."""
    return {
        key: {(claim.log, claim.position): claim.quality for claim in unpack_claims(packed)}
        for key, packed in claims.items()
        if packed
    }


def merge(*entries: Entry, known: Mapping[bytes, Owner] | None = None, start: int = 0) -> Merged:
    return merge_statements(entries, log=1, start=start, known=known or {})


def lives(merged: Merged) -> dict[int, int]:
    """Number of each live listing, and where it stands."""
    return {
        number: owner.position
        for number in range(10)
        if (owner := merged.owners.get(id_bytes(uuid_of(number)))) and owner.kind == Kind.LISTING and owner.live
    }


def codes(merged: Merged) -> list[tuple[int, int, str]]:
    return [(item.position, item.part, item.code) for item in merged.quarantined]


# The rules, one by one.


def test_a_listing_gives_its_claims() -> None:
    merged = merge(listing(1, 7, 8), start=5)
    assert merged.owners == {id_bytes(uuid_of(1)): Owner(Kind.LISTING, 1, 5, live=True)}
    assert standing(merged.claims) == {signal(7).key: {(1, 5): None}, signal(8).key: {(1, 5): None}}
    assert (merged.ended, merged.restated, merged.quarantined, merged.unowned) == (set(), {}, [], set())


def test_one_signal_in_many_listings_has_a_claim_of_each_in_order() -> None:
    rated = Listing(uuid_of(2), TIME, "image", (signal(7, 80),))
    merged = merge(Listing(uuid_of(1), TIME, "image", (signal(7, 30),)), rated)
    assert unpack_claims(merged.claims[signal(7, 80).key]) == [
        Claim(1, 0, 30, expired=False),
        Claim(1, 1, 80, expired=False),
    ]


def test_restated_the_last_wins() -> None:
    merged = merge(listing(1, 7, 8), listing(1, 8, 9))
    assert standing(merged.claims) == {signal(8).key: {(1, 1): None}, signal(9).key: {(1, 1): None}}
    assert lives(merged) == {1: 1}
    assert merged.ended == set()


def test_restated_in_a_later_batch_the_older_claims_end() -> None:
    known = merge(listing(1, 7)).owners
    merged = merge(listing(1, 8), listing(1, 9), known=known, start=3)
    assert merged.ended == {Place(1, 0)}
    assert merged.restated == {Place(1, 0): 4}
    assert set(merged.claims) == {signal(9).key}


def test_restated_in_a_later_log_of_the_sequence_the_older_claims_end() -> None:
    known = merge(listing(1, 7)).owners
    merged = merge_statements([listing(1, 7)], log=2, start=0, known=known)
    assert merged.ended == {Place(1, 0)}
    assert merged.restated == {Place(1, 0): 0}
    assert merged.owners[id_bytes(uuid_of(1))] == Owner(Kind.LISTING, 2, 0, live=True)


def test_a_place_of_another_log_with_the_index_of_one_here_is_told_apart() -> None:
    known = {id_bytes(uuid_of(1)): Owner(Kind.LISTING, 2, 0, live=True)}
    merged = merge(listing(2, 7), listing(1, 8), known=known)
    assert lives(merged) == {1: 1, 2: 0}
    assert set(merged.claims) == {signal(7).key, signal(8).key}
    assert merged.ended == {Place(2, 0)}


def test_withdrawn_it_claims_nothing() -> None:
    merged = merge(listing(1, 7), withdrawal(2, of=1))
    assert (merged.claims, merged.ended, lives(merged)) == ({}, set(), {})
    assert merged.owners[id_bytes(uuid_of(1))] == Owner(Kind.LISTING, 1, 0, live=False)
    assert merged.owners[id_bytes(uuid_of(2))].kind == Kind.WITHDRAWAL


def test_withdrawn_in_a_later_batch_its_claims_end() -> None:
    known = merge(listing(1, 7)).owners
    merged = merge(withdrawal(2, of=1), known=known, start=1)
    assert merged.ended == {Place(1, 0)}
    assert merged.restated == {}
    assert merged.owners[id_bytes(uuid_of(1))] == Owner(Kind.LISTING, 1, 0, live=False)


@pytest.mark.parametrize("kind", [Kind.OPINION, Kind.INCIDENT, Kind.WITHDRAWAL])
def test_a_withdrawal_of_what_is_no_listing_has_no_effect(kind: Kind) -> None:
    known = {id_bytes(uuid_of(1)): Owner(kind, 1, 0, live=True)}
    merged = merge(withdrawal(2, of=1), known=known, start=1)
    assert set(merged.owners) == {id_bytes(uuid_of(2))}
    assert (merged.ended, merged.quarantined, merged.unowned) == (set(), [], set())


def test_a_withdrawal_of_one_not_there_has_no_effect_and_is_told() -> None:
    merged = merge(withdrawal(2, of=1))
    assert set(merged.owners) == {id_bytes(uuid_of(2))}
    assert merged.unowned == {id_bytes(uuid_of(1))}
    assert merged.quarantined == []


def test_a_withdrawal_before_its_listing_has_no_effect() -> None:
    assert lives(merge(withdrawal(2, of=1), listing(1, 7))) == {1: 1}


def test_a_repeated_withdrawal_changes_nothing_more() -> None:
    merged = merge(listing(1, 7), withdrawal(2, of=1), withdrawal(2, of=1), withdrawal(3, of=1))
    assert lives(merged) == {}
    assert merged.quarantined == []
    again = merge(withdrawal(2, of=1), known=merged.owners, start=4)
    assert (again.ended, again.quarantined) == (set(), [])
    assert again.owners == {id_bytes(uuid_of(2)): Owner(Kind.WITHDRAWAL, 1, 4, live=True)}


def test_listed_again_after_a_withdrawal_it_lives() -> None:
    merged = merge(listing(1, 7), withdrawal(2, of=1), listing(1, 8))
    assert lives(merged) == {1: 2}
    assert set(merged.claims) == {signal(8).key}
    known = merge(listing(1, 7), withdrawal(2, of=1)).owners
    later = merge(listing(1, 8), known=known, start=2)
    assert (later.ended, later.restated) == (set(), {})


def test_a_repeated_withdrawal_ends_it_again_after_it_was_listed_again() -> None:
    assert lives(merge(listing(1, 7), withdrawal(2, of=1), listing(1, 7), withdrawal(2, of=1))) == {}


def test_withdrawn_and_listed_again_in_one_later_batch_it_is_a_revision() -> None:
    known = merge(listing(1, 7)).owners
    merged = merge(withdrawal(2, of=1), listing(1, 7), known=known, start=1)
    assert merged.ended == {Place(1, 0)}
    assert merged.restated == {Place(1, 0): 2}


def test_restated_and_withdrawn_in_one_later_batch_it_is_no_revision() -> None:
    known = merge(listing(1, 7)).owners
    merged = merge(listing(1, 8), withdrawal(2, of=1), known=known, start=1)
    assert (merged.ended, merged.restated, merged.claims) == ({Place(1, 0)}, {}, {})


FIRST_OF_KIND: dict[str, Entry] = {
    "listing": listing(1, 7),
    "withdrawal": withdrawal(1, of=5),
    "opinion": opinion(1),
    "incident": incident(1),
}


@pytest.mark.parametrize("first", FIRST_OF_KIND)
@pytest.mark.parametrize("second", FIRST_OF_KIND)
@pytest.mark.parametrize("batches", [1, 2])
def test_an_id_belongs_to_the_kind_that_used_it_first(first: str, second: str, batches: int) -> None:
    before = merge(FIRST_OF_KIND[first])
    merged = merge(FIRST_OF_KIND[first], FIRST_OF_KIND[second]) if batches == 1 else None
    merged = merged or merge(FIRST_OF_KIND[second], known=before.owners, start=1)
    if first == second:
        assert merged.quarantined == []
        assert merged.owners[id_bytes(uuid_of(1))].position == 1
        return
    assert merged.quarantined == [
        Quarantined(1, ENTRY, ID_REUSED, f"the id {uuid_of(1)} is taken by a statement of kind {first}")
    ]
    if batches == 1:
        assert (merged.owners, merged.claims) == (before.owners, before.claims)
    else:
        assert (merged.owners, merged.claims) == ({}, {})


def test_a_quarantined_withdrawal_withdraws_nothing() -> None:
    merged = merge(listing(1, 7), listing(2, 8), withdrawal(2, of=1))
    assert lives(merged) == {1: 0, 2: 1}
    assert codes(merged) == [(2, ENTRY, ID_REUSED)]


def test_a_withdrawal_under_its_listings_id_is_quarantined() -> None:
    assert codes(merge(listing(1, 7), withdrawal(1, of=1))) == [(1, ENTRY, ID_REUSED)]
    first = merge(withdrawal(1, of=1), listing(1, 7))
    assert codes(first) == [(1, ENTRY, ID_REUSED)]
    assert first.claims == {}


def test_what_was_withdrawn_still_owns_its_id() -> None:
    merged = merge(listing(1, 7), withdrawal(2, of=1), opinion(1))
    assert codes(merged) == [(2, ENTRY, ID_REUSED)]


def test_quarantined_and_unknown_own_nothing() -> None:
    merged = merge(opinion(1), listing(1, 7), MALFORMED, UNKNOWN, listing(2, 7))
    assert codes(merged) == [(1, ENTRY, ID_REUSED), (2, ENTRY, MALFORMED.code)]
    assert set(merged.owners) == {id_bytes(uuid_of(1)), id_bytes(uuid_of(2))}
    assert merged.unknown == 1


def test_a_critical_entry_stops_its_log() -> None:
    merged = merge(listing(1, 7), UNKNOWN, CRITICAL, withdrawal(2, of=1), MALFORMED, UNKNOWN, start=10)
    assert merged.stopped_at == 12
    assert merged.unknown == 2
    assert lives(merged) == {1: 10}
    assert merged.quarantined == []
    assert merge(listing(1, 7)).stopped_at is None


def test_dropped_signals_are_quarantined_and_their_listing_stands() -> None:
    merged = merge(listing(1, 7, dropped=("first", "second")), listing(2, dropped=("third",)))
    assert merged.quarantined == [
        Quarantined(0, 1, SignalError.code, "first"),
        Quarantined(0, 2, SignalError.code, "second"),
        Quarantined(1, 1, SignalError.code, "third"),
    ]
    assert lives(merged) == {1: 0, 2: 1}
    assert set(merged.claims) == {signal(7).key}


def test_dropped_signals_of_a_quarantined_listing_are_not_told() -> None:
    assert codes(merge(opinion(1), listing(1, 7, dropped=("first",)))) == [(1, ENTRY, ID_REUSED)]


def test_only_what_lives_expires() -> None:
    merged = merge(listing(1, expires=TIME), listing(2, expires=LATER), listing(1, expires=LATER), listing(3))
    assert merged.expiring == [(LATER, 1), (LATER, 2)]
    assert merge(listing(1, expires=TIME), withdrawal(2, of=1)).expiring == []


def test_touched_ids_are_those_that_the_outcome_may_depend_on() -> None:
    touched = touched_ids([listing(1, 7), withdrawal(2, of=3), opinion(4), incident(5), MALFORMED, UNKNOWN])
    assert touched == {id_bytes(uuid_of(number)) for number in range(1, 6)}


@given(st.uuids())
def test_ids_are_16_bytes(value: UUID) -> None:
    assert id_bytes(str(value)) == value.bytes
    assert id_text(value.bytes) == str(value)


# The laws.

NUMBERS = st.integers(1, 6)
SIGNALS = st.lists(st.builds(signal, st.integers(1, 4), st.none() | st.sampled_from([10, 90])), max_size=3)
LISTINGS = st.builds(
    Listing,
    id=NUMBERS.map(uuid_of),
    time=st.just(TIME),
    content=st.just("image"),
    signals=SIGNALS.map(lambda many: tuple({each.key: each for each in many}.values())),
    expires=st.none() | st.just(LATER),
    dropped=st.sampled_from([(), (), ("bad",), ("bad", "worse")]),
)
ENTRIES = st.one_of(
    LISTINGS,
    LISTINGS,
    st.builds(withdrawal, NUMBERS, NUMBERS),
    st.builds(opinion, NUMBERS),
    st.builds(incident, NUMBERS),
    st.sampled_from([MALFORMED, UNKNOWN]),
)
MAYBE_CRITICAL = st.one_of(*[ENTRIES] * 15, st.just(CRITICAL))
LOGS = st.lists(MAYBE_CRITICAL, max_size=24)
SEQUENCES = st.lists(LOGS, min_size=1, max_size=3)


def cut(log: int, entries: Sequence[Entry], draw: random.Random) -> list[tuple[int, int, Sequence[Entry]]]:
    """Cut a log into batches anywhere."""
    ends = [*sorted(draw.sample(range(len(entries) + 1), min(len(entries), draw.randrange(5)))), len(entries)]
    return [(log, start, entries[start:end]) for start, end in zip([0, *ends], ends, strict=False) if end > start]


@given(SEQUENCES, st.randoms(use_true_random=False))
def test_any_split_into_batches_gives_what_the_naive_merge_gives(logs: list[list[Entry]], draw: random.Random) -> None:
    numbered = list(enumerate(logs, 1))
    naive = naive_merge(numbered)
    reader = Reader({})
    for log, entries in numbered:
        for batch in cut(log, entries, draw):
            reader.read(*batch)
    assert reader.live == naive.live
    assert standing(reader.claims) == naive.claims
    assert set(reader.quarantined) == naive.quarantined
    assert reader.stopped == naive.stopped
    assert {id_text(key): Kind(owner.kind).name.lower() for key, owner in reader.owners.items()} == naive.kinds
    for log, count in naive.unknown.items():
        assert reader.unknown.get(log, 0) == count


@given(LOGS, st.randoms(use_true_random=False))
def test_one_batch_and_many_end_in_the_same_owners(entries: list[Entry], draw: random.Random) -> None:
    whole, parts = Reader({}), Reader({})
    whole.read(1, 0, entries)
    for batch in cut(1, entries, draw):
        parts.read(*batch)
    assert parts.owners == whole.owners
    assert standing(parts.claims) == standing(whole.claims)


@given(st.lists(ENTRIES, max_size=16), st.lists(ENTRIES, max_size=16))
def test_what_ends_and_lives_on_is_what_the_naive_merge_says(before: list[Entry], batch: list[Entry]) -> None:
    old, new = naive_merge([(1, before)]), naive_merge([(1, before + batch)])
    known = merge(*before).owners
    merged = merge(*batch, known=known, start=len(before))
    ended = {at for identifier, at in old.live.items() if new.live.get(identifier) != at}
    assert merged.ended == ended
    assert merged.restated == {
        at: new.live[identifier][1] for identifier, at in old.live.items() if at in ended and identifier in new.live
    }
    assert {position for _, position in merged.expiring} == {
        index
        for _, index in new.live.values()
        if index >= len(before) and getattr(batch[index - len(before)], "expires", None)
    }


@given(st.lists(ENTRIES, max_size=16), st.lists(ENTRIES, max_size=16))
def test_a_batch_merged_with_nothing_known_holds_if_its_check_says_so(before: list[Entry], batch: list[Entry]) -> None:
    known = merge(*before).owners
    hoped = merge(*batch, start=len(before))
    if not known.keys() & (hoped.owners.keys() | hoped.unowned):
        assert hoped == merge(*batch, known=known, start=len(before))


def digest_of(readers: Sequence[Reader], logs: Mapping[int, Sequence[Entry]]) -> str:
    """The digest over all readers' logs, with made-up origins and roots."""
    digest = BlocklistDigest()
    for log in sorted(logs):
        size = next((reader.stopped[log] for reader in readers if log in reader.stopped), len(logs[log]))
        digest.add_log(f"member{log:02}.example/logs/listings-1", size, bytes(32))
        places = sorted(
            (index, key) for reader in readers for key, (where, index) in reader.live.items() if where == log
        )
        for index, identifier in places:
            entry = logs[log][index]
            assert isinstance(entry, Listing)
            digest.add_listing(index, identifier, [(each.type, each.value) for each in entry.signals])
    return digest.hexdigest()


@given(st.lists(SEQUENCES, min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_in_whatever_order_batches_come_the_same_is_merged(
    sequences: list[list[list[Entry]]], draw: random.Random
) -> None:
    logs = {10 * at + log: entries for at, many in enumerate(sequences) for log, entries in enumerate(many)}
    outcomes = []
    for _ in range(2):
        claims: dict[bytes, bytes] = {}  # of one node, shared by all members and log names
        readers = [Reader(claims) for _ in sequences]
        waiting = [
            [batch for log, entries in enumerate(many) for batch in cut(10 * at + log, entries, draw)]
            for at, many in enumerate(sequences)
        ]
        while any(waiting):
            at = draw.choice([at for at, left in enumerate(waiting) if left])
            readers[at].read(*waiting[at].pop(0))
        stood = {key: packed for key, packed in claims.items() if packed}
        outcomes.append((stood, [reader.live for reader in readers], digest_of(readers, logs)))
    assert outcomes[0] == outcomes[1]


# The vectors.


def read_vector(vector: Vector) -> dict[str, object]:
    """Merge the logs of a vector, a sequence for each member and log name, and tell what came of them."""
    logs = vector.json("logs.json")
    origins = [log["origin"] for log in logs]
    readers: dict[tuple[str, str], Reader] = {}
    claims: dict[bytes, bytes] = {}
    held: dict[str, Sequence[Entry]] = {}
    for number, log in enumerate(logs):
        if is_replaced(log, logs[number + 1 :]):
            continue
        reader = readers.setdefault((log["member"], log["name"]), Reader(claims))
        held[log["origin"]] = parse_entries([entry.encode() for entry in log["entries"]], log["kind"])
        reader.read(number, 0, held[log["origin"]])
    live = sorted(
        (origins[log], index, key) for reader in readers.values() for key, (log, index) in reader.live.items()
    )
    quarantined = sorted(
        (origins[log], position, part, code)
        for reader in readers.values()
        for (log, position, part), code in reader.quarantined.items()
    )
    stopped = {origins[log]: at for reader in readers.values() for log, at in reader.stopped.items()}
    unknown = {origins[log]: count for reader in readers.values() for log, count in reader.unknown.items() if count}
    return {
        "live": [list(item) for item in live],
        "quarantined": [list(item) for item in quarantined],
        "stopped": stopped,
        "unknown": unknown,
        "claims": told_claims(claims, origins),
    }


def is_replaced(log: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a later log of the same sequence is fresh, and held so far."""
    same = [other for other in later if (other["member"], other["name"]) == (log["member"], log["name"])]
    return any(len(other["entries"]) >= other["fresh"] for other in same if "fresh" in other)


def told_claims(claims: Mapping[bytes, bytes], origins: Sequence[str]) -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    for key in claims:
        places = sorted(
            [origins[claim.log], claim.position, *([] if claim.quality is None else [claim.quality])]
            for claim in unpack_claims(claims[key])
        )
        if places:
            kind, value = parse_signal_key(key)
            told.append({"type": kind, "value": value, "by": places})
    return sorted(told, key=lambda claim: (str(claim["type"]), str(claim["value"])))


@pytest.mark.parametrize("vector", [*vectors("merge"), *vectors("digest")], ids=str)
def test_vectors(vector: Vector) -> None:
    expected = vector.expected
    assert vector.why
    assert read_vector(vector) == {name: expected[name] for name in expected if name not in {"lines", "digest"}}


def test_vectors_are_those_that_the_generator_makes() -> None:
    assert committed_files("merge") == merge_area().files
