"""The keys that a home's configuration names, as far as they can be seen without opening any of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hashpact_keys.rows import ROWS, RowName
from hashpact_keys.seen_files import SeenKey, look_at
from hashpact_keys.signers import key_path
from hashpact_keys.trust_checks import ed25519_identity
from hashpact_protocol.errors import ConfigurationError

FILE: Final = "file:"
ELSEWHERE: Final = ("pkcs11:", "awskms:", "gcpkms:", "azurekms:", "hv:")
"""URIs of keys in devices and clouds, which nobody opens for a look: that may ask for a PIN, or cost money."""

_SECRET: Final = re.compile(r"(pin-value=)[^;&?#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KeyHere:
    """One configured key: ``uri`` without any PIN, ``seen`` what its file shows, ``error`` why it shows nothing.

    ``identity`` is the SubjectPublicKeyInfo in DER, None where it is not known. ``gone``: its file is not there.
    """

    row: RowName
    uri: str
    seen: SeenKey | None = None
    identity: bytes | None = None
    error: str | None = None
    gone: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """Whether it lives in a device or a cloud."""
        return self.uri.startswith(ELSEWHERE)


def shown_uri(uri: str) -> str:
    """A key's URI as it may be shown: without the PIN of an HSM (RFC 7512)."""
    return _SECRET.sub(r"\1***", uri)


def keys_here(
    uris: Mapping[RowName, tuple[str, ...]], home: Path, opened: Mapping[str, bytes] | None = None
) -> list[KeyHere]:
    """Look at every configured key, in the order of the rows; what cannot be read says why.

    ``opened`` are public keys, 32 bytes, of signers that are open already, by URI.
    """
    known = opened or {}
    return [_look(row, uri, home, known.get(uri)) for row in ROWS for uri in uris.get(row, ())]


def _look(row: RowName, uri: str, home: Path, opened: bytes | None) -> KeyHere:
    shown = shown_uri(uri)
    if uri.startswith(ELSEWHERE):
        identity = None if opened is None else ed25519_identity(opened, shown)
        return KeyHere(row, shown, identity=identity)
    try:
        seen = look_at(home / key_path(uri))
    except FileNotFoundError:
        return KeyHere(row, shown, error="there is no such file", gone=True)
    except OSError as error:
        return KeyHere(row, shown, error=f"it cannot be read: {error.strerror}")
    except ConfigurationError as error:
        return KeyHere(row, shown, error=error.what)
    if not seen:
        return KeyHere(row, shown, error="it holds no private key")
    return KeyHere(row, shown, seen[0], seen[0].identity)
