from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.claims import Claim, Place, unpack_claims
from hashpact_protocol.errors import SignalError
from hashpact_protocol.incidents import STEPS_KEPT
from hashpact_protocol.merge import (
    ENTRY,
    ID_REUSED,
    Ended,
    Kind,
    Merger,
    Opined,
    Owner,
    Quarantined,
    Tagged,
    id_bytes,
    id_text,
    merge_statements,
    touched_ids,
)
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.signals import parse_signal_key
from hashpact_protocol.statements import Listing, Opinion
from merging import (
    CRITICAL,
    LATER,
    MALFORMED,
    TIME,
    UNKNOWN,
    Reader,
    codes,
    incident,
    listing,
    lives,
    merge,
    opinion,
    signal,
    standing,
    uuid_of,
    withdrawal,
)
from vectors.generate_merge import merge_area
from vectors.naive_merge import Entry
from vectors_lookup import Vector, committed_files, vectors


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


def test_the_newest_opinion_on_a_listing_is_told() -> None:
    other = Opinion(uuid_of(9), LATER, "gamma", "crisis", uuid_of(2), "ab" * 32, "disagree", "satire")
    merged = merge(opinion(1), other, opinion(3, "seen"), start=5)
    about = ("beta", "listings", id_bytes(uuid_of(1)))
    assert merged.opinions == {
        about: Opined(7, TIME, "seen", None, bytes.fromhex(opinion(3).leaf)),
        ("gamma", "crisis", id_bytes(uuid_of(2))): Opined(6, LATER, "disagree", "satire", b"\xab" * 32),
    }


def test_an_opinion_whose_id_is_taken_or_that_stands_behind_a_stop_is_none() -> None:
    assert merge(incident(1), opinion(1)).opinions == {}
    assert merge(CRITICAL, opinion(1)).opinions == {}


def test_withdrawals_of_what_stood_before_are_told() -> None:
    known = merge(listing(1, 7), listing(2, 8)).owners
    merged = merge(listing(3, 9), withdrawal(4, of=3), withdrawal(5, of=2), withdrawal(6, of=2), known=known, start=2)
    assert merged.withdrawn == {id_bytes(uuid_of(2)): Ended(TIME, Place(1, 1))}


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


def test_a_bundle_behind_a_critical_entry_is_passed_over() -> None:
    merger = Merger(log=1, start=0, known={})
    merger.take_all([listing(1, 7), CRITICAL, listing(2, 8)])
    merger.take_all([listing(3, 9)])
    merged = merger.finish()
    assert (merged.stopped_at, merged.unknown) == (1, 1)
    assert set(merged.claims) == {signal(7).key}
    assert set(merged.owners) == {id_bytes(uuid_of(1))}


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


@pytest.mark.parametrize(("room", "kept"), [(0, 0), (1, 1), (3, 3), (5, 5), (6, 6), (100, 6)])
def test_all_that_is_odd_is_counted_and_as_much_of_it_kept_as_there_is_room(room: int, kept: int) -> None:
    bad = Listing(uuid_of(1), TIME, "image", (signal(7),), dropped=("one", "two", "three"))
    entries: list[Entry] = [MALFORMED, bad, opinion(1), MALFORMED]
    merged = merge_statements(entries, log=1, start=0, known={}, quarantine_room=room)
    assert (merged.odd_entries, merged.odd_signals) == (3, 3)
    places = [(0, 0), (1, 1), (1, 2), (1, 3), (2, 0), (3, 0)]
    assert [(one.position, one.part) for one in merged.quarantined] == places[:kept]


def test_a_flood_of_malformed_signals_takes_no_room() -> None:
    flood = Listing(uuid_of(1), TIME, "image", (), dropped=("bad",) * 20_000)
    merged = merge_statements([flood] * 100, log=1, start=0, known={})
    assert (merged.odd_signals, len(merged.quarantined)) == (2_000_000, 10_000)


def test_incident_statements_come_out_with_their_places_and_only_those_that_own_their_ids() -> None:
    merged = merge(listing(1, 7), incident(2), incident(1), MALFORMED, incident(2, "active"), start=10)
    assert merged.steps == [(11, incident(2)), (14, incident(2, "active"))]
    assert [one.position for one in merged.quarantined] == [12, 13]


def test_of_a_flood_of_incident_statements_the_newest_come_out() -> None:
    merged = merge_statements([incident(1)] * (STEPS_KEPT + 3), log=1, start=0, known={})
    assert (len(merged.steps), merged.steps[0][0], merged.steps[-1][0]) == (STEPS_KEPT, 3, STEPS_KEPT + 2)


def test_behind_a_critical_statement_nobody_says_anything_of_incidents() -> None:
    assert merge(incident(1), CRITICAL, incident(2)).steps == [(0, incident(1))]


def test_listings_that_name_an_incident_are_told_whether_they_live_on_or_not() -> None:
    tagged = Listing(uuid_of(1), TIME, "image", (signal(7),), incident=uuid_of(99))
    merged = merge(listing(3, 1), tagged, withdrawal(2, 1))
    assert merged.tagged == [Tagged(1, id_bytes(uuid_of(1)), id_bytes(uuid_of(99)), TIME)]
