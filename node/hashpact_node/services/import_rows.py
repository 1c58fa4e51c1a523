"""The rows of files of hashes: NDJSON and CSV, read line by line, so that a file may be of any length.

NDJSON: one JSON object a line, a listing without ``id``, ``kind`` and ``time``; blank lines are passed over::

    {"content":"image","labels":["behaviour:glorification"],"signals":[{"type":"sha256","value":"<64 hex>"}]}

CSV: a header, then one signal a line, each a listing of its own. ``type`` and ``value`` are required, and ``content``
unless it follows from the type (``image`` for ``pdq`` and ``photodna``) or is said for the whole file; ``quality``
belongs to ``pdq``. ``labels`` are separated by ``;``. ``confirmed``, ``handling``, ``origin``, ``incident``,
``expires``, ``review_by`` and ``note`` are as in a listing, and ``preserve`` is ``true`` or ``false``. An empty cell is
an absent field.
"""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from hashpact_node.services.drafts import ListingDraft, PlainDraft, PlainSignal, draft_of_fields, read_plain
from hashpact_protocol.errors import HashpactError, RequestError

LINE_MAX_BYTES: Final = 65_536
"""Twice and twice again what an entry may hold: longer lines are refused unread."""

TEXT_COLUMNS: Final = ("content", "confirmed", "handling", "origin", "incident", "expires", "review_by", "note")
SIGNAL_COLUMNS: Final = ("type", "value", "quality")
COLUMNS: Final = (*SIGNAL_COLUMNS, "labels", "preserve", *TEXT_COLUMNS)
LABEL_SEPARATOR: Final = ";"
FLAGS: Final = {"true": True, "false": False}
CONTENT_OF_TYPE: Final = {"pdq": "image", "photodna": "image"}
FORMATS: Final = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv"}

_QUALITY: Final = re.compile("[0-9]{1,3}")
_SKIP_BYTES: Final = 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"

Defaults = Mapping[str, str | bool]
"""Fields of rows that do not say them."""

Exact = ListingDraft | HashpactError
"""What a row says, or why it cannot be."""


@dataclass(frozen=True, slots=True)
class PlainRow:
    """A row that has nothing unusual; where it turns out that it does, ``exact`` decides."""

    draft: PlainDraft
    exact: Callable[[], Exact]


Row = tuple[int, PlainRow | Exact]
"""The number of the line on which a row ends, from 1, and what it says."""


def format_of(path: Path) -> str:
    """Give ``ndjson`` or ``csv`` by a file's name; RequestError for any other."""
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise RequestError(
            "the file's name does not say what it holds", where=str(path), mend=f"name it *{', *'.join(FORMATS)}"
        )
    return found


def read_rows(
    file: BinaryIO, form: str, *, after: int = 0, defaults: Mapping[str, str | bool] | None = None
) -> Iterator[Row]:
    """Read the rows of a file that end beyond line ``after``; ``defaults`` are fields of rows that do not say them.

    What is wrong with a row is given in its place. Raises RequestError for a CSV header that cannot be understood;
    OSError passes.
    """
    lines = _Lines(file)
    given = dict(defaults or {})
    yield from (_json_rows if form == "ndjson" else _csv_rows)(lines, after, given)


