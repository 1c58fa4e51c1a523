"""What a security team must see about a member's keys: where they live, how old they are, what is wrong with them.

Nothing here opens a key: files show their public half in clear, and devices and clouds are left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from hashpact_keys.expiries import Duty, duties, expiry_findings, key_expires
from hashpact_keys.file_findings import file_findings, offline_findings
from hashpact_keys.findings import Finding, Severity, finding
from hashpact_keys.keys_here import KeyHere, keys_here
from hashpact_keys.row_findings import reuse_findings, row_findings
from hashpact_keys.rows import RowName
from hashpact_keys.seen_files import Scan, public_of
from hashpact_keys.trust import TrustState, describe
from hashpact_keys.trust_files import TrustFiles
from hashpact_protocol.card import Card

SKEW_SECONDS: Final = 60
SKEW_ERROR_SECONDS: Final = 300
"""How far our clock may be from our peers', which forgive five minutes (docs/protocol.md, Trust)."""


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """By how many seconds our clock is ahead of others', and how that was found."""

    seconds: float
    measured: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What findings go by besides our own repository and configuration.

    ``scan`` holds the private keys in the files of the home, ``others`` the identities of all keys that other members
    name, ``opened`` the public keys of signers that are open already, by URI, ``known`` what else was found.
    """

    home: Path
    scan: Scan = field(default_factory=Scan)
    others: Mapping[str, Collection[bytes]] = field(default_factory=dict)
    opened: Mapping[str, bytes] = field(default_factory=dict)
    clock: ClockOffset | None = None
    known: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyHealth:
    """One key as ``hashpact keys status`` shows it; ``uri`` has no PIN in it.

    ``public`` are the 32 bytes of an Ed25519 key, else its SubjectPublicKeyInfo. ``age`` goes by the date of the key
    file. ``expires`` is when the first thing that hangs on this key ends; None where it counts as long as the card
    names it.
    """

    row: RowName
    uri: str
    public: bytes | None
    age: timedelta | None
    expires: datetime | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """All keys, all rows with who must act when, and all that is wrong, the gravest first.

    ``looked_at`` is how many files of the home were looked through for keys.
    """

    keys: tuple[KeyHealth, ...]
    duties: tuple[Duty, ...]
    findings: tuple[Finding, ...]
    looked_at: int


def examine(
    uris: Mapping[RowName, tuple[str, ...]],
    files: TrustFiles,
    card: Card,
    around: Surroundings,
    now: datetime,
) -> Health:
    """Look at every configured key, at the own trust repository and card, and at what is around them.

    Raises:
        TrustError: the repository is incomplete or damaged.
    """
    state = describe(files)
    here = keys_here(uris, around.home, around.opened)
    found = [
        *offline_findings(here, around.scan, files, state, around.home),
        *file_findings(here, around.scan, around.home),
        *row_findings(here, files, state, card, now),
        *reuse_findings(here, files, card, around.others),
        *expiry_findings(state, card, now),
        *clock_findings(around.clock),
        *around.known,
    ]
    order = list(Severity)
    rows = list(RowName)
    found.sort(key=lambda one: (order.index(one.severity), -1 if one.row is None else rows.index(one.row)))
    keys = tuple(_key(one, found, state, card, now) for one in here)
    return Health(keys, duties(state, card), tuple(found), around.scan.looked_at)


def warnings_of(row: RowName, found: Collection[Finding], uri: str | None = None) -> tuple[str, ...]:
    """What somebody should mend about a row, in words; with ``uri`` only what is about that key or the whole row."""
    about = [one for one in found if one.row is row and one.severity is not Severity.NOTICE]
    if uri is not None:
        return tuple(f"{one.what}: {one.mend}" for one in about if one.where in {None, uri})
    return tuple(f"{one.what}{f' ({one.where})' if one.where else ''}: {one.mend}" for one in about)


def clock_findings(clock: ClockOffset | None) -> list[Finding]:
    """Say that our clock is wrong, by a minute or more, and how that was measured."""
    if clock is None or abs(clock.seconds) <= SKEW_SECONDS:
        return []
    severity = Severity.ERROR if abs(clock.seconds) > SKEW_ERROR_SECONDS else Severity.WARNING
    direction = "ahead of" if clock.seconds > 0 else "behind"
    what = f"our clock is {abs(clock.seconds):.0f} s {direction} our peers', {clock.measured}"
    return [finding("clock-skew", None, what, severity=severity)]


def _key(key: KeyHere, found: Collection[Finding], state: TrustState, card: Card, now: datetime) -> KeyHealth:
    public = None if key.identity is None else public_of(key.identity)
    age = None if key.seen is None else now - key.seen.modified_at
    expires = key_expires(key.row, public, state, card)
    return KeyHealth(key.row, key.uri, public, age, expires, warnings_of(key.row, found, key.uri))
