"""Encrypted key files in OpenSSH's private key format, so that ``ssh-keygen`` can read them too.

They hold Ed25519 keys, or ECDSA P-256 and P-384 keys for rows that sign TUF metadata.

The format (OpenSSH, PROTOCOL.key) stretches the passphrase with bcrypt and keeps the public key readable without it.
A file is created whole or not at all, never replaces another, and is refused when other users could read it.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
    load_ssh_public_key,
)

from hashpact_keys.key_forms import PrivateKey, PublicKey, check_kind, new_private_key
from hashpact_keys.kinds import KeyKind
from hashpact_protocol.errors import ConflictError, KeyUnavailableError

KDF_ROUNDS: Final = 64
"""Rounds of bcrypt_pbkdf for a new file: about half a second on a server core of 2024."""

_MAGIC: Final = b"openssh-key-v1\x00"
_BEGIN: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_END: Final = b"-----END OPENSSH PRIVATE KEY-----"
_KEY_FILE_MAX_BYTES: Final = 16_384
_NOT_OURS: Final = "give the path of a key file that 'hashpact init' or 'ssh-keygen -t ed25519' made"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What can be seen of a key file without its passphrase: where it is, its public key, its date."""

    path: Path
    key: PublicKey
    modified_at: datetime

    @property
    def public(self) -> bytes:
        """The 32 bytes of an Ed25519 key; of another its SubjectPublicKeyInfo in DER."""
        if isinstance(self.key, Ed25519PublicKey):
            return self.key.public_bytes_raw()
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def no_pin(token: str) -> str:
    """Say that nobody can give the PIN of a token."""
    raise KeyUnavailableError(
        "this token needs its PIN, and nobody can be asked",
        where=token,
        mend="set HASHPACT_PIN_FILE to a file that holds it, or name the file in the URI: pin-source=file:PATH",
    )


class KeyStore:
    """Creates and unlocks the key files of one home; an unlocked key is remembered while the process lives.

    ``home`` is what relative paths start from. ``passphrase`` is asked once, when it is first needed; one passphrase
    opens every file. ``pin`` is asked for the PIN of a token, which it is told in words. ``kdf_rounds`` is what new
    files are written with.
    """

    def __init__(
        self,
        home: Path,
        passphrase: Callable[[], bytes],
        *,
        pin: Callable[[str], str] = no_pin,
        kdf_rounds: int = KDF_ROUNDS,
    ) -> None:
        self._home = home
        self._ask = passphrase
        self._pin = pin
        self._kdf_rounds = kdf_rounds
        self._passphrase: bytes | None = None
        self._unlocked: dict[Path, PrivateKey] = {}
        self._lock = threading.Lock()

    def locate(self, path: str | Path) -> Path:
        """The absolute path of a key file, relative ones taken from the home."""
        return self._home / path

    def create(self, path: str | Path) -> bytes:
        """Make a new Ed25519 key, write it to ``path`` and give its public key (32 bytes).

        Raises:
            ConflictError: a file is there already.
            KeyUnavailableError: the passphrase is empty, or the file cannot be written.
        """
        return self.generate(path, KeyKind.ED25519).public_bytes(Encoding.Raw, PublicFormat.Raw)

    def generate(self, path: str | Path, kind: KeyKind) -> PublicKey:
        """Make a new key, write it to ``path`` and give its public key.

        Raises:
            ConflictError: a file is there already.
            KeyUnavailableError: the passphrase is empty, or the file cannot be written.
        """
        place = self.locate(path)
        key = new_private_key(kind)
        with self._lock:
            data = encode_private_key(key, self._known_passphrase(), kdf_rounds=self._kdf_rounds)
            write_key_file(place, data)
            self._unlocked[place] = key
        return key.public_key()

    def unlock(self, path: str | Path) -> PrivateKey:
        """The private key in ``path``; only the first call for a file pays the key derivation.

        Raises:
            KeyUnavailableError: no such file, other users may read it, another format, or a wrong passphrase.
        """
        place = self.locate(path)
        with self._lock:
            key = self._unlocked.get(place)
            if key is None:
                key = decode_private_key(_read_key_file(place), self._known_passphrase(), where=str(place))
                self._unlocked[place] = key
            return key

    def pin_of(self, token: str, file: Path | None) -> str:
        """The PIN of a token: the first line of ``file`` where a URI names one, else what ``pin`` is told.

        Raises:
            KeyUnavailableError: nobody knows it, or other users may read the file.
        """
        if file is None:
            return self._pin(token)
        place = self.locate(file)
        line = _read_key_file(place, "PIN file").split(b"\n", 1)[0].rstrip(b"\r")
        if not line or not line.isascii():
            raise KeyUnavailableError("this file holds no PIN", where=str(place), mend="write it into the first line")
        return line.decode()

    def _known_passphrase(self) -> bytes:
        if self._passphrase is None:
            self._passphrase = self._ask()
        return self._passphrase


