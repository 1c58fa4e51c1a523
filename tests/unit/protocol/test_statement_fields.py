from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol import statement_fields as fields
from hashpact_protocol.errors import StatementError

IDENTIFIER = "5b2f0b6e-6c2e-4b7a-9d0e-0d6a2b1c3f48"
PDQ = {"type": "pdq", "value": "ab" * 32}


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (fields.check_text, ""),
        (fields.check_text, "\u20ac" * 1_365 + "a"),
        (fields.check_identifier, IDENTIFIER),
        (fields.check_time, "2028-02-29T23:59:59Z"),
        (fields.check_leaf, "0f" * 32),
        (fields.check_flag, True),
        (fields.check_flag, False),
        (fields.one_of(("a", "b")), "b"),
    ],
)
def test_what_has_its_form_is_kept(check: Callable[[object], object], value: object) -> None:
    assert check(value) == value


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (fields.check_text, None),
        (fields.check_text, "\u20ac" * 1_366),
        (fields.check_identifier, IDENTIFIER.upper()),
        (fields.check_identifier, 5),
        (fields.check_time, "2027-02-29T23:59:59Z"),
        (fields.check_time, "2027-02-29"),
        (fields.check_leaf, "0F" * 32),
        (fields.check_flag, 1),
        (fields.one_of(("a", "b")), "c"),
        (fields.check_labels, ("a",)),
        (fields.check_labels, ["a"] * 65),
        (fields.check_labels, [5]),
        (fields.check_labels, ["\xe9" * 65]),
        (fields.check_signals, {}),
        (fields.check_signals, []),
        (fields.check_signals, [PDQ] * 129),
    ],
)
def test_what_has_not_its_form_is_refused(check: Callable[[object], object], value: object) -> None:
    with pytest.raises(StatementError):
        check(value)


def test_labels_are_kept_in_order() -> None:
    assert fields.check_labels(["b", "a", "b"]) == ("b", "a", "b")


def test_signals_count_once_with_the_highest_quality_and_malformed_ones_are_named() -> None:
    kept, dropped = fields.check_signals([PDQ | {"quality": 7}, PDQ, PDQ | {"quality": 9}, PDQ | {"quality": 8}])
    assert [(signal.type, signal.quality) for signal in kept] == [("pdq", 9)]
    assert dropped == ("signals[1]: quality: is no integer of 0 to 100",)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_read_back(moment: datetime) -> None:
    text = fields.format_time(moment)
    assert fields.parse_time(text) == moment.replace(microsecond=0)
    assert fields.check_time(text) == text


def test_times_are_written_in_utc() -> None:
    assert fields.format_time(datetime(2026, 1, 1, 1, 0, 0, 9, timezone(timedelta(hours=2)))) == "2025-12-31T23:00:00Z"


def test_a_time_of_another_form_is_not_read() -> None:
    with pytest.raises(StatementError):
        fields.parse_time("2026-01-01T00:00:00+00:00")
