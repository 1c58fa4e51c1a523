"""The rows of keys that a member has, as data (docs/protocol.md, Trust: rows of keys).

One key serves one row. ``ROWS`` says for each row what it signs, where it may live and for how long what it
signs is valid; everything that makes, renews or judges keys reads it from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class RowName(StrEnum):
    """The names of the rows, as people and configuration write them."""

    ROOT = "root"
    TARGETS = "targets"
    ONLINE = "online"
    RELEASE = "release"
    CRISIS = "crisis"
    WITNESS = "witness"
    REQUEST = "request"


class TrustRole(StrEnum):
    """The four top-level roles of TUF 1.0."""

    ROOT = "root"
    TARGETS = "targets"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of keys.

    ``signs`` and ``lives`` are words for people. ``on_serving_host`` says whether a key of this row may lie on the
    host that serves the node. ``roles`` are the TUF roles that it signs. ``log_kinds`` are the kinds of logs whose
    checkpoints it signs. ``card_validity`` is how long a key is entered in the card; ``None`` where the card names
    no period.
    """

    name: RowName
    signs: str
    lives: str
    on_serving_host: bool
    roles: tuple[TrustRole, ...] = ()
    log_kinds: tuple[str, ...] = ()
    card_validity: timedelta | None = None


ROLE_VALIDITY: Final = {
    TrustRole.ROOT: timedelta(days=365),
    TrustRole.TARGETS: timedelta(days=365),
    TrustRole.SNAPSHOT: timedelta(days=7),
    TrustRole.TIMESTAMP: timedelta(days=1),
}
"""How long freshly signed metadata of each TUF role is valid."""

ROWS: Final = {
    row.name: row
    for row in (
        Row(
            RowName.ROOT,
            "the keys of the trust repository and their thresholds",
            "offline, 2 of 3 or more",
            on_serving_host=False,
            roles=(TrustRole.ROOT,),
        ),
        Row(
            RowName.TARGETS,
            "the member card",
            "a security officer's machine or an HSM",
            on_serving_host=False,
            roles=(TrustRole.TARGETS,),
        ),
        Row(
            RowName.ONLINE,
            "snapshot and timestamp of the trust repository",
            "the node",
            on_serving_host=True,
            roles=(TrustRole.SNAPSHOT, TrustRole.TIMESTAMP),
        ),
        Row(
            RowName.RELEASE,
            "checkpoints of listings and opinions",
            "a signer that the node can call",
            on_serving_host=True,
            log_kinds=("listings", "opinions"),
        ),
        Row(
            RowName.CRISIS,
            "checkpoints of crisis logs",
            "a signer that the node can call",
            on_serving_host=True,
            log_kinds=("crisis",),
        ),
        Row(
            RowName.WITNESS,
            "cosignatures of own and others' logs",
            "the node",
            on_serving_host=True,
            card_validity=timedelta(days=365),
        ),
        Row(
            RowName.REQUEST,
            "requests between nodes",
            "the node",
            on_serving_host=True,
            card_validity=timedelta(days=365),
        ),
    )
}
"""Every row, by name, in the order in which people read them."""

TRUST_ROWS: Final = tuple(row.name for row in ROWS.values() if row.roles)
"""The rows whose keys the root names; those of the others are named by the card."""


def row_of_log(kind: str) -> RowName:
    """The row whose key signs checkpoints of logs of this kind.

    Raises:
        KeyError: no such kind of log.
    """
    return _ROW_OF_KIND[kind]


def row_of_role(role: TrustRole) -> RowName:
    """The row whose keys sign this TUF role."""
    return _ROW_OF_ROLE[role]


_ROW_OF_KIND: Final = {kind: row.name for row in ROWS.values() for kind in row.log_kinds}
_ROW_OF_ROLE: Final = {role: row.name for row in ROWS.values() for role in row.roles}
