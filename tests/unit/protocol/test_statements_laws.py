"""Every statement that can be made is written and read back as itself, by the exact rule and by the fast path alike."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.signals import SIGNAL_TYPES, Signal, make_signal, parse_signal_key
from hashpact_protocol.statements import (
    HANDLINGS,
    STATUSES,
    VERDICTS,
    Incident,
    Listing,
    Opinion,
    Statement,
    WellFormed,
    Withdrawal,
    encode_statement,
    parse_statement,
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
IDS = st.integers(0, 2**128 - 1).map(lambda number: str(UUID(int=number, version=4)))
TIMES = st.datetimes().map(lambda time: f"{time:%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0"))
MAYBE_TEXT, MAYBE_TIME = st.none() | TEXTS, st.none() | TIMES
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    known = draw(st.sampled_from(list(SIGNAL_TYPES.values())) | st.none())
    if known is None:
        name = draw(st.from_regex(r"[a-z0-9_]{1,32}", fullmatch=True).filter(lambda text: text not in SIGNAL_TYPES))
        visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
        return make_signal(name, draw(visible))
    if known.blob:
        return make_signal(known.name, sha256=draw(DIGESTS), length=draw(st.integers(1, 16 * 1024 * 1024)))
    raw = draw(st.binary(min_size=known.digits // 2, max_size=known.digits // 2)).hex()
    value = known.prefix + (raw.upper() if known.upper else raw)
    return make_signal(known.name, value, *(() if known.quality_min is None else (draw(st.integers(0, 100)),)))


LISTINGS = st.builds(
    Listing,
    id=IDS,
    time=TIMES,
    content=TEXTS,
    signals=st.lists(signals(), min_size=1, max_size=4, unique_by=lambda signal: signal.key).map(tuple),
    labels=st.lists(TEXTS, max_size=3).map(tuple),
    confirmed=MAYBE_TEXT,
    handling=st.sampled_from(HANDLINGS),
    origin=TEXTS,
    incident=st.none() | IDS,
    expires=MAYBE_TIME,
    review_by=MAYBE_TIME,
    note=MAYBE_TEXT,
    preserve=st.booleans(),
)
WITHDRAWALS = st.builds(Withdrawal, id=IDS, time=TIMES, listing=IDS, reason=TEXTS, note=MAYBE_TEXT)
OPINIONS = st.builds(
    Opinion,
    id=IDS,
    time=TIMES,
    member=TEXTS,
    log=TEXTS,
    listing=IDS,
    leaf=DIGESTS,
    verdict=st.sampled_from(VERDICTS),
    reason=MAYBE_TEXT,
    note=MAYBE_TEXT,
)
INCIDENTS = st.builds(
    Incident,
    id=IDS,
    time=TIMES,
    incident=IDS,
    status=st.sampled_from(STATUSES),
    title=MAYBE_TEXT,
    type=MAYBE_TEXT,
    note=MAYBE_TEXT,
)
PLACED = st.one_of(
    st.tuples(LISTINGS | WITHDRAWALS, st.sampled_from(["listings", "crisis"])),
    st.tuples(OPINIONS, st.just("opinions")),
    st.tuples(INCIDENTS, st.just("crisis")),
)
LOOSE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


def known_part(statement: Statement) -> WellFormed:
    assert isinstance(statement, (Listing, Withdrawal, Opinion, Incident))
    return statement


@given(PLACED)
def test_what_is_written_reads_back_as_itself(placed: tuple[WellFormed, str]) -> None:
    statement, log_kind = placed
    entry = encode_statement(statement, log_kind=log_kind)
    assert parse_statement(entry, log_kind) == statement
    assert parse_entries([entry], log_kind) == [statement]
    assert encode_statement(known_part(parse_statement(entry, log_kind)), log_kind=log_kind) == entry


@given(PLACED, st.dictionaries(TEXTS.map(lambda name: f"x-{name}"), LOOSE, min_size=1, max_size=3))
def test_unknown_fields_change_nothing(placed: tuple[WellFormed, str], more: dict[str, Any]) -> None:
    statement, log_kind = placed
    entry = canonical_bytes(parse_canonical(encode_statement(statement)) | more)
    assert parse_statement(entry, log_kind) == statement
    assert parse_entries([entry], log_kind) == [statement]


@given(signals())
def test_a_claim_is_known_by_its_key(signal: Signal) -> None:
    assert parse_signal_key(signal.key) == (signal.type, signal.value)
