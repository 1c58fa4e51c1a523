from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.canonical import canonical_bytes
from hashpact_protocol.errors import StatementError
from hashpact_protocol.parsing import _plain, parse_entries
from hashpact_protocol.signals import SIGNAL_TYPES
from hashpact_protocol.statements import Listing, Malformed, Statement, Unknown, parse_statement
from vectors.statement_material import INCIDENT, LISTING, LOG_OF, OPINION, PDQ_SIGNAL, SHA256_SIGNAL, WITHDRAWAL, digest
from vectors_lookup import Vector, vectors

LOGS = ("listings", "crisis", "opinions")
VECTORS = [*vectors("statements"), *vectors("canonical")]
ENTRIES = [vector.read("entry.json", "entry.bin") for vector in VECTORS]


def one_by_one(entries: list[bytes], log_kind: str) -> list[Statement | Malformed]:
    answers: list[Statement | Malformed] = []
    for entry in entries:
        try:
            answers.append(parse_statement(entry, log_kind))
        except StatementError as error:
            answers.append(Malformed(error.code, str(error)))
    return answers


@pytest.mark.parametrize("vector", vectors("statements"), ids=str)
def test_vectors(vector: Vector) -> None:
    entry, log_kind = vector.read("entry.json", "entry.bin"), vector.json("input.json")["log_kind"]
    [answer] = parse_entries([entry], log_kind)
    assert isinstance(answer, Malformed) is vector.must_fail
    if isinstance(answer, Malformed):
        assert answer.code == vector.expected["code"]
        assert answer.reason
    else:
        assert answer == parse_statement(entry, log_kind)


@pytest.mark.parametrize("log_kind", LOGS)
def test_a_bundle_of_all_vectors(log_kind: str) -> None:
    assert parse_entries(ENTRIES, log_kind) == one_by_one(ENTRIES, log_kind)


def test_an_empty_bundle() -> None:
    assert parse_entries([], "listings") == []


@given(st.lists(st.sampled_from(ENTRIES), max_size=6), st.sampled_from(LOGS))
def test_neighbours_do_not_matter(entries: list[bytes], log_kind: str) -> None:
    assert parse_entries(entries, log_kind) == one_by_one(entries, log_kind)


@given(st.binary(max_size=200), st.sampled_from(LOGS))
def test_any_bytes(entry: bytes, log_kind: str) -> None:
    assert parse_entries([entry], log_kind) == one_by_one([entry], log_kind)


@given(
    st.sampled_from([entry for entry in ENTRIES if 0 < len(entry) < 2_000]),
    st.integers(0, 2_000),
    st.integers(0, 3),
    st.binary(max_size=3) | st.sampled_from([b"0", b"\\u0041", b'"', b",", b"\xed\xa0\x80", b" ", b"{", b"]", b"null"]),
    st.sampled_from(LOGS),
)
def test_mutated_entries(entry: bytes, place: int, cut: int, put: bytes, log_kind: str) -> None:
    place %= len(entry)
    mutated = entry[:place] + put + entry[place + cut :]
    assert parse_entries([mutated], log_kind) == one_by_one([mutated], log_kind)


@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b'{"kind":"listing","signals":[', b'{"kind":[', b'{"signals":{"type":']
)
@pytest.mark.parametrize("levels", [7, 8, 9, 500, 1_000, 3_000, 100_000])
def test_towers(opening: bytes, levels: int) -> None:
    entry = opening * levels
    [answer] = parse_entries([entry], "listings")
    assert isinstance(answer, Malformed)
    assert one_by_one([entry], "listings") == [answer]


@pytest.mark.parametrize("digits", [16, 17, 20, 400, 4_300, 4_301, 15_000])
@pytest.mark.parametrize("field", [b"length", b"quality"])
def test_long_numbers_in_a_signal(field: bytes, digits: int) -> None:
    hidden = b'{%%b"sha256":"%b","type":"vpdq"}' % (b"ab" * 32)
    hidden = hidden.replace(b"%b", b'"%b":%b,' % (field, b"9" * digits))
    listing = canonical_bytes(LISTING | {"signals": [0]}).replace(b"[0]", b"[%b]" % hidden)
    assert parse_entries([listing], "listings") == one_by_one([listing], "listings")


WORDS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 5, 101, 2**53 - 1, -1, "", "own", "members", "n" * 4_097, "\u20ac" * 1_365, [], {}, ["a"]]
) | st.text(st.characters(codec="utf-8"), max_size=6)
ITEMS: st.SearchStrategy[Any] = WORDS | st.fixed_dictionaries(
    {"type": st.sampled_from([*SIGNAL_TYPES, "wave", "WAVE"])},
    optional={
        "value": st.sampled_from([digest("1"), digest("1")[:40], "AB" * 32, "T1" + "AB" * 35, "abc", "\xe9", None]),
        "quality": st.sampled_from([0, 50, 100, 101, -1, True, None, "5", 2**53 - 1]),
        "sha256": st.sampled_from([digest("1"), "AB" * 32, None]),
        "length": st.sampled_from([0, 1, 9, 2**24, 2**24 + 1, True, "5", 2**53 - 1]),
        "zeta": WORDS,
    },
)
CHANGES = st.dictionaries(
    st.sampled_from(
        sorted({"note", "labels", "expires", "preserve", "handling", "zeta", *LISTING, *OPINION, *INCIDENT})
    ),
    WORDS,
    max_size=2,
)


