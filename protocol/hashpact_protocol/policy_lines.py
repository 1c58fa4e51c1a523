"""In which line of a TOML text something stands, for messages.

Python's parser tells lines of broken syntax only. What is read here is the outline of a text that is known to parse:
headers of tables, and keys at the beginning of a line. A key inside an inline table has the line of that table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from hashpact_protocol.policy_fields import Path

_HEADER = re.compile(r"\s*(\[{1,2})([^\[\]]+)\]{1,2}\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_QUOTES = ('"""', "'''")


def line_of(text: str, path: Path) -> int | None:
    """Give the line, from 1, where ``path`` stands or else the table around it; None if there is none of them.

    A path names tables and keys; a table of an array is named by the array and its number, from 0.
    """
    lines: dict[Path, int] = {}
    for number, found in _outline(text):
        lines.setdefault(found, number)
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _outline(text: str) -> Iterator[tuple[int, Path]]:
    table: Path = ()
    counts: Counter[Path] = Counter()
    for number, line in _single_lines(text):
        header, key = _HEADER.fullmatch(line), _KEY.match(line)
        if header is not None:
            table = _resolved(_parts(header[2]), counts)
            if header[1] == "[[":
                counts[table] += 1
                table = (*table, counts[table] - 1)
            yield number, table
        elif key is not None:
            yield number, (*table, *_parts(key[1]))


def _resolved(parts: tuple[str, ...], counts: Counter[Path]) -> Path:
    """Give the path of a header, in which what stands below an array belongs to its last table."""
    path: Path = ()
    for at, part in enumerate(parts):
        path = (*path, part)
        if counts[path] and at < len(parts) - 1:
            path = (*path, counts[path] - 1)
    return path


def _single_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that do not begin within a string of several lines."""
    within: str | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if within is None:
            yield number, line.rstrip("\r")
        for quotes in _QUOTES:
            if within in (None, quotes) and line.count(quotes) % 2:
                within = quotes if within is None else None
                break


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in _PART.findall(name))
