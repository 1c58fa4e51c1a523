"""Decides the vectors of merge and digest: a whole sequence of logs at once, as a reader who held nothing would."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hashpact_conformance.vectors.deciding import Decider, Vector, expect
from hashpact_protocol.digest import BlocklistDigest
from hashpact_protocol.merge import Kind, Owner, id_text, merge_statements
from hashpact_protocol.merkle import CompactRange, leaf_hash
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.statements import Listing, Malformed, Statement


@dataclass
class Outcome:
    """What came of all logs of a vector, in its words."""

    live: list[list[Any]] = field(default_factory=list)
    quarantined: list[list[Any]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    claims: dict[tuple[str, str], list[list[Any]]] = field(default_factory=dict)
    entries: dict[str, Sequence[Statement | Malformed]] = field(default_factory=dict)


def is_replaced(log: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether a later log of the same sequence is fresh, and held so far."""
    same = [other for other in later if (other["member"], other["name"]) == (log["member"], log["name"])]
    return any(len(other["entries"]) >= other["fresh"] for other in same if "fresh" in other)


def merge_logs(logs: Sequence[Mapping[str, Any]]) -> Outcome:
    """Merge the logs of a vector."""
    outcome = Outcome()
    owners: dict[tuple[str, str], dict[bytes, Owner]] = {}
    for number, log in enumerate(logs):
        if is_replaced(log, logs[number + 1 :]):
            continue
        origin, known = log["origin"], owners.setdefault((log["member"], log["name"]), {})
        entries = parse_entries([entry.encode() for entry in log["entries"]], log["kind"])
        merged = merge_statements(entries, log=number, start=0, known=known)
        known |= merged.owners
        outcome.entries[origin] = entries
        outcome.quarantined += [[origin, one.position, one.part, one.code] for one in merged.quarantined]
        if merged.unknown:
            outcome.unknown[origin] = merged.unknown
        if merged.stopped_at is not None:
            outcome.stopped[origin] = merged.stopped_at
    for known in owners.values():
        for identifier, owner in known.items():
            if owner.kind == Kind.LISTING and owner.live:
                _take(outcome, logs[owner.log]["origin"], owner.position, id_text(identifier))
    return outcome


def _take(outcome: Outcome, origin: str, index: int, identifier: str) -> None:
    listing = outcome.entries[origin][index]
    assert isinstance(listing, Listing), f"entry {index} of {origin} is no listing"
    outcome.live.append([origin, index, identifier])
    for signal in listing.signals:
        by = [origin, index, *([] if signal.quality is None else [signal.quality])]
        outcome.claims.setdefault((signal.type, signal.value), []).append(by)


def _merge(vector: Vector, facts: dict[str, Any]) -> None:
    outcome = merge_logs(vector.json("logs.json"))
    for name in ("live", "quarantined"):
        expect(sorted(getattr(outcome, name), key=str), sorted(facts[name], key=str), name)
    told = {(one["type"], one["value"]): sorted(one["by"], key=str) for one in facts["claims"]}
    expect({claim: sorted(by, key=str) for claim, by in outcome.claims.items()}, told, "claims")
    expect(outcome.stopped, facts["stopped"], "stopped")
    expect(outcome.unknown, {name: count for name, count in facts["unknown"].items() if count}, "unknown")


def _digest(vector: Vector, facts: dict[str, Any]) -> None:
    _merge(vector, facts)
    logs = vector.json("logs.json")
    outcome = merge_logs(logs)
    digest = BlocklistDigest()
    for log in sorted(logs, key=lambda one: str(one["origin"]).encode()):
        origin = log["origin"]
        if log["name"] != log["kind"] or origin not in outcome.entries:
            continue
        raw = [entry.encode() for entry in log["entries"]][: outcome.stopped.get(origin)]
        digest.add_log(origin, len(raw), CompactRange().extend(map(leaf_hash, raw)).root())
        for index, identifier in sorted((index, one) for where, index, one in outcome.live if where == origin):
            entry = outcome.entries[origin][index]
            assert isinstance(entry, Listing)
            digest.add_listing(index, identifier, [(signal.type, signal.value) for signal in entry.signals])
    expect(digest.hexdigest(), facts["digest"], "the digest")
    expect(hashlib.sha256("".join(facts["lines"]).encode()).hexdigest(), facts["digest"], "the hash of the lines")


MERGE_DECIDERS: dict[tuple[str, str | None], Decider] = {("merge", None): _merge, ("digest", None): _digest}
