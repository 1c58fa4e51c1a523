from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.ed25519 import check_public_key
from hashpact_protocol.errors import NoteError
from vectors.curve import (
    ZERO,
    P,
    canonical,
    encode,
    encodings,
    multiply,
    not_reduced,
    on_curve,
    small_order,
    smallest_y,
)

SMALL = small_order()
EVERY_SMALL = [(point, data) for point in SMALL for data in encodings(point)]


def orders() -> list[int]:
    return [next(order for order in (1, 2, 4, 8) if multiply(order, point) == ZERO) for point in SMALL]


def test_there_are_eight_points_of_small_order() -> None:
    assert all(on_curve(point) for point in SMALL)
    assert len(set(SMALL)) == 8
    assert sorted(orders()) == [1, 2, 4, 4, 8, 8, 8, 8]
    assert len({data for _, data in EVERY_SMALL}) == 14


@pytest.mark.parametrize("data", [data for _, data in EVERY_SMALL], ids=bytes.hex)
def test_no_key_is_of_small_order(data: bytes) -> None:
    with pytest.raises(NoteError, match="small order"):
        check_public_key(data)


@pytest.mark.parametrize("data", [*not_reduced(), encode(2**255 - 1, 0), encode(2**255 - 1, 1)], ids=bytes.hex)
def test_no_key_has_a_second_spelling(data: bytes) -> None:
    with pytest.raises(NoteError, match="not in canonical form"):
        check_public_key(data)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_has_32_bytes(length: int) -> None:
    with pytest.raises(NoteError, match="32 bytes"):
        check_public_key(b"\x02" * length)


def test_neighbours_are_keys() -> None:
    check_public_key(canonical(smallest_y()))
    for _, y in SMALL:
        for near in (y - 1, y + 1):
            if 1 < near < P - 1:
                check_public_key(encode(near, 0))
                check_public_key(encode(near, 1))


@given(st.binary(min_size=32, max_size=32))
def test_keys_that_are_made_are_taken(seed: bytes) -> None:
    check_public_key(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
