from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.errors import StatementError
from vectors_lookup import Vector, vectors

INTEGERS = st.integers(min_value=1 - 2**53, max_value=2**53 - 1)
TEXTS = st.text(st.characters(codec="utf-8"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize("vector", vectors("canonical"), ids=str)
def test_vectors(vector: Vector) -> None:
    entry = vector.read("entry.json", "entry.bin")
    if vector.must_fail:
        with pytest.raises(StatementError) as caught:
            parse_canonical(entry)
        assert caught.value.code == vector.expected["code"]
        return
    assert canonical_bytes(parse_canonical(entry)) == entry
    if vector.has("value.json"):
        assert canonical_bytes(vector.json("value.json")) == entry


@given(VALUES.filter(lambda value: depth(value) <= 8))
def test_what_is_written_is_what_the_oracle_writes_and_reads_back(value: Any) -> None:
    written = canonical_bytes(value)
    assert written == rfc8785.dumps(value)
    assert parse_canonical(written) == value


def test_every_character_is_written_as_the_oracle_writes_it() -> None:
    for first in range(0, 0x110000, 0x800):
        text = "".join(map(chr, range(first, first + 0x800)))
        if 0xD800 <= first < 0xE000:
            continue
        assert canonical_bytes(text) == rfc8785.dumps(text)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_any_other_spelling_is_refused(value: Any, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001 - hypothesis passes it
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=(",", ":")).encode()
    if depth(value) <= 8 and text == rfc8785.dumps(value):
        assert parse_canonical(text) == value
    else:
        with pytest.raises(StatementError):
            parse_canonical(text)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        value = parse_canonical(data)
    except StatementError:
        return
    assert canonical_bytes(value) == data


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (1.0, "type float"),
        ({"a": 1.5}, "type float"),
        (2**53, "2^53-1"),
        (-(2**53), "2^53-1"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({1: 2}, "no string"),
        ({"a": {1, 2}}, "type set"),
        (b"bytes", "type bytes"),
        ([[[[[[[[[]]]]]]]]], "deeper than 8"),
    ],
)
def test_what_has_no_canonical_form_is_not_written(value: object, what: str) -> None:
    with pytest.raises(StatementError) as caught:
        canonical_bytes(value)
    assert what in str(caught.value)


def test_tuples_are_arrays() -> None:
    assert canonical_bytes({"b": (1, True, None), "a": ()}) == b'{"a":[],"b":[1,true,null]}'


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b'{"a": 1}', "byte 5"),
        (b'{"a":1}\n', "byte 7"),
        (b'{"a":1,"a":2}', "byte 5"),
        (b'{"a"', "character 4"),
        (b'{"a":"\xff"}', "byte 6"),
        (b'{"a":1.5}', "1.5"),
        (b'{"a":' + b"7" * 5_000 + b"}", "7" * 24),
    ],
)
def test_the_error_says_where(data: bytes, where: str) -> None:
    with pytest.raises(StatementError) as caught:
        parse_canonical(data)
    assert caught.value.where == where
