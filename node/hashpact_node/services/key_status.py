"""The state of this member's keys and trust repository, as a security team looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hashpact_keys.health import KeyHealth, key_health
from hashpact_keys.rows import RowName
from hashpact_keys.trust import RoleState, describe
from hashpact_node.services.views import own_card, own_number
from hashpact_node.store.database import Database
from hashpact_node.store.trust import load_files
from hashpact_protocol.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What ``hashpact keys status`` shows; ``fingerprint`` is what peers pin, ``roles`` those of TUF."""

    member: str
    url: str
    fingerprint: str
    card_version: int
    roles: tuple[RoleState, ...]
    keys: tuple[KeyHealth, ...]

    @property
    def warnings(self) -> list[str]:
        """Everything that somebody should do something about, the row first."""
        return [f"{key.row.value}: {warning}" for key in self.keys for warning in key.warnings]


def key_status(database: Database, uris: Mapping[str, tuple[str, ...]], *, home: Path, now: datetime) -> KeyStatus:
    """Look at the keys that ``uris`` name by row, and at the own trust repository. No passphrase is needed.

    A key that cannot be read is a warning. Raises ConfigurationError before ``init`` and for a row that does not exist,
    TrustError for a repository that is damaged, StoreError.
    """
    with database.read() as connection:
        files = load_files(connection, own_number(connection))
        card = own_card(connection)
    state = describe(files)
    rows = {_row(name): row_uris for name, row_uris in uris.items()}
    keys = key_health(rows, home=home, state=state, card=card, now=now)
    return KeyStatus(card.member, card.url, state.fingerprint, state.card_version, state.roles, tuple(keys))


def _row(name: str) -> RowName:
    try:
        return RowName(name)
    except ValueError:
        rows = ", ".join(RowName)
        raise ConfigurationError(f"there is no row of keys {name!r}", mend=f"the rows are: {rows}") from None
