from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hashpact_keys.rotation import (
    DATED_ROWS,
    GRACE,
    KEPT,
    LOG_ROWS,
    OVERLAP,
    named_keys,
    with_log_key,
    with_log_key_alone,
    with_next_key,
    with_only_key,
)
from hashpact_keys.rows import RowName
from hashpact_protocol.card import Card, RequestKey, WitnessKey, encode_card, parse_card
from hashpact_protocol.card_logs import CardLog, Final, LogKind, LogState
from hashpact_protocol.errors import ConflictError, HashpactError, RequestError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.notes import KeyType, VerifierKey
from unit.keys.trust_simulator import NOW

URL, PREFIX = "https://acme.example", "acme.example"
YEAR = timedelta(days=365)
KEYS = [Ed25519PrivateKey.generate().public_key().public_bytes_raw() for _ in range(40)]
RELEASE, CRISIS, WITNESS, REQUEST = KEYS[:4]


def log(slug: str, kind: LogKind, key: bytes, *, final: Final | None = None) -> CardLog:
    origin = f"{PREFIX}/logs/{slug}"
    state = LogState.OPEN if final is None else LogState.CLOSED
    keys = (VerifierKey(origin, KeyType.ED25519, key),)
    return CardLog(kind.value, kind, origin, f"https://{origin}", keys, state, final=final)


def card_of(*logs: CardLog) -> Card:
    witness = WitnessKey(VerifierKey(f"{PREFIX}/witness-1", KeyType.COSIGNATURE, WITNESS), NOW - YEAR / 2, NOW + YEAR)
    request = RequestKey("acme-request-1", REQUEST, NOW - YEAR / 2, NOW + YEAR)
    return Card("acme", "Acme", URL, (), logs, (witness,), (request,))


CARD = card_of(
    log("listings-1", LogKind.LISTINGS, RELEASE, final=Final(0, EMPTY_ROOT)),
    log("listings-2", LogKind.LISTINGS, RELEASE),
    log("crisis-1", LogKind.CRISIS, CRISIS),
    log("opinions-1", LogKind.OPINIONS, RELEASE),
)


def keys_by_log(card: Card) -> dict[str, list[bytes]]:
    return {log.origin.rpartition("/")[2]: [key.public for key in log.keys] for log in card.logs}


def test_a_log_key_is_named_beside_the_old_one_and_then_alone() -> None:
    new = KEYS[10]
    both = with_log_key(CARD, RowName.RELEASE, new)
    old = [RELEASE]
    assert keys_by_log(both) == {
        "listings-1": old,
        "listings-2": [RELEASE, new],
        "crisis-1": [CRISIS],
        "opinions-1": [RELEASE, new],
    }
    assert with_log_key(both, RowName.RELEASE, new) == both
    alone = with_log_key_alone(both, RowName.RELEASE, new)
    assert keys_by_log(alone) == {"listings-1": old, "listings-2": [new], "crisis-1": [CRISIS], "opinions-1": [new]}
    assert named_keys(both, RowName.RELEASE) == {RELEASE, new}
    assert named_keys(alone, RowName.RELEASE) == {new}
    with pytest.raises(ConflictError, match="does not name the new key"):
        with_log_key_alone(CARD, RowName.RELEASE, new)


def test_the_log_of_an_audience_keeps_its_own_key() -> None:
    audience = replace(log("listings-x1-1", LogKind.LISTINGS, KEYS[9]), name="listings-x1")
    card = replace(CARD, logs=(*CARD.logs, audience))
    assert named_keys(card, RowName.RELEASE) == {RELEASE}
    both = with_log_key(card, RowName.RELEASE, KEYS[10])
    alone = with_log_key_alone(both, RowName.RELEASE, KEYS[10])
    assert keys_by_log(both)["listings-x1-1"] == keys_by_log(alone)["listings-x1-1"] == [KEYS[9]]
    with pytest.raises(RequestError, match="names this key already"):
        with_log_key(card, RowName.RELEASE, KEYS[9])


@pytest.mark.parametrize("row", LOG_ROWS)
@pytest.mark.parametrize("known", [CRISIS, RELEASE, WITNESS, REQUEST])
def test_a_key_that_served_before_is_no_new_log_key(row: RowName, known: bytes) -> None:
    if known in named_keys(CARD, row):
        assert with_log_key(CARD, row, known) == CARD
    else:
        with pytest.raises(RequestError, match="names this key already"):
            with_log_key(CARD, row, known)


def test_the_key_of_a_closed_log_alone_is_no_new_key() -> None:
    card = card_of(
        log("listings-1", LogKind.LISTINGS, RELEASE, final=Final(0, EMPTY_ROOT)),
        log("listings-2", LogKind.LISTINGS, KEYS[11]),
    )
    with pytest.raises(RequestError, match="as a release key"):
        with_log_key(card, RowName.RELEASE, RELEASE)


