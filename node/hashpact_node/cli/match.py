"""``hashpact match``: ask the blocklist about files and hashes."""

# ruff: noqa: PLC0415  heavy parts are imported where they are needed, so that help and mistakes are quick
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact_node.cli.blocklist import action_cell
from hashpact_node.cli.common import DEFAULT_HOME, AsJson, Home, opened
from hashpact_node.cli.output import note, say, say_json
from hashpact_protocol.errors import RequestError, SignalError

if TYPE_CHECKING:
    from hashpact_node.services.hashing import HashedFile
    from hashpact_node.services.matching import Hit, Matcher, MatchResult

AT_ONCE: Final = 1_000
_MEND: Final = "write it as type:value, such as sha256:9f86d081…"


def match(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="Files to hash and match.")] = None,
    signal: Annotated[
        list[str] | None, typer.Option(metavar="TYPE:VALUE", help="A hash to match; may be repeated.")
    ] = None,
    surface: Annotated[
        str | None, typer.Option(metavar="WORD", help="Where it was met: upload, livestream or link.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Match files or hashes against the blocklist.

    Equal hashes by their value, PDQ within its distance. Files are hashed here, and nothing of them is kept. The exit
    code is 0 whether or not something matched. What is matched here is not counted as a match of the node.
    """
    from hashpact_protocol.recommendations import check_surface

    where = check_surface(surface)
    if not files and not signal:
        raise RequestError("there is nothing to match", mend="name files, or hashes with --signal type:value")
    signals = [_read_signal(text) for text in signal or []]
    hashed = _hash(files or [])
    with opened(home) as node:
        results = list(zip(signal or [], _match(node.matcher, signals, where), strict=True))
        files_met = [(file.name, node.matcher.match_file(file, surface=where)) for file in hashed]
        results += [(name, result) for name, met in files_met for result in met.results]
        counts = node.blocklist.counts()
    if as_json:
        say_json({"results": [_shape(asked, result) for asked, result in results]})
    else:
        _show(results)
    note(f"{counts['block']:,} signals stand at block, {counts['review']:,} at review")


def _hash(files: Sequence[Path]) -> list[HashedFile]:
    if not files:
        return []
    from hashpact_node.services.hashing import hash_file

    hashed = [hash_file(file) for file in files]
    for file in hashed:
        for notice in file.notices:
            note(f"{file.name}: {notice}")
    return hashed


def _read_signal(text: str) -> tuple[str, str]:
    from hashpact_protocol.signals import signal_key

    kind, colon, value = text.partition(":")
    if not colon:
        raise RequestError("this is no signal", where=text[:100], mend=_MEND)
    try:
        signal_key(kind, value)
    except SignalError as error:
        raise SignalError(error.what, where=f"--signal {text[:100]}", mend=error.mend or _MEND) from None
    return kind, value


def _match(matcher: Matcher, queries: list[tuple[str, str]], surface: str | None) -> list[MatchResult]:
    found: list[MatchResult] = []
    for at in range(0, len(queries), AT_ONCE):
        found += matcher.match(queries[at : at + AT_ONCE], surface=surface)
    return found


def _shape(asked: str, result: MatchResult) -> dict[str, object]:
    return {
        "asked": asked,
        "type": result.type,
        "value": result.value,
        "compared": result.compared,
        "action": result.action,
        "hits": result.hits,
        "recommendation": result.recommendation,
        "decided": result.decided,
    }


def _show(results: Sequence[tuple[str, MatchResult]]) -> None:
    from hashpact_node.cli.tables import short, show_table

    rows: list[tuple[object, ...]] = []
    for name, result in results:
        shown = f"{result.type}:{short(result.value)}" if ":" in name else name
        if not result.hits:
            none = "not matched" if result.compared == "none" else "no match"
            rows.append((shown, result.type, none, None, None))
        rows += [
            (shown, result.type, action_cell(hit.action, preserve=hit.preserve), _by(hit), hit.rule)
            for hit in result.hits
        ]
    show_table(("asked", "type", "action", "by", "rule"), rows)
    for name, result in results:
        if result.recommendation is not None:
            say(f"{name}: {result.recommendation}")
        if result.decided is not None and result.hits:
            say(f"{name}: {result.action} by {result.type}, as this company decided about it ({result.decided})")
    if not any(result.hits for _, result in results):
        say("nothing matched")


def _by(hit: Hit) -> str:
    near = "" if hit.distance == 0 else f" at distance {hit.distance}"
    return f"{', '.join(hit.publishers)}{near}"
