"""The merge by its definition, slow and plain: the oracle that the code under test is held to.

It looks at one sequence of logs as a whole and asks of each id what happened to it, where the code under test walks
through batches and keeps a state. Nothing here uses that code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hashpact_protocol.statements import Listing, Malformed, Statement, Unknown, Withdrawal

Entry = Statement | Malformed


At = tuple[int, int]
"""Where an entry stands: the number of its log, and its index there."""


@dataclass
class NaiveMerge:
    """What a sequence of logs comes to."""

    live: dict[str, At] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    quarantined: set[tuple[int, int, int]] = field(default_factory=set)
    unknown: dict[int, int] = field(default_factory=dict)
    stopped: dict[int, int] = field(default_factory=dict)
    claims: dict[bytes, dict[At, int | None]] = field(default_factory=dict)


def naive_merge(logs: Sequence[tuple[int, Sequence[Entry]]]) -> NaiveMerge:
    """Merge the logs of one (member, log name), each with its number, in the order of the sequence."""
    result = NaiveMerge()
    counting = [entry for number, entries in logs for entry in _counting(number, entries, result)]
    for _, entry in counting:
        if not isinstance(entry, (Malformed, Unknown)):
            result.kinds.setdefault(entry.id, entry.kind)
    events: list[tuple[At, Listing | Withdrawal]] = []
    for at, entry in counting:
        if isinstance(entry, Malformed) or (not isinstance(entry, Unknown) and result.kinds[entry.id] != entry.kind):
            result.quarantined.add((*at, 0))
        elif isinstance(entry, (Listing, Withdrawal)):
            events.append((at, entry))
    for identifier, kind in result.kinds.items():
        if kind == "listing":
            _judge(identifier, events, result)
    return result


def _counting(number: int, entries: Sequence[Entry], result: NaiveMerge) -> list[tuple[At, Entry]]:
    """The entries of a log up to a critical one."""
    counting: list[tuple[At, Entry]] = []
    result.unknown[number] = 0
    for index, entry in enumerate(entries):
        result.unknown[number] += isinstance(entry, Unknown)
        if isinstance(entry, Unknown) and entry.critical:
            result.stopped[number] = index
            break
        counting.append(((number, index), entry))
    return counting


def _judge(identifier: str, events: list[tuple[At, Listing | Withdrawal]], result: NaiveMerge) -> None:
    """A listing lives if the last that was said of it is a listing, and there its claims are."""
    said = [
        (at, entry) for at, entry in events if (entry.id if isinstance(entry, Listing) else entry.listing) == identifier
    ]
    for at, entry in said:
        if isinstance(entry, Listing):
            result.quarantined |= {(*at, part) for part in range(1, len(entry.dropped) + 1)}
    at, last = said[-1]
    if isinstance(last, Listing):
        result.live[identifier] = at
        for signal in last.signals:
            result.claims.setdefault(signal.key, {})[at] = signal.quality
