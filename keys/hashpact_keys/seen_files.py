"""Private keys in files, as anybody sees them who has no passphrase: where, whose, and how well they are protected.

OpenSSH's form (PROTOCOL.key) keeps the public key, the cipher and the number of bcrypt's rounds in clear. Of other PEM
forms (RFC 7468) only those without a passphrase tell their public key. A file may hold several keys.
"""

from __future__ import annotations

import base64
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_public_key,
)

FILES_MAX: Final = 5_000
"""How many files of a home are looked through for keys."""

_FILE_MAX_BYTES: Final = 65_536
_DATABASE_ENDS: Final = ("-wal", "-shm", "-journal")
_MAGIC: Final = b"openssh-key-v1\x00"
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{0,32}PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_ED25519_SPKI: Final = bytes.fromhex("302a300506032b6570032100")


@dataclass(frozen=True, slots=True)
class SeenKey:
    """One private key in a file.

    ``identity`` is the SubjectPublicKeyInfo in DER of its public half, None where only the passphrase tells. ``rounds``
    are those of bcrypt, None in other forms than OpenSSH's. ``mode`` is the file's.
    """

    path: Path
    openssh: bool
    encrypted: bool
    rounds: int | None
    identity: bytes | None
    mode: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Scan:
    """The private keys in the files of a folder, how many files were looked at, and whether those were all."""

    keys: tuple[SeenKey, ...] = ()
    looked_at: int = 0
    complete: bool = True


def public_of(identity: bytes) -> bytes:
    """The public key as cards write it, 32 bytes, of an Ed25519 key; else the identity itself."""
    return identity.removeprefix(_ED25519_SPKI)


def look_at(path: Path) -> tuple[SeenKey, ...]:
    """The private keys in one file; none in a file of more than 64 KiB, which no key file is, nor in a database's.

    Raises:
        OSError: it cannot be read.
    """
    if _is_of_a_database(path) or path.stat().st_size > _FILE_MAX_BYTES:
        return ()
    # A pipe would keep whoever opens it waiting; so it is opened without waiting, and seen to be no file.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_size > _FILE_MAX_BYTES:
            return ()
        data = file.read(_FILE_MAX_BYTES)
    mode, modified_at = stat.S_IMODE(state.st_mode), datetime.fromtimestamp(state.st_mtime, UTC)
    found = []
    for block in _BLOCK.finditer(data):
        openssh = block[1] == b"OPENSSH PRIVATE KEY"
        encrypted, rounds, identity = _openssh(block[2]) if openssh else _pem(block[0])
        found.append(SeenKey(path, openssh, encrypted, rounds, identity, mode, modified_at))
    return tuple(found)


def _is_of_a_database(path: Path) -> bool:
    """Whether SQLite uses this file.

    A process that closes such a file, having opened it for a look only, loses all locks that its own connections hold
    on it (POSIX advisory locks), and the next process that writes meets what is half written.
    """
    beside = (path.with_name(f"{path.name}{end}") for end in _DATABASE_ENDS)
    return path.name.endswith(_DATABASE_ENDS) or any(one.exists() for one in beside)


def scan_folder(folder: Path, *, files_max: int = FILES_MAX) -> Scan:
    """Look through a folder and all below it for private keys, whatever their files are called.

    Folders behind symbolic links are left out. What cannot be read makes the scan incomplete.
    """
    keys: list[SeenKey] = []
    looked_at, complete = 0, True
    for path in _files(folder):
        if path is None or looked_at >= files_max:
            complete = False
            if path is not None:
                break
            continue
        looked_at += 1
        try:
            keys += look_at(path)
        except FileNotFoundError:
            continue  # it went away meanwhile, or is a link to nowhere
        except OSError:
            complete = False
    return Scan(tuple(keys), looked_at, complete)


def _files(folder: Path) -> Iterator[Path | None]:
    """Regular files below a folder in a fixed order; None for a folder that cannot be read."""
    pending = [folder]
    while pending:
        here = pending.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError:
            yield None
            continue
        pending += [here / entry.name for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
        yield from (here / entry.name for entry in entries if entry.is_file())


def _openssh(text: bytes) -> tuple[bool, int | None, bytes | None]:
    """Whether it is encrypted, with how many rounds, and the public key's identity."""
    try:
        blob = base64.b64decode(b"".join(text.split()), validate=True)
        cipher, rest = _take_string(blob.removeprefix(_MAGIC))
        _derivation, rest = _take_string(rest)
        options, rest = _take_string(rest)
        public, _private = _take_string(rest[4:])
        rounds = int.from_bytes(_take_string(options)[1][:4]) if options else None
        return cipher != b"none", rounds, _identity(public)
    except ValueError:
        return True, None, None  # damaged: whatever it was, nobody can say whose


def _identity(public: bytes) -> bytes | None:
    kind, _rest = _take_string(public)
    try:
        key = load_ssh_public_key(kind + b" " + base64.b64encode(public))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _take_string(data: bytes) -> tuple[bytes, bytes]:
    """An SSH string (RFC 4251, section 5) and what follows it."""
    end = 4 + int.from_bytes(data[:4])
    if len(data) < end:
        raise ValueError("cut short")
    return data[4:end], data[end:]


def _pem(block: bytes) -> tuple[bool, int | None, bytes | None]:
    try:
        key = load_pem_private_key(block, None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return True, None, None  # TypeError: it has a passphrase; else it is damaged, or of a kind that is not ours
    return False, None, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