def encode_private_key(key: PrivateKey, passphrase: bytes, *, kdf_rounds: int = KDF_ROUNDS) -> bytes:
    """The bytes of an encrypted key file.

    Raises:
        KeyUnavailableError: the passphrase is empty.
    """
    if not passphrase:
        raise KeyUnavailableError(
            "the passphrase of the key files is empty",
            mend="set HASHPACT_PASSPHRASE, or name a file that holds one",
        )
    encryption = PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(kdf_rounds).build(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption)


def decode_private_key(data: bytes, passphrase: bytes, *, where: str) -> PrivateKey:
    """Open the bytes of a key file; ``where`` is what an error names.

    Raises:
        KeyUnavailableError: another format, damaged, not encrypted, another kind of key, or a wrong passphrase.
    """
    public = public_key_of(data, where=where)
    try:
        key = load_ssh_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnavailableError(
            "the passphrase does not open this key file, or the file is damaged",
            where=where,
            mend="check HASHPACT_PASSPHRASE or the passphrase file; restore a damaged key file from a backup",
        ) from error
    if not isinstance(key, PrivateKey) or key.public_key() != public:
        raise KeyUnavailableError("the two halves of this key file do not belong together", where=where, mend=_NOT_OURS)
    return key


def public_key_of(data: bytes, *, where: str) -> PublicKey:
    """The public key that a key file states in clear; nothing proves it before the file is unlocked.

    Raises:
        KeyUnavailableError: another format, another kind of key, or a file that is not encrypted.
    """
    body = data.strip()
    if not (body.startswith(_BEGIN) and body.endswith(_END)):
        raise KeyUnavailableError("this is no OpenSSH private key file", where=where, mend=_NOT_OURS)
    try:
        blob = base64.b64decode(body[len(_BEGIN) : -len(_END)].replace(b"\n", b""), validate=True)
        cipher, public = _clear_fields(blob)
    except (binascii.Error, ValueError) as error:
        raise KeyUnavailableError("this key file is damaged", where=where, mend="restore it from a backup") from error
    if cipher == b"none":
        raise KeyUnavailableError(
            "this key file is not encrypted",
            where=where,
            mend="set a passphrase with 'ssh-keygen -p -f FILE', the same as that of the other key files",
        )
    try:
        name, _rest = _take_string(public)
        return check_kind(load_ssh_public_key(b"%s %s" % (name, base64.b64encode(public))), where=where)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnavailableError(
            "this key file holds a key that cannot be used", where=where, mend=_NOT_OURS
        ) from error


def _clear_fields(blob: bytes) -> tuple[bytes, bytes]:
    """Cipher name and public key blob of an openssh-key-v1 structure (OpenSSH, PROTOCOL.key)."""
    if not blob.startswith(_MAGIC):
        raise ValueError("no openssh-key-v1 structure")
    cipher, rest = _take_string(blob[len(_MAGIC) :])
    _derivation, rest = _take_string(rest)
    _options, rest = _take_string(rest)
    if rest[:4] != b"\x00\x00\x00\x01":
        raise ValueError("not exactly one key")
    public, _private = _take_string(rest[4:])
    return cipher, public


def _take_string(data: bytes) -> tuple[bytes, bytes]:
    """An SSH string (RFC 4251, section 5) and what follows it."""
    end = 4 + int.from_bytes(data[:4])
    if len(data) < end:
        raise ValueError("cut short")
    return data[4:end], data[end:]


def inspect_key_file(place: Path) -> KeyFile:
    """Look at a key file without its passphrase.

    Raises:
        KeyUnavailableError: no such file, other users may read it, or another format.
    """
    data = _read_key_file(place)
    modified_at = datetime.fromtimestamp(place.stat().st_mtime, UTC)
    return KeyFile(place, public_key_of(data, where=str(place)), modified_at)


def _read_key_file(place: Path, what: str = "key file") -> bytes:
    try:
        with place.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise KeyUnavailableError(
                    f"other users may use this {what} (mode {stat.S_IMODE(mode):04o})",
                    where=str(place),
                    mend=f"run 'chmod 600 {place}', and replace what it holds if somebody else could have read it",
                )
            return file.read(_KEY_FILE_MAX_BYTES)
    except OSError as error:
        raise KeyUnavailableError(
            f"this {what} cannot be read: {error.strerror}",
            where=str(place),
            mend="check the path in the settings, and that the node's user owns the file",
        ) from error


def write_key_file(place: Path, data: bytes) -> None:
    """Write a key file as a whole (mode 0600, its folder 0700 when it is new); never over another file.

    Raises:
        ConflictError: a file is there already.
        KeyUnavailableError: it cannot be written.
    """
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_and_link(place, data)
    except FileExistsError as error:
        raise ConflictError(
            "a file is here already, and a key is never overwritten",
            where=str(place),
            mend="move the old key away first if it is really no longer needed",
        ) from error
    except OSError as error:
        raise KeyUnavailableError(
            f"this key file cannot be written: {error.strerror}",
            where=str(place),
            mend="check that the folder exists, has room and belongs to the node's user",
        ) from error


def _write_and_link(place: Path, data: bytes) -> None:
    """A link appears whole or not at all, and refuses to replace a file, which a rename would not."""
    draft = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, place)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
