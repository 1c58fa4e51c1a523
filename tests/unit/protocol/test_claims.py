from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.claims import (
    CLAIM_BYTES,
    EXPIRED,
    LOG_NUMBER_MAX,
    NO_QUALITY,
    QUALITY_BYTE,
    QUALITY_MIN,
    Claim,
    Place,
    claim_counts,
    decide_claims,
    join_claims,
    pack_claim,
    pack_place,
    publishers,
    unpack_claims,
)
from hashpact_protocol.policy import MEMBERS_AGREE, NONE_COUNTS, NOT_CLAIMED, ONE_MEMBER, OWN_LISTING

PLACES = st.builds(Place, st.integers(0, LOG_NUMBER_MAX), st.integers(0, 2**32 - 1))
FEW_PLACES = st.builds(Place, st.integers(1, 2), st.integers(0, 3))
QUALITIES = st.none() | st.integers(0, 100)
STANDING = st.dictionaries(FEW_PLACES, st.tuples(QUALITIES, st.booleans()), max_size=6)
ADDED = st.dictionaries(FEW_PLACES, QUALITIES, max_size=6)

MEMBERS = {1: 10, 2: 10, 3: 20, 4: 30}
"""Logs 1 and 2 are of member 10, log 3 of member 20, log 4 of member 30."""


def packed(claims: dict[Place, tuple[int | None, bool]]) -> bytes:
    """Pack claims, some of them expired, the plain way."""
    parts = []
    for place in sorted(claims):
        quality, expired = claims[place]
        last = (NO_QUALITY if quality is None else quality) + (EXPIRED if expired else 0)
        parts.append(place.log.to_bytes(3, "big") + place.position.to_bytes(4, "big") + bytes([last]))
    return b"".join(parts)


def claims_of(*claims: tuple[int, int | None]) -> bytes:
    """Claims of (log, quality), in order."""
    return b"".join(pack_claim(log, at, quality) for at, (log, quality) in enumerate(claims))


def expired(log: int) -> bytes:
    return join_claims(pack_claim(log, 9, None), expire=[Place(log, 9)])


@given(PLACES, QUALITIES)
def test_a_claim_is_eight_bytes_and_comes_back(place: Place, quality: int | None) -> None:
    claim = pack_claim(*place, quality)
    assert claim == packed({place: (quality, False)})
    assert len(claim) == CLAIM_BYTES
    assert claim == pack_place(*place) + QUALITY_BYTE[quality]
    assert unpack_claims(claim) == [Claim(*place, quality, expired=False)]


@given(st.lists(PLACES, unique=True))
def test_packed_claims_sort_as_their_places_do(places: list[Place]) -> None:
    assert [pack_place(*place) for place in sorted(places)] == sorted(pack_place(*place) for place in places)


@pytest.mark.parametrize("place", [(LOG_NUMBER_MAX + 1, 0), (2**32, 0), (-1, 0), (0, 2**32), (0, -1)])
def test_numbers_beyond_their_width_are_refused(place: tuple[int, int]) -> None:
    with pytest.raises(struct.error):
        pack_claim(*place, None)


@pytest.mark.parametrize("quality", [-1, 101, NO_QUALITY, EXPIRED, 255])
def test_what_is_no_quality_is_refused(quality: int) -> None:
    with pytest.raises(KeyError):
        pack_claim(1, 1, quality)


@given(STANDING)
def test_unpacking_gives_what_was_packed(standing: dict[Place, tuple[int | None, bool]]) -> None:
    assert unpack_claims(packed(standing)) == [
        Claim(*place, quality, expired) for place, (quality, expired) in sorted(standing.items())
    ]


def test_bytes_that_are_no_whole_claims_are_refused() -> None:
    with pytest.raises(struct.error):
        unpack_claims(bytes(CLAIM_BYTES + 1))


@given(STANDING, ADDED, st.sets(FEW_PLACES), st.sets(FEW_PLACES))
def test_joining_is_removing_adding_and_expiring_in_that_order(
    standing: dict[Place, tuple[int | None, bool]],
    added: dict[Place, int | None],
    remove: set[Place],
    expire: set[Place],
) -> None:
    after = {place: claim for place, claim in standing.items() if place not in remove}
    after |= {place: (quality, False) for place, quality in added.items()}
    after = {place: (quality, gone or place in expire) for place, (quality, gone) in after.items()}
    add = b"".join(pack_claim(*place, quality) for place, quality in added.items())
    assert join_claims(packed(standing), add=add, remove=remove, expire=expire) == packed(after)


@given(STANDING, ADDED, ADDED)
def test_adding_in_any_order_gives_the_same(
    standing: dict[Place, tuple[int | None, bool]], first: dict[Place, int | None], second: dict[Place, int | None]
) -> None:
    one = b"".join(pack_claim(*place, quality) for place, quality in first.items())
    other = b"".join(pack_claim(*place, quality) for place, quality in second.items() if place not in first)
    data = packed(standing)
    assert join_claims(join_claims(data, add=one), add=other) == join_claims(join_claims(data, add=other), add=one)


@pytest.mark.parametrize("quality", [None, *range(101)])
def test_a_claim_counts_with_a_quality_from_50_on_or_none(quality: int | None) -> None:
    last = QUALITY_BYTE[quality][0]
    assert claim_counts(last) is (quality is None or quality >= QUALITY_MIN == 50)
    assert not claim_counts(last | EXPIRED)


@pytest.mark.parametrize(
    ("claims", "decision"),
    [
        (b"", NOT_CLAIMED),
        (claims_of((3, None)), ONE_MEMBER),
        (claims_of((1, None), (1, None), (2, 90)), ONE_MEMBER),
        (claims_of((1, None), (3, None)), MEMBERS_AGREE),
        (claims_of((1, 49), (3, 50)), ONE_MEMBER),
        (claims_of((1, 0), (3, 49)), NONE_COUNTS),
        (claims_of((4, None)), OWN_LISTING),
        (claims_of((1, None), (3, None), (4, None)), OWN_LISTING),
        (claims_of((1, None), (3, None), (4, 10)), MEMBERS_AGREE),
        (claims_of((1, None)) + expired(3), ONE_MEMBER),
        (expired(3), NONE_COUNTS),
        (claims_of((1, None), (3, None)) + expired(4), MEMBERS_AGREE),
    ],
)
def test_decisions(claims: bytes, decision: object) -> None:
    assert decide_claims(claims, MEMBERS, own=30) == decision


def test_publishers_are_all_who_claim() -> None:
    assert publishers(b"", MEMBERS) == frozenset()
    assert publishers(claims_of((1, None), (2, 0)) + expired(4), MEMBERS) == {10, 30}
