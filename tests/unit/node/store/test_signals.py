from __future__ import annotations

import pytest

from hashpact_node.store.bulk import COPY_MIN_ROWS
from hashpact_node.store.changes import Numbers, last_change
from hashpact_node.store.database import Database
from hashpact_node.store.rule_numbers import BUILT_IN
from hashpact_node.store.signals import (
    CHUNK,
    Outcome,
    SignalChange,
    SignalRow,
    Viewpoint,
    add_signals,
    change_signals,
    count_actions,
    find_signals,
    masks,
    page_by_number,
    page_of_mask,
)
from hashpact_protocol.claims import Place, join_claims, pack_claim
from hashpact_protocol.policy import MEMBERS_AGREE, NONE_COUNTS, NOT_CLAIMED, OWN_LISTING, Action

# Logs 1 and 2 are of member 10, log 3 of member 20, and log 9 is our own.
EYES = Viewpoint({1: 10, 2: 10, 3: 20, 9: 90}, own=90)
BLOCK, REVIEW, OBSERVE, IGNORE = (int(a) for a in (Action.BLOCK, Action.REVIEW, Action.OBSERVE, Action.IGNORE))
NONE = int(Action.NONE)
SIZES = pytest.mark.parametrize("count", [3, COPY_MIN_ROWS + 1])


def key(number: int) -> bytes:
    return b"\x03" + number.to_bytes(32, "big")


def claim(log: int, position: int = 0, quality: int | None = None) -> bytes:
    return pack_claim(log, position, quality)


def add(database: Database, rows: dict[int, bytes], now: int = 100) -> bool:
    with database.write() as connection:
        numbers = Numbers(connection, now=now)
        added = add_signals(connection, [(key(number), rows[number]) for number in sorted(rows)], EYES, numbers)
        numbers.close()
    return added


def change(database: Database, changes: dict[int, SignalChange]) -> None:
    with database.write() as connection:
        numbers = Numbers(connection, now=100)
        change_signals(connection, {key(number): what for number, what in changes.items()}, EYES, numbers)
        numbers.close()


def adding(*claims: bytes) -> SignalChange:
    return SignalChange(add=b"".join(claims))


def removing(*places: tuple[int, int], add: bytes = b"") -> SignalChange:
    return SignalChange(add=add, remove={Place(*place) for place in places})


def expiring(*places: tuple[int, int]) -> SignalChange:
    return SignalChange(expire={Place(*place) for place in places})


RULES = {
    NONE: {BUILT_IN["not-claimed"]},
    BLOCK: {BUILT_IN["own-listing"], BUILT_IN["members-agree"]},
    REVIEW: {BUILT_IN["one-member"]},
    IGNORE: {BUILT_IN["expired-or-low-quality"]},
}


def without_rule(found: SignalRow) -> SignalRow:
    """Check that the rule is one that gives this action, and leave it out."""
    assert found.rule in RULES[found.action]
    return found._replace(rule=0)


def judged(claims: bytes) -> Outcome:
    (outcome,) = EYES.judge([(key(1), claims)])
    return outcome


def row(database: Database, number: int) -> SignalRow:
    with database.read() as connection:
        return without_rule(find_signals(connection, [key(number)])[key(number)])


def rows(database: Database) -> list[SignalRow]:
    """All rows, by number; the numbers of rows that stand are all different and none is beyond the counter."""
    with database.read() as connection:
        found = [without_rule(one) for one in page_by_number(connection, 0, limit=10_000)]
        assert len({item.number for item in found}) == len(found)
        assert not found or found[-1].number == last_change(connection)
    return found


# Adding what is hoped to be new.


@SIZES
def test_new_signals_are_numbered_in_order_of_their_keys(database: Database, count: int) -> None:
    assert add(database, {number: claim(1, number) for number in range(count)})
    assert rows(database) == [
        SignalRow(number + 1, key(number), REVIEW, REVIEW, claim(1, number)) for number in range(count)
    ]


@SIZES
def test_one_that_stands_leaves_nothing_half_done(database: Database, count: int) -> None:
    add(database, {1: claim(1)})
    before = rows(database)
    with database.write() as connection:
        numbers = Numbers(connection, now=100)
        many = [(key(number), claim(3)) for number in range(count)]
        assert not add_signals(connection, many, EYES, numbers)
        assert numbers.taken == 0
        change_signals(connection, {name: SignalChange(add=claims) for name, claims in many}, EYES, numbers)
        numbers.close()
    assert row(database, 1) == SignalRow(3, key(1), BLOCK, BLOCK | REVIEW, claim(1) + claim(3))
    assert [item.number for item in rows(database)] == list(range(2, count + 2))
    assert before == [SignalRow(1, key(1), REVIEW, REVIEW, claim(1))]