@pytest.mark.parametrize("row", DATED_ROWS)
def test_the_next_key_begins_when_every_reader_knows_it(row: RowName) -> None:
    card = with_next_key(CARD, row, KEYS[12], now=NOW)
    old, new = card.witness_keys if row is RowName.WITNESS else card.request_keys
    assert (new.valid_from, new.valid_until) == (NOW + OVERLAP, NOW + OVERLAP + YEAR)
    assert (old.valid_from, old.valid_until) == (NOW - YEAR / 2, NOW + OVERLAP + GRACE)
    assert named_keys(card, row) == {KEYS[12], WITNESS if row is RowName.WITNESS else REQUEST}
    with pytest.raises(ConflictError, match="has not begun"):
        with_next_key(card, row, KEYS[13], now=NOW + OVERLAP / 2)
    later = with_next_key(card, row, KEYS[13], now=NOW + OVERLAP)
    assert named_keys(later, row) >= {KEYS[12], KEYS[13]}


def names(card: Card) -> list[str]:
    return [one.key.name for one in card.witness_keys] + [one.id for one in card.request_keys]


def test_names_go_on_where_old_keys_were_left_out() -> None:
    card = CARD
    for row, at in ((RowName.WITNESS, 14), (RowName.REQUEST, 15)):
        card = with_next_key(card, row, KEYS[at], now=NOW)
    later = NOW + OVERLAP + GRACE + KEPT
    for row, at in ((RowName.WITNESS, 16), (RowName.REQUEST, 17)):
        card = with_next_key(card, row, KEYS[at], now=later)
    assert names(card) == [f"{PREFIX}/witness-2", f"{PREFIX}/witness-3", "acme-request-2", "acme-request-3"]


@pytest.mark.parametrize(("until", "begins"), [(-1, 0), (60, 60), (7_200, 7_200), (7_201, 7_200)])
def test_no_time_is_left_without_a_key(until: int, begins: int) -> None:
    old = replace(CARD.witness_keys[0], valid_until=NOW + timedelta(seconds=until))
    card = with_next_key(replace(CARD, witness_keys=(old,)), RowName.WITNESS, KEYS[18], now=NOW)
    assert card.witness_keys[-1].valid_from == NOW + timedelta(seconds=begins)


@pytest.mark.parametrize("row", DATED_ROWS)
def test_a_revoked_key_leaves_the_card_at_once(row: RowName) -> None:
    pending = with_next_key(CARD, row, KEYS[19], now=NOW)
    card = with_only_key(pending, row, KEYS[20], now=NOW + timedelta(milliseconds=1_700))
    (only,) = card.witness_keys if row is RowName.WITNESS else card.request_keys
    assert only.valid_from == NOW + timedelta(seconds=1)
    assert named_keys(card, row) == {KEYS[20]}
    assert {f"{PREFIX}/witness-3", "acme-request-3"} & set(names(card))
    with pytest.raises(RequestError, match="names this key already"):
        with_only_key(card, row, RELEASE, now=NOW)


def test_the_card_holds_no_more_keys_than_it_may() -> None:
    card, now = CARD, NOW
    for key in KEYS[4:30]:
        card = with_next_key(card, RowName.WITNESS, key, now=now)
        now += OVERLAP
    assert len(card.witness_keys) == LIMITS.card_keys_max
    assert parse(card) == card


def parse(card: Card) -> Card:
    return parse_card(encode_card(card), member="acme", url=URL)


STEPS = st.tuples(
    st.sampled_from(["rotate", "finish", "revoke"]),
    st.sampled_from([*LOG_ROWS, *DATED_ROWS]),
    st.integers(0, len(KEYS) - 1),
    st.integers(0, 200 * 86_400),
)


def step(card: Card, word: str, row: RowName, key: bytes, now: datetime) -> Card:
    if row in LOG_ROWS:
        return with_log_key_alone(card, row, key) if word == "finish" else with_log_key(card, row, key)
    return with_only_key(card, row, key, now=now) if word == "revoke" else with_next_key(card, row, key, now=now)


@given(st.lists(STEPS, max_size=25))
def test_laws(steps: list[tuple[str, RowName, int, int]]) -> None:
    """A new card is one that readers take; no key serves two rows; no name ever means two keys; a key always counts."""
    card, now = CARD, NOW
    meant: dict[str, bytes] = {}
    for word, row, at, seconds in steps:
        now += timedelta(seconds=seconds)
        try:
            new = step(card, word, row, KEYS[at], now)
        except HashpactError:
            continue
        assert parse(new) == new
        assert all(log.keys for log in new.logs)
        for witness in new.witness_keys:
            assert meant.setdefault(witness.key.name, witness.key.public) == witness.key.public
        for request in new.request_keys:
            assert meant.setdefault(request.id, request.public) == request.public
        for keys in (new.witness_keys, new.request_keys):
            counted = [one for one in keys if one.valid_from <= now]
            assert counted
            if row in DATED_ROWS and word != "revoke":
                assert max(one.valid_until for one in counted) >= min(one.valid_from for one in keys[-1:])
        rest = {name: public for name, public in card.public_keys() if name != row.value}
        assert rest.items() <= dict(new.public_keys()).items()
        card = new
    assert re.fullmatch(r"acme-request-[0-9]+", card.request_keys[-1].id)
