"""New keys for a row under the next free name, and old key files put aside under a name that says why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hashpact_keys.rows import RowName
from hashpact_keys.signers import key_path
from hashpact_node.services.keyring import Keyring
from hashpact_node.setting_forms import DEFAULT_KEYS

RETIRED = ".retired"
REVOKED = ".revoked"
STOLEN = ".stolen"


@dataclass(frozen=True, slots=True)
class NewKey:
    """Where a new key lives, and its public key, 32 bytes."""

    uri: str
    public: bytes


def make_key(keyring: Keyring, row: RowName, uri: str | None) -> NewKey:
    """Make a new key for a row in the home, or take the one that a URI names; a file that it names is made if need be.

    Raises ConfigurationError for a URI that is not understood, KeyUnavailableError and ConflictError.
    """
    place = uri or next_place(keyring, row)
    make_missing(keyring, place)
    return NewKey(place, keyring.signer_at(place).public)


def make_missing(keyring: Keyring, uri: str) -> None:
    """Make the key of a URI that names a file which is not there; KeyUnavailableError, ConflictError."""
    path = _file_of(uri)
    if path is not None and not keyring.keystore.locate(path).exists():
        keyring.keystore.create(path)


def put_aside(keyring: Keyring, uri: str, suffix: str) -> str | None:
    """Rename the file of a key that serves no more; give what a person has to do, where something is left to do."""
    path = _file_of(uri)
    if path is None:
        return f"{uri}: delete or disable this key where it lives"
    place = keyring.keystore.locate(path)
    if not place.exists():
        return None
    try:
        place.rename(_free(place.with_name(f"{place.name}{suffix}")))
    except OSError as error:
        return f"{place}: it could not be renamed ({error.strerror}); put it away, it serves no more"
    return None


def is_put_aside(keyring: Keyring, uri: str, suffix: str) -> bool:
    """Say whether the file that a URI names is gone, and lies beside its place under a name that says why."""
    path = _file_of(uri)
    if path is None:
        return False
    place = keyring.keystore.locate(path)
    return not place.exists() and place.with_name(f"{place.name}{suffix}").exists()


def next_place(keyring: Keyring, row: RowName) -> str:
    """Give the URI of a file that never was: names of files that were put aside count, too."""
    first = key_path(DEFAULT_KEYS[row.value][0])
    folder = keyring.keystore.locate(first).parent
    pattern = re.compile(re.escape(f"{row.value}-") + r"([0-9]{1,9})\.key.*")
    names = [path.name for path in folder.glob(f"{row.value}-*")]
    taken = [int(found[1]) for name in names if (found := pattern.fullmatch(name))]
    return f"file:{first.with_name(f'{row.value}-{max(taken, default=1) + 1}.key')}"


def _file_of(uri: str) -> Path | None:
    """Give the path of a key file; None where a URI names no file."""
    return key_path(uri) if uri.startswith("file:") else None


def _free(place: Path) -> Path:
    """Give a name that nothing has yet: what was put aside before stays."""
    number, free = 1, place
    while free.exists():
        number += 1
        free = place.with_name(f"{place.name}-{number}")
    return free
