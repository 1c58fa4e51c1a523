from __future__ import annotations

import pytest

from hashpact_node.services.report_form import Maker
from hashpact_node.services.report_matched import outcome_section
from hashpact_node.store.outcomes import Counts


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(100, 60, 20, 10), [100, 60, 20, 10]),
        (Counts(100, 98, 20, 10), [100, None, 20, 10]),  # two were left: few enough to be somebody's
        (Counts(100, 60, 13, 10), [100, 60, 13, None]),
        (Counts(100, 100, 20, 20), [100, 100, 20, 20]),
        (Counts(100, 60, 3, 0), [100, 60, None, 0]),
    ],
)
def test_what_the_difference_of_two_counts_would_tell_is_withheld(counts: Counts, expected: list[int | None]) -> None:
    assert [one.value for one in outcome_section(counts, Maker(5)).figures] == expected
