from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.digest import BlocklistDigest
from hashpact_protocol.merge import (
    Kind,
    id_text,
)
from hashpact_protocol.statements import Listing
from merging import (
    CRITICAL,
    LATER,
    MALFORMED,
    TIME,
    UNKNOWN,
    Reader,
    incident,
    merge,
    opinion,
    signal,
    standing,
    uuid_of,
    withdrawal,
)
from vectors.naive_merge import Entry, naive_merge

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
