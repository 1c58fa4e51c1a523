from __future__ import annotations

import random

import pytest

from hashpact_node.services.packed import SHOWN_MAX, essence, matchable, shown, shown_count
from hashpact_protocol.claims import CLAIM_BYTES, EXPIRED, QUALITY_BYTE, decide_claims, pack_place, publishers

MEMBERS = {1: 1, 2: 2, 3: 2, 0x10203: 3}


def some_claims(seed: int, count: int) -> bytes:
    die = random.Random(seed)
    made: set[bytes] = set()
    while len(made) < count:
        last = QUALITY_BYTE[die.choice([None, 10, 49, 50, 99])][0] | die.choice([0, 0, EXPIRED])
        made.add(pack_place(die.choice([*MEMBERS]), die.randrange(10**6)) + bytes([last]))
    return b"".join(sorted(made))


def each(claims: bytes) -> list[bytes]:
    return [claims[at : at + CLAIM_BYTES] for at in range(0, len(claims), CLAIM_BYTES)]


@pytest.mark.parametrize("count", [0, 1, 64, 65, 1_000])
def test_the_essence_says_the_same(count: int) -> None:
    for seed in range(10):
        claims = some_claims(seed, count)
        brief = essence(claims)
        assert len(brief) <= 64 * CLAIM_BYTES
        assert publishers(brief, MEMBERS) == publishers(claims, MEMBERS)
        assert publishers(matchable(brief), MEMBERS) == publishers(matchable(claims), MEMBERS)
        for own in (1, 2, 9):
            assert decide_claims(brief, MEMBERS, own) == decide_claims(claims, MEMBERS, own)


@pytest.mark.parametrize("count", [0, 1, 100, 1_000])
def test_matchable_claims_are_those_of_sufficient_quality(count: int) -> None:
    claims = some_claims(1, count)
    good = [claim for claim in each(claims) if claim[-1] & ~EXPIRED >= 50]
    assert each(matchable(claims)) == good


def test_a_few_claims_are_all_shown() -> None:
    claims = some_claims(1, SHOWN_MAX)
    assert shown(claims, MEMBERS) == claims
    assert shown_count(claims) == SHOWN_MAX


def test_of_many_claims_every_publisher_shows_the_first_and_the_last() -> None:
    flood = [pack_place(1, position) + QUALITY_BYTE[None] for position in range(5_000)]
    others = [pack_place(log, position) + QUALITY_BYTE[None] for log in (2, 3) for position in (7, 8, 9)]
    claims = b"".join([*flood, *others])
    found = each(shown(claims, MEMBERS))
    assert len(found) == shown_count(claims) == SHOWN_MAX
    assert found == sorted(set(found))
    assert {flood[0], flood[-1], others[0], others[-1]} <= set(found)
    assert each(shown(claims, MEMBERS, 1)) == [flood[-1]]
