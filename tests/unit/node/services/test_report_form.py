from __future__ import annotations

from datetime import date

from hashpact_node.services.report_form import Maker, Row, unmeasured

MAKE = Maker(5)


def test_a_figure_that_is_too_small_says_so() -> None:
    assert MAKE.figure("a", "A", 5).value == 5
    small = MAKE.figure("a", "A", 4)
    assert (small.value, small.note) == (None, "withheld: it is below 5")
    assert MAKE.figure("a", "A", 0).value == 0


def test_what_nobody_measured_is_no_zero() -> None:
    figure = unmeasured("a", "A", "nobody looked")
    assert (figure.value, figure.note) == (None, "not measured: nobody looked")


def test_spans_are_told_by_their_middle_and_by_nine_of_ten() -> None:
    half, nine = MAKE.spans("s", "Answered", [50, 10, 20, 30, 40, 60, 70, 80, 90, 1_000])
    assert (half.value, nine.value, half.unit) == (50, 90, "seconds")


def test_spans_of_a_few_things_are_not_told() -> None:
    assert MAKE.spans("s", "Answered", [1, 2, 3, 4]) == ()
    assert (MAKE.spans("s", "Answered", []), Maker(0).spans("s", "Answered", [])) == ((), ())
    assert [one.value for one in Maker(0).spans("s", "Answered", [7])] == [7, 7]


def test_figures_that_tell_of_each_other_are_withheld_together() -> None:
    """Ten began and eight were answered, so two are open, whether that is said or not."""
    told = MAKE.related([("began", "Began", 10), ("answered", "Answered", 8), ("open", "Open", 2)])
    assert [one.value for one in told] == [10, None, None]
    assert [one.value for one in MAKE.related([("began", "Began", 3), ("open", "Open", 0)])] == [None, None]
    assert [one.value for one in MAKE.related([("began", "Began", 9), ("open", "Open", 0)])] == [9, 0]


def test_a_table_withholds_what_its_differences_would_tell() -> None:
    rows: dict[str, tuple[int, ...]] = {"a": (90, 88, 2), "b": (60, 60, 0), "c": (50, 30, 20)}
    table = MAKE.table("t", "T", "x", ("listed", "left"), rows)
    assert table.rows == (Row("b", (60, 60)), Row("a", (None, None)), Row("c", (None, None)))


def test_a_table_is_withheld_with_the_figure_that_it_adds_up_to() -> None:
    began, answered, still = MAKE.related((("a", "Began", 10), ("b", "Answered", 7), ("c", "Open", 3)))
    assert (began.value, answered.value, still.value) == (10, None, None)
    assert MAKE.table("t", "T", "answer", ("disputes",), {"withdrawn": (7,)}, sums=(answered,)).withheld
    assert not MAKE.table("t", "T", "reason", ("disputes",), {"satire": (10,)}, sums=(began,)).withheld


def test_the_largest_rows_come_first_and_those_without_anything_are_left_out() -> None:
    table = MAKE.table("t", "T", "x", ("n",), {"a": (5,), "b": (90,), "c": (0,), "d": (2,), "e": (30,)})
    assert table.rows == (Row("b", (90,)), Row("e", (30,)), Row("a", (None,)), Row("d", (None,)))
    withheld = MAKE.table("t", "T", "x", ("n",), {"a": (2,)})
    assert (withheld.rows, withheld.withheld) == ((), True)


def test_a_calendar_counts_by_month_in_order() -> None:
    days = {date(2026, 2, 1): (60,), date(2026, 1, 1): (3,), date(2026, 1, 31): (4,), date(2025, 12, 31): (9,)}
    assert MAKE.calendar("t", "T", ("n",), days).rows == (
        Row("2025-12", (9,)),
        Row("2026-01", (7,)),
        Row("2026-02", (60,)),
    )
