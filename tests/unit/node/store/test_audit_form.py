"""What an entry says, and what it never says."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_node.store.audit_form import (
    DETAILS_MAX,
    ENTRY_MAX_BYTES,
    LIST_MAX,
    TEXT_MAX,
    Event,
    clean,
    write_entry,
)
from hashpact_protocol.canonical import parse_canonical

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def told(event: Event, number: int = 1) -> Any:
    return parse_canonical(write_entry(event, number, bytes(32), NOW))


def test_an_entry_says_who_did_what_when_from_where_with_what_result() -> None:
    event = Event(
        "token", "k1", "add_peer", "192.0.2.7", "beta", "conflict", {"status": 409, "alone": True, "files": ["a", "b"]}
    )
    assert told(event, 17) == {
        "n": 17,
        "time": "2026-11-24T04:00:00Z",
        "actor": {"kind": "token", "name": "k1", "address": "192.0.2.7"},
        "action": "add_peer",
        "subject": "beta",
        "result": "conflict",
        "detail": {"status": 409, "alone": True, "files": ["a", "b"]},
        "before": "00" * 32,
    }


def test_what_is_none_or_empty_is_left_out() -> None:
    assert told(Event("job", "x", "y", detail={"a": None, "b": "", "c": [], "d": False, "e": 0}))["detail"] == {
        "d": False,
        "e": 0,
    }


@pytest.mark.parametrize(
    "secret",
    [
        "https://user:hunter2@db.example/x",
        "postgresql://hashpact:hunter2@127.0.0.1/x",
        "postgresql:///x?password=hunter2&sslmode=require",
        "pkcs11:token=acme;object=release?pin-value=hunter2",
        "HASHPACT_PASSPHRASE=hunter2 hashpact publish",
        '{"passphrase": "hunter2 and more"}',
        "Authorization: Bearer hunter2-hunter2",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
    ],
)
def test_no_secret_comes_in(secret: str) -> None:
    event = Event(secret, secret, secret, secret, secret, secret, {secret: secret, "list": [secret, secret]})
    assert b"hunter2" not in write_entry(event, 1, bytes(32), NOW)
    assert "hunter2" not in clean("x" * (TEXT_MAX - 40) + " " + secret, TEXT_MAX)


def test_what_is_no_secret_stays() -> None:
    for text in (
        "pkcs11:token=acme;object=release",
        "mailto:a@b.example",
        "keys/pin.txt",
        "ab" * 32,
        "the pin is lost",
    ):
        assert clean(text, TEXT_MAX) == text


def test_what_outsiders_write_is_cut_and_cannot_steer_a_terminal() -> None:
    assert clean("a\x1b[31m\r\n\u202e\udc80b", TEXT_MAX) == "a\\x1b[31m\\r\\n\\u202e\\udc80b"
    assert clean("x" * 10_000, 5) == "xxxx…"
    many = told(Event("job", "x", "y", detail={f"d{n}": [str(i) for i in range(1000)] for n in range(1000)}))["detail"]
    assert len(many) == DETAILS_MAX
    assert [len(one) for one in many.values()] == [LIST_MAX + 1] * DETAILS_MAX
    assert many["d0"][-1] == f"and {1000 - LIST_MAX} more"
    assert told(Event("job", "x", "y", detail={"n": 2**60}))["detail"] == {"n": str(2**60)}


TEXTS = st.text(max_size=2 * TEXT_MAX) | st.text(string.printable, max_size=10)


@given(
    st.builds(
        Event, *[TEXTS] * 6, st.dictionaries(TEXTS, TEXTS | st.integers() | st.lists(TEXTS, max_size=3), max_size=5)
    )
)
def test_whatever_comes_is_an_entry(event: Event) -> None:
    entry = write_entry(event, 1, bytes(32), NOW)
    assert parse_canonical(entry)["n"] == 1
    assert b"\n" not in entry
    assert len(entry) < ENTRY_MAX_BYTES


def test_the_longest_entry_is_within_its_cap() -> None:
    widest = "\U0001f9ff\ue000" * 10_000  # four bytes, or escaped
    values = {f"{n}{widest}": [widest] * 100 for n in range(100)}
    assert len(write_entry(Event(widest, widest, widest, widest, widest, widest, values), 1, bytes(32), NOW)) < (
        ENTRY_MAX_BYTES
    )
