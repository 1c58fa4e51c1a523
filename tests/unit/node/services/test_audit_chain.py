"""What is found in an audit log that is not as it was written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_node.services.audit_chain import FINDINGS_MAX, Chain, Head, Verified
from hashpact_node.store.audit_form import Event, write_entry
from hashpact_protocol.errors import RequestError
from hashpact_protocol.merkle import EMPTY_ROOT, CompactRange, leaf_hash

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)

Rows = list[tuple[int, bytes]]


def written(size: int, name: str = "acme") -> tuple[Rows, list[Head]]:
    """Write a log of some entries; give them, and the heads of all sizes."""
    rows: Rows = []
    heads = [Head(0, EMPTY_ROOT)]
    grown = CompactRange()
    for number in range(1, size + 1):
        entry = write_entry(Event("command", name, f"a{number}"), number, grown.root(), NOW)
        rows.append((number, entry))
        grown = grown.extend([leaf_hash(entry)])
        heads.append(Head(number, grown.root()))
    return rows, heads


def verify(rows: Rows, head: Head | None, *earlier: Head) -> Verified:
    chain = Chain(earlier)
    for number, entry in rows:
        chain.add(number, entry, time=int(NOW.timestamp()))
    return chain.close(head)


def found(rows: Rows, head: Head | None, *earlier: Head) -> list[tuple[int | None, str]]:
    return [(one.entry, one.what) for one in verify(rows, head, *earlier).findings]


def test_a_sound_log_has_only_grown_since_every_head() -> None:
    for size in range(20):
        rows, heads = written(size)
        verified = verify(rows, heads[-1], *heads)
        assert (verified.sound, verified.head) == (True, heads[-1])


def altered(entry: bytes) -> bytes:
    return entry.replace(b"acme", b"eve0")


@pytest.mark.parametrize("number", [1, 2, 3, 6])
def test_an_altered_entry_is_named(number: int) -> None:
    rows, heads = written(7)
    rows[number - 1] = number, altered(rows[number - 1][1])
    assert found(rows, heads[-1]) == [
        (number, f"entry {number} was altered: entry {number + 1} does not continue it"),
    ]


def test_the_last_one_altered_shows_at_the_head() -> None:
    rows, heads = written(7)
    rows[6] = 7, altered(rows[6][1])
    assert found(rows, heads[-1]) == [(7, "entry 7 was altered, or the head was")]


def test_another_spelling_is_no_way_around() -> None:
    rows, heads = written(3)
    rows[1] = 2, rows[1][1].replace(b'"n":2', b'"n": 2')
    ((entry, what),) = found(rows, heads[-1])
    assert (entry, what) == (2, "entry 2 was altered: not in canonical form (RFC 8785)")
    rows[1] = 2, b"[]"
    assert found(rows, heads[-1])[0] == (2, "entry 2 was altered: it is no object")
    rows[1] = 2, b"\xff"
    assert found(rows, heads[-1])[0] == (2, "entry 2 was altered: not UTF-8")


@pytest.mark.parametrize(("gone", "what"), [({3}, "entry 3 is missing"), ({1, 2}, "entries 1 to 2 are missing")])
def test_removed_entries_are_named(gone: set[int], what: str) -> None:
    rows, heads = written(7)
    assert found([row for row in rows if row[0] not in gone], heads[-1]) == [(min(gone), what)]


def test_removed_at_the_end() -> None:
    rows, heads = written(7)
    assert found(rows[:5], heads[-1]) == [(6, "entries 6 to 7 are missing at the end")]
    assert found([], heads[-1]) == [(1, "entries 1 to 7 are missing at the end")]


def test_swapped_entries_are_both_named() -> None:
    rows, heads = written(7)
    rows[2], rows[4] = (3, rows[4][1]), (5, rows[2][1])
    assert found(rows, heads[-1]) == [
        (3, "in the place of entry 3 stands one that says it is entry 5"),
        (5, "in the place of entry 5 stands one that says it is entry 3"),
    ]


def test_one_that_comes_twice_or_out_of_order() -> None:
    rows, heads = written(4)
    assert found([*rows[:3], rows[1], rows[3]], heads[-1]) == [
        (2, "entry 2 stands twice, or behind entry 3: it was moved")
    ]


def test_appended_behind_the_node_s_back() -> None:
    rows, heads = written(5)
    assert found(rows, heads[3]) == [(4, "entries 4 to 5 are not known to the head: the node never wrote that")]
    assert found(rows, Head(5, heads[4].root)) == [(5, "entry 5 was altered, or the head was")]
    assert found(rows, None) == [(None, "the head is missing or damaged")]


def test_filed_under_another_time() -> None:
    rows, heads = written(1)
    chain = Chain()
    chain.add(1, rows[0][1], time=int(NOW.timestamp()) + 1)
    assert [one.what for one in chain.close(heads[-1]).findings] == ["entry 1 is filed under another time than it says"]


def test_who_writes_all_of_it_anew_does_not_meet_an_earlier_head() -> None:
    rows, heads = written(7)
    forged, theirs = written(9, "eve")
    assert verify(forged, theirs[-1]).sound
    assert found(forged, theirs[-1], heads[4]) == [
        (None, f"the first 4 entries are not those over which the head {heads[4]} was written down")
    ]
    assert found(rows[:5], heads[5], heads[7]) == [
        (None, f"there were 7 entries when the head {heads[7]} was written down, and now there are 5")
    ]
    rows[1] = 2, altered(rows[1][1])
    assert (None, f"the head {heads[6]} cannot be compared any more: something before it is wrong") in found(
        rows, heads[-1], heads[6]
    )


@given(st.data())
def test_nothing_that_is_done_to_a_log_goes_unseen(data: st.DataObject) -> None:
    rows, heads = written(12)
    place = data.draw(st.integers(0, 11))
    kind = data.draw(st.sampled_from(["alter", "remove", "swap", "double"]))
    if kind == "alter":
        at = data.draw(st.integers(0, len(rows[place][1]) - 1))
        entry = bytearray(rows[place][1])
        entry[at] ^= data.draw(st.integers(1, 255))
        rows[place] = place + 1, bytes(entry)
    elif kind == "remove":
        del rows[place]
    elif kind == "double":
        rows.insert(data.draw(st.integers(0, 12)), rows[place])
    else:
        other = data.draw(st.integers(0, 11).filter(lambda number: number != place))
        rows[place], rows[other] = (place + 1, rows[other][1]), (other + 1, rows[place][1])
    assert not verify(rows, heads[-1]).sound


def test_findings_are_bounded() -> None:
    rows, heads = written(2)
    broken = [(number, rows[0][1]) for number in range(1, 10 * FINDINGS_MAX)]
    assert len(verify(broken, heads[-1]).findings) == FINDINGS_MAX


@pytest.mark.parametrize("text", ["", "1", "x:" + "ab" * 32, "1:" + "ab" * 31, "01:" + "ab" * 32, "-1:" + "ab" * 32])
def test_what_is_no_head(text: str) -> None:
    with pytest.raises(RequestError):
        Head.parse(text)


def test_a_head_is_read_as_it_is_written() -> None:
    head = Head(12, bytes(range(32)))
    assert Head.parse(f" {str(head).upper()}\n") == head