@given(
    st.sampled_from([LISTING, WITHDRAWAL, OPINION, INCIDENT]),
    CHANGES,
    st.none() | st.lists(ITEMS | st.sampled_from([PDQ_SIGNAL, SHA256_SIGNAL]), max_size=4),
    st.none() | st.lists(st.text(max_size=40) | WORDS, max_size=3),
    st.sampled_from(LOGS),
)
def test_changed_statements(
    statement: dict[str, Any],
    changes: dict[str, Any],
    signals: list[Any] | None,
    labels: list[Any] | None,
    log_kind: str,
) -> None:
    changed = statement | changes
    if signals is not None:
        changed = changed | {"signals": signals}
    if labels is not None:
        changed = changed | {"labels": labels}
    entry = canonical_bytes(changed)
    assert parse_entries([entry], log_kind) == one_by_one([entry], log_kind)


def fast(statement: dict[str, Any], log_kind: str | None = None) -> Statement | None:
    return _plain(canonical_bytes(statement), log_kind or LOG_OF[statement["kind"]])


def test_the_fast_way_is_taken_by_what_is_usual() -> None:
    blob = {"type": "vpdq", "sha256": digest("3"), "length": 9}
    tlsh = {"type": "tlsh", "value": "T1" + "AB" * 35}
    unknown = {"type": "wave", "value": "abc"}
    told = {
        "handling": "members",
        "origin": "own",
        "preserve": False,
        "labels": ["a", "l" * 128],
        "incident": INCIDENT["incident"],
        "expires": "2027-11-24T04:00:00Z",
        "review_by": "2027-05-24T04:00:00Z",
        "note": "n" * 4_096,
        "signals": [PDQ_SIGNAL, SHA256_SIGNAL, blob, tlsh, unknown],
    }
    for statement in (LISTING, LISTING | told, WITHDRAWAL, OPINION, INCIDENT):
        answer = fast(statement)
        assert answer is not None
        assert answer == parse_statement(canonical_bytes(statement), LOG_OF[statement["kind"]])


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x"},
        {"time": "2027-02-29T00:00:00Z"},
        {"incident": "x"},
        {"expires": "x"},
        {"review_by": "x"},
        {"note": "n" * 4_097},
        {"labels": ["a"] * 65},
        {"labels": ["l" * 129]},
        {"zeta": 1},
        {"signals": []},
        {"signals": [SHA256_SIGNAL] * 129},
        {"signals": [SHA256_SIGNAL, SHA256_SIGNAL]},
        {"signals": [SHA256_SIGNAL | {"quality": 5}]},
        {"signals": [SHA256_SIGNAL | {"length": 5}]},
        {"signals": [SHA256_SIGNAL | {"sha256": digest("1")}]},
        {"signals": [{"type": "pdq", "value": digest("1")}]},
        {"signals": [PDQ_SIGNAL | {"quality": 101}]},
        {"signals": [{"type": "md5", "value": "x"}]},
        {"signals": [{"type": "md5", "value": digest("1")}]},
        {"signals": [{"type": "sha256", "value": digest("1").upper()}]},
        {"signals": [{"type": "vpdq", "sha256": digest("1")}]},
        {"signals": [{"type": "sha256"}]},
    ],
)
def test_every_doubt_goes_the_exact_way(change: dict[str, Any]) -> None:
    assert fast(LISTING | change) is None


def test_doubts_about_the_log_and_the_size_go_the_exact_way() -> None:
    assert fast(LISTING, "opinions") is None
    assert fast(OPINION, "listings") is None
    assert fast({"kind": "k" * 20_000}, "listings") is None


def test_a_malformed_entry_leaves_its_neighbours_alone() -> None:
    sound = canonical_bytes(LISTING)
    answers = parse_entries([sound, b"{", canonical_bytes({"kind": "poll", "critical": True}), sound], "listings")
    assert answers[1] == Malformed("statement-malformed", "character 1: not JSON")
    assert answers[2] == Unknown("poll", critical=True)
    assert isinstance(answers[0], Listing)
    assert answers[0] == answers[3]


def test_msgspec_writes_every_character_in_canonical_form() -> None:
    for first in range(0, 0x110000, 0x800):
        if not 0xD800 <= first < 0xE000:
            text = "".join(map(chr, range(first, first + 0x800)))
            assert msgspec.json.encode(text) == canonical_bytes(text)
