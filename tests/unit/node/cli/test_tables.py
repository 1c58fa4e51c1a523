"""Tables and times for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hashpact_node.cli.tables import ago, count, figure, moment, short, show_fields, show_table

NOW = datetime(2026, 11, 24, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (0, "now"),
        (12, "12 s ago"),
        (-12, "in 12 s"),
        (119, "1 min ago"),
        (7_200, "2 h ago"),
        (-3 * 86_400, "in 3 d"),
    ],
)
def test_ago(passed: int, text: str) -> None:
    assert ago(int(NOW.timestamp()) - passed, NOW) == text


def test_words() -> None:
    assert ago(None, NOW) == "-"
    assert moment(int(NOW.timestamp())) == "2026-11-24T04:00:00Z"
    assert moment(None) is None
    assert figure(1_234_567) == "1,234,567"
    assert (count(1, "peer"), count(2, "peer"), count(0, "copy", "copies")) == ("1 peer", "2 peers", "0 copies")
    assert (short("0123456789abcdef"), short("0123456789abcdefg")) == ("0123456789abcdef", "0123456789abcde…")


def test_long_values_are_folded_within_80_columns_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    value = "".join(f"{number:04x}" for number in range(40))
    listing = "6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d"
    row = (value, listing, "acme\x1b[2J", None)
    show_table(("signal", "listing", "by", "nothing"), [row], title="a title", right=("by",), keep=("listing",))
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    at = next(number for number, line in enumerate(lines) if listing in line)
    assert "acme\\x1b[2J" in lines[at]
    assert "".join(line[:20].split()[0] for line in lines[at:] if line.strip()) == value


def test_more_columns_than_room_are_still_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [f"{number:02}" for number in range(40)]
    show_table(columns, [columns], keep=columns)
    assert capsys.readouterr().out


@pytest.mark.parametrize("length", range(1, 200, 7))
def test_no_column_is_dropped(length: int, capsys: pytest.CaptureFixture[str]) -> None:
    row = ["f" * length, "6f1c2f0e-6f5c-4b0e-9d0a-0f6d2a1b3c4d", "published", "sha256"]
    show_table(("file", "listing", "state", "signals"), [row], keep=("listing",))
    text = capsys.readouterr().out
    assert "…" not in text
    assert "..." not in text
    for word in ("file", "listing", "state", "signals", *row[1:]):
        assert word in text
    assert text.count("f") - sum(word.count("f") for word in ("file", row[1])) == length


def test_fields_are_one_a_line_to_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    show_fields([("fingerprint", "f" * 100), ("none", None), ("url", "u")], title="acme")
    assert capsys.readouterr().out.splitlines() == ["acme", f"fingerprint  {'f' * 100}", "url          u"]
