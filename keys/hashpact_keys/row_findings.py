"""What is wrong with rows of keys: keys that are missing, left over, too few, shared, or half replaced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from hashpact_keys.findings import Finding, Severity, finding
from hashpact_keys.keys_here import KeyHere
from hashpact_keys.named_keys import NamedKey, card_keys, needed_keys, newest_root_keys
from hashpact_keys.rotation import LOG_ROWS, named_keys
from hashpact_keys.rows import ROWS, RowName, TrustRole
from hashpact_keys.seen_files import public_of
from hashpact_keys.trust import TrustState
from hashpact_keys.trust_files import TrustFiles
from hashpact_protocol.card import Card

ROOT_THRESHOLD_LEAST: Final = 2
ROOT_KEYS_LEAST: Final = 3
ROTATION_MAX: Final = timedelta(days=14)
"""How long two keys of a row may stand side by side before somebody is asked about it."""

_SHOWN_HEX: Final = 16


def row_findings(
    here: Collection[KeyHere], files: TrustFiles, state: TrustState, card: Card, now: datetime
) -> Iterator[Finding]:
    """Thresholds, keys that are missing or left over, and rotations that nobody finished.

    Raises:
        TrustError: the root is damaged.
    """
    root = newest_root_keys(files)
    needed = set(needed_keys(root, card, now))
    yield from _threshold(state, here, root)
    yield from _missing(here, needed)
    yield from _left_over(here, root | card_keys(card), card)
    yield from _unfinished(here, needed, card, now)


def reuse_findings(
    here: Collection[KeyHere], files: TrustFiles, card: Card, others: Mapping[str, Collection[bytes]]
) -> Iterator[Finding]:
    """One public key in two rows of ours, or named by two members.

    Raises:
        TrustError: the root is damaged.
    """
    ours: defaultdict[bytes, set[RowName]] = defaultdict(set)
    places: defaultdict[str, set[RowName]] = defaultdict(set)
    for row, identity in newest_root_keys(files) | card_keys(card):
        ours[identity].add(row)
    for one in here:
        places[one.uri].add(one.row)
        if one.identity is not None:
            ours[one.identity].add(one.row)
    told: set[frozenset[RowName]] = set()
    for identity, rows in sorted(ours.items()):
        if len(rows) > 1:
            told.add(frozenset(rows))
            yield _reused(rows, f"the key {_hex(identity)}", None)
    for uri, rows in places.items():
        if len(rows) > 1 and frozenset(rows) not in told:
            yield _reused(rows, "one key", uri)
    yield from _shared(ours, others)


def _reused(rows: Collection[RowName], what: str, where: str | None) -> Finding:
    first, *more = (row for row in ROWS if row in rows)
    names = " and ".join((first.value, *(row.value for row in more)))
    return finding("reused-in-rows", first, f"{what} serves as {names} key", where=where)


def _shared(ours: Mapping[bytes, Collection[RowName]], others: Mapping[str, Collection[bytes]]) -> Iterator[Finding]:
    members: defaultdict[bytes, list[str]] = defaultdict(list)
    for member in sorted(others):
        for identity in set(others[member]):
            members[identity].append(member)
    for identity, named_by in sorted(members.items()):
        row = next((name for name in ROWS if name in ours.get(identity, ())), None)
        if row is not None:
            what = f"our {row.value} key {_hex(identity)} is named by {', '.join(named_by)}, too"
            yield finding("reused-by-members", row, what, mend="rotate that row at once, and call the other member")
        elif len(named_by) > 1:
            what = f"the key {_hex(identity)} is named by {' and '.join(named_by)}"
            yield finding("reused-by-members", None, what, mend="ask them: a cosignature by it speaks for one only")


def _threshold(state: TrustState, here: Collection[KeyHere], root: Collection[NamedKey]) -> Iterator[Finding]:
    for role in state.roles:
        if role.role is TrustRole.ROOT:
            keys = sum(row is RowName.ROOT for row, _ in root)
            if role.threshold < ROOT_THRESHOLD_LEAST or keys < ROOT_KEYS_LEAST:
                what = f"{role.threshold} of {keys} root keys must sign, of 2 of 3 or more"
                yield finding("root-threshold", RowName.ROOT, what)
        if role.role is TrustRole.TIMESTAMP and role.threshold > 1 and not _unseen(here, RowName.ONLINE):
            at_hand = {one.identity for one in here if (one.row, one.identity) in root}
            if len(at_hand) < role.threshold:
                what = f"{len(at_hand)} online keys are at hand, and {role.threshold} must sign"
                yield finding("too-few-keys", RowName.ONLINE, what)


def _missing(here: Collection[KeyHere], needed: Iterable[NamedKey]) -> Iterator[Finding]:
    at_hand = {(one.row, one.identity) for one in here}
    wanted: defaultdict[RowName, list[bytes]] = defaultdict(list)
    for row, identity in sorted(set(needed)):
        wanted[row].append(identity)
    for row, identities in wanted.items():
        missing = [identity for identity in identities if (row, identity) not in at_hand]
        if _unseen(here, row):
            continue
        severity = Severity.ERROR if len(missing) == len(identities) else Severity.WARNING
        names = "root" if ROWS[row].roles else "card"
        for identity in missing:
            what = f"the {names} names the {row.value} key {_hex(identity)}, whose private half is not here"
            yield finding("key-missing", row, what, severity=severity)


def _left_over(here: Collection[KeyHere], named: Collection[NamedKey], card: Card) -> Iterator[Finding]:
    """A key that nothing names signs what nobody believes; a log key may wait for its first log."""
    for one in here:
        kinds = ROWS[one.row].log_kinds
        waits = bool(kinds) and not any(log.kind.value in kinds for log in card.logs)
        if one.identity is None or waits or (one.row, one.identity) in named:
            continue
        names, sign = ("root", "root") if ROWS[one.row].roles else ("card", "card")
        what = f"the {names} does not name this key, so nobody believes what it signs"
        mend = f"take it out of [keys] in node.toml, or sign a new {sign} that names it"
        yield finding("key-not-named", one.row, what, where=one.uri, mend=mend)


def _unfinished(
    here: Collection[KeyHere], needed: Collection[NamedKey], card: Card, now: datetime
) -> Iterator[Finding]:
    """Two keys of a row that have counted side by side for long; a card says since when, else the files do."""
    valid: dict[RowName, list[datetime]] = {
        RowName.WITNESS: [key.valid_from for key in card.witness_keys if key.valid_from <= now < key.valid_until],
        RowName.REQUEST: [key.valid_from for key in card.request_keys if key.valid_from <= now < key.valid_until],
    }
    for row in ROWS:
        named = [one.seen for one in here if one.row is row and (row, one.identity) in needed]
        if row in LOG_ROWS:  # a key of an audience's log takes nobody's place
            ordinary = named_keys(card, row)
            named = [
                one.seen
                for one in here
                if one.row is row and one.identity is not None and public_of(one.identity) in ordinary
            ]
        since = valid[row] if row in valid else [seen.modified_at for seen in named if seen is not None]
        if len(since) > 1 and now - max(since) > ROTATION_MAX:
            what = f"{len(since)} {row.value} keys count at once, since {max(since):%Y-%m-%d}"
            yield finding("rotation-unfinished", row, what)


def _unseen(here: Collection[KeyHere], row: RowName) -> bool:
    """Whether a key of a row may be any: it lives where nobody looked."""
    return any(one.row is row and one.identity is None and one.is_elsewhere for one in here)


def _hex(identity: bytes) -> str:
    return f"{public_of(identity).hex()[:_SHOWN_HEX]}…"
