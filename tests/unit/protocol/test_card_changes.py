from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.card_changes import ChangeCode, card_changes
from vectors.card_cases import MEMBER, PREFIX, URL, Json, card, closed, encode, log

OPEN = log("listings", 1, "a")
NEXT = log("listings", 2, "a")
CLOSED = closed("listings", 1, "a")
ERASED = [CLOSED | {"erased": True}, NEXT | {"fresh": 1}]
OPINIONS = log("opinions", 1, "a")


def read(*logs: Json) -> Card:
    return parse_card(encode(card() | {"logs": list(logs)}), member=MEMBER, url=URL)


@pytest.mark.parametrize(
    ("old", "new", "notices", "alarms"),
    [
        pytest.param([OPEN], [OPEN], [], [], id="nothing"),
        pytest.param(ERASED, ERASED, [], [], id="still erased"),
        pytest.param([], [OPEN], ["log-added"], [], id="added"),
        pytest.param([OPEN], [CLOSED, NEXT], ["log-added", "log-closed"], [], id="first closing, and a successor"),
        pytest.param([CLOSED], [closed("listings", 1, "a", 1233)], [], ["log-final-changed"], id="final back"),
        pytest.param([CLOSED], [closed("listings", 1, "a", 1235)], [], ["log-final-changed"], id="final forth"),
        pytest.param(
            [CLOSED],
            [CLOSED | {"final": {"root": "A" * 43 + "=", "size": 1234}}],
            [],
            ["log-final-changed"],
            id="final of another root",
        ),
        pytest.param([OPEN], [CLOSED | {"reason": "stolen"}], [], ["log-closed"], id="closed for a reason"),
        pytest.param([CLOSED], [CLOSED | {"reason": "stolen"}], [], [], id="a reason afterwards"),
        pytest.param([CLOSED | {"reason": "stolen"}], [OPEN], [], ["log-reopened"], id="reopened for no reason"),
        pytest.param([CLOSED], [OPEN], [], ["log-reopened"], id="reopened"),
        pytest.param([CLOSED, NEXT], [NEXT], [], ["log-dropped"], id="dropped"),
        pytest.param([OPEN], [OPEN | {"name": "listings-eu"}], [], ["log-renamed"], id="renamed"),
        pytest.param(
            [OPINIONS],
            [OPINIONS | {"kind": "listings", "name": "listings"}],
            [],
            ["log-renamed"],
            id="of another kind",
        ),
        pytest.param([OPEN], [OPEN | {"fresh": 3}], ["log-fresh-changed"], [], id="fresh"),
        pytest.param(
            [OPEN],
            [log("listings", 1, "a", keys=[log("listings", 1, "b")["keys"][0]])],
            ["log-keys-changed"],
            [],
            id="keys",
        ),
        pytest.param(
            [CLOSED, NEXT | {"fresh": 1}],
            [CLOSED | {"erased": True}, NEXT | {"fresh": 1}],
            ["log-erased"],
            [],
            id="erased",
        ),
        pytest.param(
            [CLOSED, closed("listings", 2, "a")],
            [closed("listings", 2, "a"), CLOSED],
            [],
            ["log-order-changed"],
            id="another order",
        ),
        pytest.param(
            [NEXT, CLOSED],
            [closed("listings", 2, "a"), CLOSED],
            ["log-closed"],
            ["log-order-changed"],
            id="the open log closes in front of an older one",
        ),
        pytest.param([OPEN, OPINIONS], [OPINIONS, OPEN], [], [], id="order among names means nothing"),
    ],
)
def test_changes(old: list[Json], new: list[Json], notices: list[str], alarms: list[str]) -> None:
    changes = card_changes(read(*old), read(*new))
    assert sorted(change.code for change in changes if not change.alarm) == notices
    assert sorted(change.code for change in changes if change.alarm) == alarms
    assert all(change.what for change in changes)


def test_a_change_says_where_and_what() -> None:
    (change,) = card_changes(read(CLOSED), read(closed("listings", 1, "a", 1235)))
    assert change.subject == f"{PREFIX}/logs/listings-1"
    assert "size 1234" in change.what
    assert "size 1235" in change.what
    (change,) = card_changes(read(CLOSED, closed("listings", 2, "a")), read(closed("listings", 2, "a"), CLOSED))
    assert (change.code, change.subject) == (ChangeCode.ORDER_CHANGED, "listings")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (OPEN, OPEN | {"fresh": 3}, "fresh was absent and is 3"),
        (OPEN | {"fresh": 3}, OPEN, "fresh was 3 and is absent"),
    ],
)
def test_a_change_of_fresh_says_from_what_to_what(old: Json, new: Json, what: str) -> None:
    (change,) = card_changes(read(old), read(new))
    assert change.what == what


LOGS = st.lists(
    st.sampled_from([OPEN, CLOSED, closed("listings", 1, "a", 7), closed("listings", 2, "a"), OPINIONS]),
    unique_by=lambda value: str(value["origin"]),
)


@given(LOGS, LOGS)
def test_no_change_is_missed_and_none_is_made_up(old: list[Json], new: list[Json]) -> None:
    before, after = read(*old), read(*new)
    same = all(before.sequence(name) == after.sequence(name) for name in {*before.names, *after.names})
    assert (not card_changes(before, after)) is same
