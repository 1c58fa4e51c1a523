from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hashpact_keys.keystore import encode_private_key
from hashpact_keys.seen_files import SeenKey, look_at, public_of, scan_folder

Key = Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def identity(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def only(path: Path) -> SeenKey:
    (seen,) = look_at(path)
    return seen


def openssh(key: Key, passphrase: bytes | None = None) -> bytes:
    protection = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, protection)


def test_an_encrypted_file_tells_its_public_key_and_its_rounds(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    seen = only(write(tmp_path / "any name", encode_private_key(key, b"secret", kdf_rounds=3)))
    assert (seen.openssh, seen.encrypted, seen.rounds, seen.mode) == (True, True, 3, 0o600)
    assert seen.identity == identity(key)
    assert public_of(seen.identity) == key.public_key().public_bytes_raw()


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()], ids=["P-256", "P-384"])
def test_so_does_one_of_an_elliptic_curve(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    seen = only(write(tmp_path / "key", openssh(key, b"secret")))
    assert (seen.encrypted, seen.identity) == (True, identity(key))
    assert public_of(identity(key)) == identity(key)


def test_one_without_a_passphrase_is_seen_to_have_none(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    seen = only(write(tmp_path / "key", openssh(key)))
    assert (seen.openssh, seen.encrypted, seen.rounds, seen.identity) == (True, False, None, identity(key))


def test_other_forms_tell_what_they_can(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    clear = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    closed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    for data, encrypted, whose in ((clear, False, identity(key)), (closed, True, None)):
        seen = only(write(tmp_path / "key", data))
        assert (seen.openssh, seen.encrypted, seen.identity) == (False, encrypted, whose)


def test_several_keys_in_one_file_and_text_around_them(tmp_path: Path) -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    data = b"# ours\n" + b"\nand\n".join(openssh(key) for key in keys) + b"the end"
    assert [seen.identity for seen in look_at(write(tmp_path / "key", data))] == [identity(key) for key in keys]


@pytest.mark.parametrize(
    "inside", [b"", b"!!!!", b"b3BlbnNzaC1rZXktdjEA", b"AAAA/w==", b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
)
def test_a_damaged_one_is_a_key_that_nobody_knows(tmp_path: Path, inside: bytes) -> None:
    data = b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + inside + b"\n-----END OPENSSH PRIVATE KEY-----\n"
    assert only(write(tmp_path / "key", data)).identity is None


def test_other_files_hold_no_key(tmp_path: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert look_at(write(tmp_path / "public", public)) == ()
    assert look_at(write(tmp_path / "large", openssh(Ed25519PrivateKey.generate()) + bytes(65_536))) == ()
    os.mkfifo(tmp_path / "pipe")
    assert look_at(tmp_path / "pipe") == ()
    with pytest.raises(FileNotFoundError):
        look_at(tmp_path / "none")


def test_a_look_takes_no_lock_from_a_database_in_use(tmp_path: Path) -> None:
    """A file that is closed takes all POSIX locks of its process with it, those of SQLite's connections too."""
    place = tmp_path / "node.sqlite3"
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE some (thing)")
        connection.execute("BEGIN IMMEDIATE")
        assert scan_folder(tmp_path).keys == ()
        other = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0, isolation_level=None).execute('BEGIN IMMEDIATE')"
        done = subprocess.run([sys.executable, "-c", other, str(place)], check=False, capture_output=True, text=True)
        assert "database is locked" in done.stderr
        connection.execute("ROLLBACK")


def test_a_folder_is_looked_through_to_its_bottom(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    deep = tmp_path / "a" / ".hidden" / "c"
    deep.mkdir(parents=True)
    write(deep / "notes.txt", openssh(key, b"secret"))
    write(tmp_path / "other", b"nothing")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    (tmp_path / "round").symlink_to(tmp_path)
    scan = scan_folder(tmp_path)
    assert [seen.path for seen in scan.keys] == [deep / "notes.txt"]
    assert (scan.looked_at, scan.complete) == (2, True)


def test_a_link_to_a_key_elsewhere_is_a_key_on_this_host(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write(tmp_path / "key", openssh(Ed25519PrivateKey.generate(), b"secret"))
    (home / "link").symlink_to(tmp_path / "key")
    assert len(scan_folder(home).keys) == 1


def test_the_work_is_bounded_and_it_says_so(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / str(number), b"")
    assert scan_folder(tmp_path, files_max=5).complete
    scan = scan_folder(tmp_path, files_max=4)
    assert (scan.looked_at, scan.complete) == (4, False)


def test_what_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "key", b"")

    def refuse(_path: Path) -> tuple[SeenKey, ...]:
        raise PermissionError

    monkeypatch.setattr("hashpact_keys.seen_files.look_at", refuse)
    assert not scan_folder(tmp_path).complete
    assert scan_folder(tmp_path / "none").complete