@SIZES
def test_one_that_stands_changes_nothing(database: Database, count: int) -> None:
    add(database, {1: claim(1)})
    before = rows(database)
    assert not add(database, {number: claim(3) for number in range(count)})
    assert rows(database) == before
    assert add(database, {900: claim(3)})
    assert row(database, 900).number == 2


def test_each_is_decided_by_its_own_claims(database: Database) -> None:
    add(database, {1: claim(1, 0, 90), 2: claim(1, 0, 10), 3: claim(1, 0, 10) + claim(1, 1, 50), 4: claim(1)})
    assert [item.action for item in rows(database)] == [REVIEW, IGNORE, REVIEW, REVIEW]
    assert [item.actions for item in rows(database)] == [REVIEW, IGNORE, REVIEW, REVIEW]
    add(database, {5: claim(9, 0, 90), 6: claim(9, 0, 10)})
    assert [row(database, number).action for number in (5, 6)] == [BLOCK, IGNORE]


def test_no_signals_are_nothing_to_do(database: Database) -> None:
    assert add(database, {})
    change(database, {})
    assert rows(database) == []


# Changing what may stand.


@SIZES
def test_changes_add_new_signals_too(database: Database, count: int) -> None:
    change(database, {number: adding(claim(1, number)) for number in reversed(range(count))})
    assert rows(database) == [
        SignalRow(number + 1, key(number), REVIEW, REVIEW, claim(1, number)) for number in range(count)
    ]


def test_what_was_never_claimed_and_is_not_gets_no_row(database: Database) -> None:
    change(database, {1: removing((1, 0)), 2: expiring((1, 0)), 3: SignalChange(relabelled=True)})
    assert rows(database) == []


def test_a_second_listing_of_the_same_member_may_bring_labels(database: Database) -> None:
    add(database, {1: claim(1, 5), 2: claim(1, 6)})
    change(database, {1: adding(claim(2, 7))})
    assert row(database, 1) == SignalRow(3, key(1), REVIEW, REVIEW, claim(1, 5) + claim(2, 7))
    change(database, {1: removing((1, 5))})
    assert row(database, 1) == SignalRow(4, key(1), REVIEW, REVIEW, claim(2, 7))
    change(database, {1: removing((1, 5))})
    assert row(database, 1).number == 4


def test_a_revision_that_changes_nothing_to_see_keeps_the_number(database: Database) -> None:
    add(database, {1: claim(1, 5, 80)})
    change(database, {1: removing((1, 5), add=claim(1, 9, 90))})
    assert row(database, 1) == SignalRow(1, key(1), REVIEW, REVIEW, claim(1, 9, 90))


def test_new_labels_are_a_change(database: Database) -> None:
    add(database, {1: claim(1, 5), 2: claim(1, 6)})
    what = removing((1, 5), add=claim(1, 9))
    what.relabelled = True
    change(database, {1: what})
    assert row(database, 1) == SignalRow(3, key(1), REVIEW, REVIEW, claim(1, 9))


def test_another_publisher_is_a_change_even_under_the_same_action(database: Database) -> None:
    add(database, {1: claim(9)})
    change(database, {1: adding(claim(1))})
    assert row(database, 1) == SignalRow(2, key(1), BLOCK, BLOCK, claim(1) + claim(9))
    change(database, {1: removing((1, 0), add=claim(3))})
    assert row(database, 1) == SignalRow(3, key(1), BLOCK, BLOCK, claim(3) + claim(9))


def test_another_rule_is_a_change_even_under_the_same_action_and_publishers(database: Database) -> None:
    add(database, {1: claim(9)})
    change(database, {1: adding(claim(1), claim(3))})
    before = row(database, 1)
    assert judged(before.claims) == (int(OWN_LISTING.action), BUILT_IN[OWN_LISTING.rule])
    change(database, {1: expiring((9, 0))})
    after = row(database, 1)
    assert judged(after.claims) == (int(MEMBERS_AGREE.action), BUILT_IN[MEMBERS_AGREE.rule])
    assert (before.action, after.action) == (BLOCK, BLOCK)
    assert after.number == before.number + 1


def test_expiry_changes_the_action_and_keeps_the_claim(database: Database) -> None:
    add(database, {1: claim(1)})
    change(database, {1: expiring((1, 0))})
    claims = join_claims(claim(1), expire=[Place(1, 0)])
    assert judged(claims) == (int(NONE_COUNTS.action), BUILT_IN[NONE_COUNTS.rule])
    assert row(database, 1) == SignalRow(2, key(1), IGNORE, IGNORE | REVIEW, claims)


