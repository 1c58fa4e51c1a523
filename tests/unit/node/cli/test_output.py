"""Values as JSON, and texts that others wrote."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest

from hashpact_node.cli.output import coloured, json_line, plain, printable, progress, waiting


class Colour(StrEnum):
    RED = "red"


@dataclass
class Thing:
    data: bytes
    when: datetime
    colour: Colour
    path: Path
    parts: tuple[int, ...]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain() -> None:
    thing = Thing(b"\x01\xff", datetime(2026, 11, 24, 4, tzinfo=UTC), Colour.RED, Path("a/b"), (1, 2))
    assert plain({1: thing}) == {
        "1": {"data": "01ff", "when": "2026-11-24T04:00:00Z", "colour": "red", "path": "a/b", "parts": [1, 2]}
    }
    assert json_line({"a": "é\n"}) == '{"a":"é\\n"}'


def test_what_others_wrote_cannot_steer_a_terminal() -> None:
    assert printable("a\x1b[2Jb\u202ec é") == "a\\x1b[2Jb\\u202ec é"


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured(Terminal())
    assert not coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal())


def test_progress_and_waiting_show_on_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (io.StringIO(), Terminal()):
        monkeypatch.setattr("sys.stderr", error)
        with waiting("a while"), progress("counting", unit="entries") as told:
            told(1, 3)
            told(2, 3, "counting on")
        assert bool(error.getvalue()) == error.isatty()
