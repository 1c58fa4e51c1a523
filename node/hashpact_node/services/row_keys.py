"""The keys of one row that are here, beside what the card says of them: the newest, those that are over."""

from __future__ import annotations

from datetime import datetime

from hashpact_keys.rotation import dated_keys, named_keys
from hashpact_keys.rows import RowName
from hashpact_node.services.key_files import NewKey
from hashpact_node.services.keyring import Keyring
from hashpact_protocol.card import Card
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError


def keys_here(keyring: Keyring, row: RowName) -> list[NewKey]:
    """Give the keys of a row that can be had, newest first."""
    found = []
    for uri in keyring.uris_of(row):
        try:
            found.append(NewKey(uri, keyring.signer_at(uri).public))
        except (ConfigurationError, KeyUnavailableError):  # `hashpact keys check` tells of it
            continue
    return found


def newest_named(keyring: Keyring, card: Card, row: RowName) -> NewKey:
    """Give the newest key of a row that the card names; KeyUnavailableError where none can be had."""
    named = named_keys(card, row)
    found = next((key for key in keys_here(keyring, row) if key.public in named), None)
    if found is None:
        raise KeyUnavailableError(
            f"no {row.value} key that the card names can be had",
            where=" ".join(keyring.uris_of(row)),
            mend="restore its file; if it is lost, close its logs and open successors (`hashpact logs`)",
        )
    return found


def keys_over(keyring: Keyring, card: Card, row: RowName, now: datetime) -> list[str]:
    """Give the URIs of witness or request keys that serve no more: one that has begun since stands before them."""
    entries = {key.public: key for key in dated_keys(card, row)}
    over, begun = [], False
    for key in keys_here(keyring, row):
        entry = entries.get(key.public)
        if begun and (entry is None or entry.ends <= now):
            over.append(key.uri)
        begun = begun or (entry is not None and entry.begins <= now < entry.ends)
    return over


def others(keyring: Keyring, row: RowName, uri: str) -> list[str]:
    """Give the URIs of all keys of a row but one."""
    return [one for one in keyring.uris_of(row) if one != uri]