def test_a_removed_key_stays_without_action(database: Database) -> None:
    add(database, {1: claim(1), 2: claim(1, 1)})
    change(database, {1: removing((1, 0))})
    assert row(database, 1) == SignalRow(3, key(1), NONE, REVIEW, b"")
    assert judged(b"") == (int(NOT_CLAIMED.action), BUILT_IN[NOT_CLAIMED.rule])
    change(database, {1: removing((1, 0))})
    assert row(database, 1).number == 3
    change(database, {1: adding(claim(1, 7))})
    assert row(database, 1) == SignalRow(4, key(1), REVIEW, REVIEW, claim(1, 7))
    assert [item.number for item in rows(database)] == [2, 4]


def test_the_mask_of_actions_only_grows(database: Database) -> None:
    add(database, {1: claim(1)})
    seen = [row(database, 1).actions]
    for what in (adding(claim(3)), removing((1, 0)), expiring((3, 0)), removing((3, 0)), adding(claim(9))):
        change(database, {1: what})
        seen.append(row(database, 1).actions)
    assert seen == [REVIEW, *[REVIEW | BLOCK] * 2, *[REVIEW | BLOCK | IGNORE] * 3]
    assert row(database, 1) == SignalRow(6, key(1), BLOCK, REVIEW | BLOCK | IGNORE, claim(9))


def test_numbers_have_no_gaps(database: Database) -> None:
    add(database, {number: claim(1, number) for number in range(5)})
    changes = {
        0: removing((1, 0), add=claim(1, 9)),
        1: adding(claim(3)),
        2: removing((1, 2)),
        7: adding(claim(3)),
        8: removing((1, 1)),
    }
    change(database, changes)
    assert [(item.number, item.key) for item in rows(database)] == [
        (1, key(0)),
        (4, key(3)),
        (5, key(4)),
        (6, key(1)),
        (7, key(2)),
        (8, key(7)),
    ]


@pytest.mark.parametrize("chunk", [1, 2, CHUNK])
def test_changes_of_any_number_are_done_in_chunks(
    database: Database, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("hashpact_node.store.signals.CHUNK", chunk)
    add(database, {number: claim(1, number) for number in range(4)})
    change(database, {number: adding(claim(3, number)) for number in range(6)})
    assert [(item.number, item.key, item.action) for item in rows(database)] == [
        (number + 5, key(number), BLOCK if number < 4 else REVIEW) for number in range(6)
    ]


# Reading.


@pytest.fixture
def filled(database: Database) -> Database:
    """Signals 1 and 2 under review, 3 blocked by us, 4 once reviewed and removed, 5 once reviewed and now blocked."""
    add(database, {number: claim(1, number) for number in (1, 2, 4, 5)})
    add(database, {3: claim(9)})
    change(database, {4: removing((1, 4)), 5: adding(claim(3))})
    return database


def test_pages_by_number(filled: Database) -> None:
    with filled.read() as connection:
        everything = page_by_number(connection, 0, limit=10)
        assert [(item.number, item.key) for item in everything] == [
            (1, key(1)),
            (2, key(2)),
            (5, key(3)),
            (6, key(4)),
            (7, key(5)),
        ]
        assert page_by_number(connection, 2, limit=2) == everything[2:4]
        assert page_by_number(connection, 7, limit=2) == []


def test_pages_of_a_mask(filled: Database) -> None:
    with filled.read() as connection:
        assert masks(connection) == [BLOCK, REVIEW, BLOCK | REVIEW] == [1, 2, 3]
        everything = page_by_number(connection, 0, limit=10)
        assert page_of_mask(connection, 0, mask=REVIEW, limit=10) == [everything[0], everything[1], everything[3]]
        assert page_of_mask(connection, 1, mask=REVIEW, limit=1) == [everything[1]]
        assert page_of_mask(connection, 0, mask=BLOCK, limit=10) == [everything[2]]
        assert page_of_mask(connection, 0, mask=BLOCK | REVIEW, limit=10) == [everything[4]]
        assert page_of_mask(connection, 0, mask=OBSERVE, limit=10) == []


def test_no_signals_have_no_masks(database: Database) -> None:
    with database.read() as connection:
        assert masks(connection) == []
        assert count_actions(connection) == {}


def test_claimed_signals_are_counted_by_action(filled: Database) -> None:
    with filled.read() as connection:
        assert count_actions(connection) == {Action.REVIEW: 2, Action.BLOCK: 2}


def test_signals_are_found_by_key(filled: Database) -> None:
    with filled.read() as connection:
        assert find_signals(connection, []) == {}
        assert set(find_signals(connection, [key(1), key(4), key(99)])) == {key(1), key(4)}


def test_a_viewpoint_needs_to_know_every_log() -> None:
    assert judged(claim(1)).action == REVIEW
    with pytest.raises(KeyError):
        judged(claim(7))
