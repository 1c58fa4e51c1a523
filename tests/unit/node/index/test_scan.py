from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_node.index import scan
from hashpact_node.index.scan import KEY_BYTES, PDQ_BYTES, SCAN_ROWS, Hit, ScanIndex

CODE = 5
VALUES = st.binary(min_size=PDQ_BYTES, max_size=PDQ_BYTES)


def key(value: bytes) -> bytes:
    return bytes([CODE]) + value


def near(value: bytes, bits: int, draw: random.Random) -> bytes:
    """A value that differs in exactly so many bits."""
    number = int.from_bytes(value, "big")
    for bit in draw.sample(range(8 * PDQ_BYTES), bits):
        number ^= 1 << bit
    return number.to_bytes(PDQ_BYTES, "big")


def naive(values: list[bytes], query: bytes, max_distance: int) -> list[Hit]:
    """The distance of each value, bit by bit."""
    wanted = int.from_bytes(query, "big")
    distances = {value: (int.from_bytes(value, "big") ^ wanted).bit_count() for value in values}
    hits = [Hit(key(value), distance) for value, distance in distances.items() if distance <= max_distance]
    return sorted(hits, key=lambda hit: (hit.distance, hit.key))


def filled(values: list[bytes]) -> ScanIndex:
    index = ScanIndex(CODE)
    index.add(map(key, values))
    return index


@given(VALUES, st.lists(st.integers(0, 256), max_size=30), st.integers(0, 256), st.randoms(use_true_random=False))
def test_hits_are_those_of_a_naive_search(
    query: bytes, distances: list[int], max_distance: int, draw: random.Random
) -> None:
    values = [near(query, bits, draw) for bits in distances]
    assert filled(values).search(query, max_distance) == naive(values, query, max_distance)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_steps_of_a_scan_miss_nothing_between_them(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(scan, "SCAN_ROWS", rows)
    draw = random.Random(1)
    query = draw.randbytes(PDQ_BYTES)
    values = [near(query, bits, draw) for bits in (0, 31, 32, 3, 256, 31, 40)]
    index = ScanIndex(CODE)
    for value in values:
        index.add([key(value)])
    assert len(index) == 7
    assert index.search(query, 31) == naive(values, query, 31)
    assert [hit.distance for hit in index.search(query, 31)] == [0, 3, 31, 31]


def test_the_limit_counts_still() -> None:
    draw = random.Random(2)
    query = draw.randbytes(PDQ_BYTES)
    index = filled([near(query, 31, draw), near(query, 32, draw)])
    assert [hit.distance for hit in index.search(query, 31)] == [31]
    assert [hit.distance for hit in index.search(query, 256)] == [31, 32]
    assert filled([bytes(PDQ_BYTES)]).search(b"\xff" * PDQ_BYTES, 256) == [Hit(key(bytes(PDQ_BYTES)), 256)]


def test_a_key_that_stands_twice_is_one_hit() -> None:
    value = bytes(range(PDQ_BYTES))
    index = filled([value, value])
    index.add([key(value)])
    assert len(index) == 3
    assert index.search(value, 0) == [Hit(key(value), 0)]


def test_an_empty_index_has_no_hits() -> None:
    index = ScanIndex(CODE)
    assert len(index) == 0
    assert index.search(bytes(PDQ_BYTES), 256) == []
    index.add([])
    assert index.search(bytes(PDQ_BYTES), 256) == []


def test_keys_of_other_types_are_passed_over() -> None:
    value = bytes(PDQ_BYTES)
    index = ScanIndex(CODE)
    index.add([b"\x03" + value, b"", key(value)[:-1], key(value) + b"x", b"\xffpdq\0x"])
    assert len(index) == 0
    index.add([b"\x03" + value, key(value)])
    assert index.search(value, 0) == [Hit(key(value), 0)]
    assert len(key(value)) == KEY_BYTES


@pytest.mark.parametrize("length", [0, 8, 31, 33, 64])
def test_a_query_that_is_no_pdq_hash_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"size|shape|multiple"):
        filled([bytes(PDQ_BYTES)]).search(bytes(length), 31)


def test_it_grows_beyond_what_was_reserved() -> None:
    draw = random.Random(3)
    batches = [draw.randbytes(PDQ_BYTES * count) for count in (10, SCAN_ROWS, 1, 50_000)]
    index = ScanIndex(CODE)
    values: list[bytes] = []
    for batch in batches:
        new = [batch[at : at + PDQ_BYTES] for at in range(0, len(batch), PDQ_BYTES)]
        index.add(map(key, new))
        values += new
        assert len(index) == len(values)
    for value in (values[0], values[9], values[10], values[SCAN_ROWS], values[-1]):
        assert Hit(key(value), 0) in index.search(value, 0)


def test_searches_go_on_while_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "SCAN_ROWS", 64)
    draw = random.Random(4)
    values = [draw.randbytes(PDQ_BYTES) for _ in range(2_000)]
    index = ScanIndex(CODE)
    together = threading.Barrier(3)
    missed: list[bytes] = []

    def add_and_search(part: list[bytes]) -> None:
        together.wait()
        for at in range(0, len(part), 5):
            index.add(map(key, part[at : at + 5]))
            missed.extend(value for value in part[at : at + 5] if index.search(value, 0) != [Hit(key(value), 0)])

    threads = [threading.Thread(target=add_and_search, args=(values[at::3],)) for at in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missed == []
    assert len(index) == len(values)
    assert all(index.search(value, 0) == [Hit(key(value), 0)] for value in values[::50])
