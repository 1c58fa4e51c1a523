"""The state of this member's keys and trust repository, as a security team looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from hashpact_keys.expiries import Duty
from hashpact_keys.findings import Finding, Severity
from hashpact_keys.health import KeyHealth, Surroundings, examine
from hashpact_keys.named_keys import card_keys, root_keys
from hashpact_keys.rows import RowName, row_of_log
from hashpact_keys.seen_files import Scan, scan_folder
from hashpact_keys.trust import RoleState, describe
from hashpact_node import clock
from hashpact_node.services.clock_offset import clock_offset
from hashpact_node.services.renewal_alarms import renewal_findings
from hashpact_node.services.views import own_card, own_number
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.peers import Peer, list_peers
from hashpact_node.store.trust import load_files, newest_root
from hashpact_protocol.card import parse_card
from hashpact_protocol.errors import ConfigurationError

SCAN_KEPT_SECONDS: Final = 60.0
"""How long what was seen in the files of a home is shown before they are looked through again."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What ``hashpact keys status`` shows; ``fingerprint`` is what peers pin, ``roles`` those of TUF.

    ``duties`` say who must act on which row, and by when. ``findings`` are all that is wrong, the gravest first.
    ``looked_at`` is how many files of the home were looked through for keys.
    """

    member: str
    url: str
    fingerprint: str
    card_version: int
    roles: tuple[RoleState, ...]
    keys: tuple[KeyHealth, ...]
    duties: tuple[Duty, ...]
    findings: tuple[Finding, ...]
    looked_at: int

    @property
    def warnings(self) -> list[str]:
        """Everything that somebody should do something about, the row first."""
        return [said(one) for one in self.findings if one.severity is not Severity.NOTICE]


@dataclass(slots=True)
class HomeScan:
    """Looks through the files of a home for private keys, and remembers for a minute what it saw."""

    home: Path
    _scan: Scan | None = field(default=None, init=False, repr=False)
    _at: float = field(default=0.0, init=False, repr=False)

    def scan(self) -> Scan:
        """Give what lies there."""
        if self._scan is None or clock.monotonic() - self._at >= SCAN_KEPT_SECONDS:
            self._scan, self._at = scan_folder(self.home), clock.monotonic()
        return self._scan


def said(one: Finding) -> str:
    """Give a finding in one line."""
    head = "keys" if one.row is None else one.row.value
    where = "" if one.where is None else f" ({one.where})"
    return f"{head}: {one.what}{where}: {one.mend}"


def key_status(
    database: Database,
    uris: Mapping[str, tuple[str, ...]],
    *,
    home: Path,
    now: datetime,
    opened: Mapping[str, bytes] | None = None,
) -> KeyStatus:
    """Look at the keys that ``uris`` name by row, and at the own trust repository. No passphrase is needed.

    What cannot be read is a finding. ``opened`` are public keys of signers that are open already, by URI. Raises
    ConfigurationError before ``init`` and for a row that does not exist, TrustError for a repository that is damaged,
    StoreError.
    """
    scan = scan_folder(home)
    with database.read() as connection:
        return look_at_keys(connection, uris, home=home, scan=scan, now=now, opened=opened)


def look_at_keys(
    connection: Connection,
    uris: Mapping[str, tuple[str, ...]],
    *,
    home: Path,
    scan: Scan,
    now: datetime,
    opened: Mapping[str, bytes] | None = None,
) -> KeyStatus:
    """Do what :func:`key_status` does, within a transaction and with the files of the home already looked through."""
    files = load_files(connection, own_number(connection))
    card = own_card(connection)
    others = {peer.member: _keys_of(connection, peer) for peer in list_peers(connection)}
    around = Surroundings(
        home, scan, others, opened or {}, clock_offset(connection, now), tuple(renewal_findings(connection))
    )
    rows: dict[RowName, tuple[str, ...]] = {}
    for name, row_uris in uris.items():
        rows[_row(name)] = (*rows.get(_row(name), ()), *row_uris)
    health = examine(rows, files, card, around, now)
    state = describe(files)
    return KeyStatus(
        card.member,
        card.url,
        state.fingerprint,
        state.card_version,
        state.roles,
        health.keys,
        health.duties,
        health.findings,
        health.looked_at,
    )


def _keys_of(connection: Connection, peer: Peer) -> frozenset[bytes]:
    """Give what all keys of a member's card and newest root are."""
    root = newest_root(connection, peer.number)
    named = frozenset() if root is None else root_keys(root)
    if peer.card is not None:
        named |= _card_keys(peer.card, peer.member, peer.url)
    return frozenset(identity for _, identity in named)


@lru_cache(maxsize=1_024)
def _card_keys(card: bytes, member: str, url: str) -> frozenset[tuple[RowName, bytes]]:
    return card_keys(parse_card(card, member=member, url=url))


def _row(name: str) -> RowName:
    """Give the row of a name in the configuration; of an audience's log, the row of its kind."""
    kind, suffixed, _ = name.partition("-")
    try:
        return row_of_log(kind) if suffixed else RowName(name)
    except (ValueError, KeyError):
        rows = ", ".join(RowName)
        raise ConfigurationError(f"there is no row of keys {name!r}", mend=f"the rows are: {rows}") from None
