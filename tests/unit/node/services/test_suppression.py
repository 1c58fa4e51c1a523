from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_node.services.suppression import is_small, shown, suppress


def one(**counts: int) -> dict[str, tuple[int, ...]]:
    return {name: (count,) for name, count in counts.items()}


def kept(rows: dict[str, tuple[int, ...]], threshold: int = 5) -> dict[str, tuple[int | None, ...]] | None:
    return suppress(rows, threshold)


def test_large_counts_and_zeros_are_shown() -> None:
    assert kept(one(a=5, b=0, c=100)) == {"a": (5,), "b": (0,), "c": (100,)}
    assert kept({}) == {}


def test_a_small_count_takes_the_next_one_with_it_so_that_the_sum_does_not_tell_it() -> None:
    assert kept(one(a=3, b=40, c=9, d=0)) == {"a": (None,), "b": (40,), "c": (None,), "d": (0,)}
    assert kept(one(a=4, b=4, c=50)) == {"a": (None,), "b": (None,), "c": (50,)}


def test_several_ones_do_not_tell_each_other() -> None:
    """Two withheld rows whose sum is 2 are 1 each, for all to see."""
    assert kept(one(a=1, b=1, c=50, d=60)) == {"a": (None,), "b": (None,), "c": (None,), "d": (60,)}


def test_where_no_rows_are_left_the_table_is_withheld() -> None:
    assert kept(one(a=3)) is None
    assert kept(one(a=1, b=1, c=1, d=1, e=1)) is None
    assert kept(one(a=3, b=0)) is None


def test_a_row_shows_all_its_counts_or_none() -> None:
    rows: dict[str, tuple[int, ...]] = {"a": (90, 2), "b": (80, 30), "c": (70, 20)}
    assert kept(rows) == {"a": (None, None), "b": (80, 30), "c": (None, None)}


def test_a_withheld_zero_lets_all_that_is_withheld_beside_it_be_zero() -> None:
    rows: dict[str, tuple[int, ...]] = {"a": (90, 2), "b": (60, 0), "c": (100, 0)}
    assert kept(rows) == {"a": (None, None), "b": (None, None), "c": (100, 0)}


def test_a_withheld_zero_hides_nothing_where_the_sum_is_known() -> None:
    """42 less the 40 that are shown: two of few items, for all to see."""
    rows: dict[str, tuple[int, ...]] = {"a": (90, 2), "b": (60, 0), "c": (100, 40), "d": (200, 50)}
    assert kept(rows) == {"a": (None, None), "b": (None, None), "c": (None, None), "d": (200, 50)}


@pytest.mark.parametrize("threshold", [0, 1])
def test_a_threshold_of_one_withholds_nothing(threshold: int) -> None:
    assert kept(one(a=1, b=2), threshold) == {"a": (1,), "b": (2,)}
    assert (shown(1, threshold), is_small(1, threshold)) == (1, False)


def test_single_counts() -> None:
    assert [shown(count, 5) for count in (0, 1, 4, 5)] == [0, None, None, 5]


@given(st.lists(st.integers(0, 30), max_size=6), st.integers(2, 6))
def test_nobody_who_knows_the_sum_can_tell_that_a_withheld_count_is_small(counts: list[int], threshold: int) -> None:
    rows = {str(at): (count,) for at, count in enumerate(counts)}
    found = suppress(rows, threshold)
    if found is None:
        return
    assert all(is_small(count, threshold) is False for (count,) in found.values() if count is not None)
    withheld = [name for name, (count,) in found.items() if count is None]
    total = sum(counts) - sum(count for (count,) in found.values() if count is not None)
    if withheld:
        # All others may be as little as 1 each, or nothing at all where a zero is withheld, too.
        assert len(withheld) > 1
        assert total - (len(withheld) - 1) >= threshold


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=6), st.integers(2, 6))
def test_what_is_shown_is_never_small(counts: list[tuple[int, int]], threshold: int) -> None:
    found = suppress({str(at): pair for at, pair in enumerate(counts)}, threshold)
    for values in [] if found is None else found.values():
        assert all(value is None or not is_small(value, threshold) for value in values)
        assert len({value is None for value in values}) == 1


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=6), st.integers(2, 6))
def test_no_sum_of_what_is_withheld_is_small_where_the_whole_is_known(
    counts: list[tuple[int, int]], threshold: int
) -> None:
    found = suppress({str(at): pair for at, pair in enumerate(counts)}, threshold)
    for measure in (0, 1):
        whole = sum(pair[measure] for pair in counts)
        if found is not None and not is_small(whole, threshold):
            told = sum(values[measure] or 0 for values in found.values())
            assert not is_small(whole - told, threshold)