class _Lines:
    """Yields the lines of a file as text, and remembers what was wrong with the last ones read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0
        self.faults: list[RequestError] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        """Give the next line; an empty one, and a fault, for one that cannot be read."""
        line = self._file.readline(LINE_MAX_BYTES + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > LINE_MAX_BYTES:
            self._skip_rest(line)
            self.faults.append(RequestError(f"is longer than {LINE_MAX_BYTES} bytes", where=_where(self.number)))
            return "\n"
        if self.number == 1:
            line = line.removeprefix(_BOM)
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            what = f"is no UTF-8 (byte {error.start + 1})"
            self.faults.append(RequestError(what, where=_where(self.number), mend="save the file as UTF-8"))
            return "\n"

    def take_fault(self) -> RequestError | None:
        """Give the first fault since the last call, if there was one."""
        faults, self.faults = self.faults, []
        return faults[0] if faults else None

    def _skip_rest(self, line: bytes) -> None:
        while line and not line.endswith(b"\n"):
            line = self._file.readline(_SKIP_BYTES)


def _json_rows(lines: _Lines, after: int, defaults: dict[str, str | bool]) -> Iterator[Row]:
    for text in lines:
        fault = lines.take_fault()
        if lines.number <= after or (fault is None and not text.strip()):
            continue
        exact = partial(_json_row, text, _where(lines.number), defaults)
        plain = None if fault else read_plain(text)
        if plain is not None:
            for name, value in defaults.items():
                if getattr(plain, name) is None:
                    setattr(plain, name, value)
            yield lines.number, PlainRow(plain, exact)
        else:
            yield lines.number, fault or exact()


def _json_row(text: str, where: str, defaults: dict[str, str | bool]) -> Exact:
    try:
        fields = _decode(text)
        if isinstance(fields, dict):
            fields = {**defaults, **fields}
        return draft_of_fields(fields, where=where)
    except json.JSONDecodeError as error:
        what = f"is no JSON: {error.msg} (character {error.colno})"
        return RequestError(what, where=where, mend="write one JSON object a line")
    except (ValueError, RecursionError) as error:
        return RequestError(f"is no JSON that a listing can be made of: {error}", where=where)
    except HashpactError as error:
        return error


def _csv_rows(lines: _Lines, after: int, defaults: dict[str, str | bool]) -> Iterator[Row]:
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader, None)
            problem: RequestError | None = lines.take_fault()
        except csv.Error as error:
            cells, problem = [], RequestError(f"is no CSV: {error}", where=_where(lines.number))
            # What follows an open quote is anybody's guess; the reader begins anew with the next line.
            reader = csv.reader(lines, strict=True)
        if cells is None:
            return
        if header is None:
            if problem is not None:
                raise problem
            header = _check_header(cells)
        elif lines.number > after and (problem is not None or cells):
            yield lines.number, problem or _csv_row(header, cells, _where(lines.number), defaults)


def _check_header(cells: list[str]) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    for name in header:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            mend = f"did you mean {near[0]}?" if near else f"the first line names columns out of: {', '.join(COLUMNS)}"
            raise RequestError(f"there is no column {name[:60]!r}", where=_where(1), mend=mend)
    if len(set(header)) < len(header):
        raise RequestError("a column is there twice", where=_where(1), mend="name each column once")
    missing = [name for name in ("type", "value") if name not in header]
    if missing:
        raise RequestError(
            f"the column {missing[0]} is missing", where=_where(1), mend="write a header of column names"
        )
    return header


def _csv_row(header: list[str], cells: list[str], where: str, defaults: dict[str, str | bool]) -> PlainRow | Exact:
    if len(cells) != len(header):
        return RequestError(f"has {len(cells)} cells, not {len(header)} as the header", where=where)
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
    fields: dict[str, Any] = {**defaults, **{name: row[name] for name in TEXT_COLUMNS if name in row}}
    if "content" not in fields and row.get("type") in CONTENT_OF_TYPE:
        fields["content"] = CONTENT_OF_TYPE[row["type"]]
    if "labels" in row:
        fields["labels"] = [label.strip() for label in row["labels"].split(LABEL_SEPARATOR) if label.strip()]
    if "preserve" in row:
        fields["preserve"] = FLAGS.get(row["preserve"].lower(), row["preserve"])
    signal: dict[str, Any] = {name: row[name] for name in ("type", "value") if name in row}
    if "quality" in row:
        signal["quality"] = int(row["quality"]) if _QUALITY.fullmatch(row["quality"]) else row["quality"]
    exact = partial(_exact_draft, {**fields, "signals": [signal]}, where)
    if "type" not in signal or isinstance(signal.get("quality"), str) or isinstance(fields.get("preserve"), str):
        return exact()
    return PlainRow(PlainDraft(signals=[PlainSignal(**signal)], **fields), exact)


def _exact_draft(fields: Mapping[str, Any], where: str) -> Exact:
    try:
        return draft_of_fields(fields, where=where)
    except HashpactError as error:
        return error


def _where(number: int) -> str:
    return f"line {number}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name is there twice")
    return fields


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:24]} is no whole number")


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_refuse_number, parse_constant=_refuse_number).decode
