from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.errors import SignalError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.signals import (
    KEY_VALUE_MAX_BYTES,
    SIGNAL_TYPES,
    Comparison,
    Signal,
    parse_signal,
    parse_signal_key,
    signal_key,
)
from vectors_lookup import Vector, vectors


def as_expected(signal: Signal) -> dict[str, Any]:
    claim = {
        "type": signal.type,
        "value": signal.value,
        "quality": signal.quality,
        "blob_length": signal.blob_length,
    }
    return {name: value for name, value in claim.items() if value is not None}


@pytest.mark.parametrize("vector", vectors("signals"), ids=str)
def test_vectors(vector: Vector) -> None:
    if vector.must_fail:
        with pytest.raises(SignalError) as caught:
            parse_signal(vector.json("signal.json"))
        assert caught.value.code == vector.expected["code"]
        return
    signal = parse_signal(vector.json("signal.json"))
    assert as_expected(signal) == vector.expected
    assert signal.key == signal_key(signal.type, signal.value)
    assert parse_signal_key(signal.key) == shown(signal)


def shown(signal: Signal) -> tuple[str, str]:
    """What the key of a signal still tells of it."""
    if len(signal.value) <= 1_024:
        return signal.type, signal.value
    return signal.type, "sha256:" + sha256(signal.value.encode()).hexdigest()


def test_keys_are_a_code_and_the_raw_bytes() -> None:
    assert signal_key("pdq", "ab" * 32) == b"\x05" + b"\xab" * 32
    assert signal_key("tlsh", "T1" + "AB" * 35) == b"\x06" + b"\xab" * 35
    assert signal_key("vpdq", "ab" * 32) == b"\x08" + b"\xab" * 32
    assert signal_key("wave", "a~") == b"\xffwave\0a~"


@pytest.mark.parametrize("length", [1_023, 1_024, 1_025, 4_096])
def test_a_long_value_stands_in_its_key_by_its_sha256(length: int) -> None:
    value = "~" * length
    signal = parse_signal({"type": "wave", "value": value})
    assert signal.value == value
    if length <= 1_024:
        assert signal.key == b"\xffwave\0" + value.encode()
    else:
        assert signal.key == b"\xffwave\0\0" + sha256(value.encode()).digest()
    assert parse_signal_key(signal.key) == shown(signal)


def test_a_value_that_looks_like_a_long_one_has_another_key() -> None:
    long = signal_key("wave", "~" * 4_096)
    name, text = parse_signal_key(long)
    assert (name, text[:7], len(text)) == ("wave", "sha256:", 71)
    assert signal_key(name, text) == b"\xffwave\0" + text.encode()
    assert parse_signal_key(signal_key(name, text)) == (name, text)


def test_keys_fit_in_a_row_of_an_index() -> None:
    most = len(signal_key("a" * 32, "~" * KEY_VALUE_MAX_BYTES))
    assert most < 2_704  # bytes, of a B-tree of PostgreSQL
    assert len(signal_key("a" * 32, "~" * LIMITS.signal_value_max_bytes)) < most


@given(st.binary(min_size=32, max_size=32), st.from_regex(r"[a-z0-9_]{1,32}", fullmatch=True))
def test_every_hash_makes_a_long_key(digest: bytes, name: str) -> None:
    key = b"\xff" + name.encode() + b"\0\0" + digest
    if name in SIGNAL_TYPES:
        with pytest.raises(SignalError):
            parse_signal_key(key)
    else:
        assert parse_signal_key(key) == (name, "sha256:" + digest.hex())


def test_codes_differ_and_stay() -> None:
    codes = {name: known.code for name, known in SIGNAL_TYPES.items()}
    assert codes == {
        "md5": 1,
        "sha1": 2,
        "sha256": 3,
        "sha512": 4,
        "pdq": 5,
        "tlsh": 6,
        "url_sha256": 7,
        "vpdq": 8,
        "tmk": 9,
        "photodna": 10,
    }


def test_how_values_compare() -> None:
    distances = {
        name: (known.comparison, known.threshold)
        for name, known in SIGNAL_TYPES.items()
        if known.comparison is not Comparison.EXACT
    }
    assert distances == {
        "pdq": (Comparison.PDQ, 31),
        "tlsh": (Comparison.TLSH, 30),
        "vpdq": (Comparison.FRAMES, 31),
        "tmk": (Comparison.NONE, 0),
        "photodna": (Comparison.NONE, 0),
    }
    assert {name: known.quality_min for name, known in SIGNAL_TYPES.items() if known.quality_min} == {"pdq": 50}


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\x00" + b"a" * 32,
        b"\x05",
        b"\x05" + b"a" * 31,
        b"\xff",
        b"\xffwave",
        b"\xffwave\0",
        b"\xffWAVE\0a",
        b"\xffwave\0\xe9",
        b"\xffpdq\0" + b"ab" * 32,
        b"\x0bwave\0a",
        b"\xffwave\0\0" + b"a" * 31,
        b"\xffwave\0\0" + b"a" * 33,
        b"\xffWAVE\0\0" + b"a" * 32,
        b"\xff\0\0" + b"a" * 32,
        b"\xff" + b"a" * 33 + b"\0\0" + b"a" * 32,
        b"\xffpdq\0\0" + b"a" * 32,
        b"\xffwave\0" + b"a" * 1_025,
    ],
)
def test_other_bytes_are_no_key(key: bytes) -> None:
    with pytest.raises(SignalError):
        parse_signal_key(key)


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda rest: b"\xff" + rest))
def test_a_key_that_is_read_is_written_the_same(key: bytes) -> None:
    try:
        pair = parse_signal_key(key)
    except SignalError:
        return
    assert signal_key(*pair) == key


@pytest.mark.parametrize(("name", "value"), [("Pdq", "a"), ("", "a"), ("wave", ""), ("sha256", "AB" * 32)])
def test_no_key_of_what_has_no_form(name: str, value: str) -> None:
    with pytest.raises(SignalError):
        signal_key(name, value)


ITEMS: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*SIGNAL_TYPES, "wave", "", 5, None]),
        "value": st.text(max_size=5)
        | st.sampled_from(["ab" * 32, "AB" * 32, "T1" + "AB" * 35, "~" * 1_025, None, 7, []]),
        "quality": st.integers(-2, 102) | st.sampled_from([True, None, "5"]),
        "sha256": st.sampled_from(["ab" * 32, "AB" * 32, None, 5]),
        "length": st.integers(-1, 3) | st.sampled_from([2**24, 2**24 + 1, True, None, "5"]),
    },
)


@given(ITEMS)
def test_an_item_is_a_claim_or_a_signal_error(item: dict[str, object]) -> None:
    try:
        signal = parse_signal(item)
    except SignalError:
        return
    assert parse_signal_key(signal.key) == shown(signal)
    assert (signal.quality is None) is (signal.type != "pdq")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("x", "a signal is an object"),
        ({"type": "md5", "value": "AB"}, "value: a value of md5 is 32 lower-case hex digits"),
        ({"type": "tlsh", "value": "T2"}, "value: a value of tlsh is T1 and 70 upper-case hex digits"),
        ({"type": "pdq", "value": "ab" * 32, "quality": 101}, "quality: is no integer of 0 to 100"),
        ({"type": "tmk", "sha256": "ab" * 32}, "length: is no integer of 1 to 16777216"),
    ],
)
def test_the_reason_says_what_and_where(item: object, reason: str) -> None:
    with pytest.raises(SignalError) as caught:
        parse_signal(item)
    assert str(caught.value) == reason
