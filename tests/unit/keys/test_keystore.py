from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP521R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hashpact_keys import keystore
from hashpact_keys.key_forms import PrivateKey
from hashpact_keys.keystore import (
    KeyStore,
    decode_private_key,
    encode_private_key,
    inspect_key_file,
    public_key_of,
    write_key_file,
)
from hashpact_keys.kinds import KeyKind
from hashpact_protocol.errors import ConflictError, KeyUnavailableError

PASSPHRASE = b"correct horse battery staple"


def store(home: Path, passphrase: bytes = PASSPHRASE) -> KeyStore:
    return KeyStore(home, lambda: passphrase, kdf_rounds=1)


def test_a_key_is_created_and_unlocked_again_by_another_process(tmp_path: Path) -> None:
    public = store(tmp_path).create("keys/release.key")
    key = store(tmp_path).unlock("keys/release.key")
    assert key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) == public
    assert store(tmp_path).unlock(tmp_path / "keys/release.key").public_key() == key.public_key()


def test_file_and_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    store(tmp_path).create("keys/release.key")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys/release.key").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["release.key"]


def test_the_passphrase_is_asked_once_and_the_derivation_paid_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path).create("one")
    asked: list[str] = []
    opened: list[str] = []

    def ask() -> bytes:
        asked.append("once")
        return PASSPHRASE

    def decode(data: bytes, passphrase: bytes, *, where: str) -> PrivateKey:
        opened.append(where)
        return decode_private_key(data, passphrase, where=where)

    monkeypatch.setattr(keystore, "decode_private_key", decode)
    keys = KeyStore(tmp_path, ask, kdf_rounds=1)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _n: id(keys.unlock("one")), range(20)))) == 1
    keys.create("two")
    keys.unlock("two")
    assert asked == ["once"]
    assert opened == [str(tmp_path / "one")]


def test_nothing_of_the_secrets_shows(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.create("one")
    assert PASSPHRASE.decode() not in repr(keys)
    with pytest.raises(KeyUnavailableError) as raised:
        store(tmp_path, b"hunter2").unlock("one")
    assert "hunter2" not in str(raised.value)
    assert str(tmp_path / "one") in str(raised.value)
    assert "HASHPACT_PASSPHRASE" in str(raised.value)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    keys = store(tmp_path)
    keys.create("one")
    before = (tmp_path / "one").read_bytes()
    with pytest.raises(ConflictError, match="never overwritten"):
        keys.create("one")
    assert (tmp_path / "one").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["one"]


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="empty"):
        store(tmp_path, b"").create("one")
    assert not (tmp_path / "one").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file, not a folder")
    with pytest.raises(ConflictError):
        write_key_file(tmp_path / "keys" / "one", b"data")
    with pytest.raises(KeyUnavailableError, match="cannot be written"):
        write_key_file(tmp_path / "keys" / "deep" / "one", b"data")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    store(tmp_path).create("one")
    (tmp_path / "one").chmod(mode)
    with pytest.raises(KeyUnavailableError, match=f"{mode:04o}.*chmod 600"):
        store(tmp_path).unlock("one")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="No such file"):
        store(tmp_path).unlock("none.key")


def test_inspecting_needs_no_passphrase(tmp_path: Path) -> None:
    public = store(tmp_path).create("one")
    os.utime(tmp_path / "one", (1_000, 1_000))
    file = inspect_key_file(tmp_path / "one")
    assert (file.path, file.public) == (tmp_path / "one", public)
    assert file.modified_at == datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)


def test_an_unencrypted_file_is_refused() -> None:
    data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    with pytest.raises(KeyUnavailableError, match=r"not encrypted.*ssh-keygen -p"):
        decode_private_key(data, PASSPHRASE, where="x")


@pytest.mark.parametrize("key", [generate_private_key(SECP521R1()), generate_rsa(65_537, 2_048)], ids=["p521", "rsa"])
def test_another_kind_of_key_is_refused(key: EllipticCurvePrivateKey | RSAPrivateKey) -> None:
    data = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(PASSPHRASE))
    with pytest.raises(KeyUnavailableError, match=r"another kind.*P-384"):
        decode_private_key(data, PASSPHRASE, where="x")


@pytest.mark.parametrize("kind", list(KeyKind))
def test_every_kind_is_made_and_opened_again(tmp_path: Path, kind: KeyKind) -> None:
    public = store(tmp_path).generate("one", kind)
    assert inspect_key_file(tmp_path / "one").key == public
    assert store(tmp_path).unlock("one").public_key() == public


def test_a_public_key_that_is_damaged_is_refused() -> None:
    key = generate_private_key(SECP256R1())
    data = encode_private_key(key, PASSPHRASE, kdf_rounds=1)
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    with pytest.raises(KeyUnavailableError, match="cannot be used"):
        public_key_of(armour(blob_of(data).replace(point, point[:-1] + bytes([point[-1] ^ 1]), 1)), where="x")


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n"])
def test_another_format_is_refused(data: bytes) -> None:
    with pytest.raises(KeyUnavailableError, match="no OpenSSH private key file"):
        public_key_of(data, where="x")


def armour(blob: bytes) -> bytes:
    body = base64.b64encode(blob)
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + body + b"\n-----END OPENSSH PRIVATE KEY-----\n"


def blob_of(data: bytes) -> bytes:
    return base64.b64decode(b"".join(data.splitlines()[1:-1]))


@pytest.mark.parametrize(
    "blob",
    [
        b"openssh-key-v2\x00",
        b"openssh-key-v1\x00",
        b"openssh-key-v1\x00\x00\x00\x00\xffaes",
        b"openssh-key-v1\x00" + b"\x00\x00\x00\x01x" * 3 + b"\x00\x00\x00\x02",
    ],
)
def test_a_damaged_structure_is_refused(blob: bytes) -> None:
    with pytest.raises(KeyUnavailableError, match="damaged"):
        public_key_of(armour(blob), where="x")


def test_damaged_base64_is_refused() -> None:
    with pytest.raises(KeyUnavailableError, match="damaged"):
        public_key_of(armour(b"").replace(b"KEY-----\n\n", b"KEY-----\n*\n"), where="x")


def test_a_public_half_that_was_swapped_is_refused() -> None:
    key = Ed25519PrivateKey.generate()
    data = encode_private_key(key, PASSPHRASE, kdf_rounds=1)
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    swapped = armour(blob_of(data).replace(key.public_key().public_bytes_raw(), other, 1))
    with pytest.raises(KeyUnavailableError):
        decode_private_key(swapped, PASSPHRASE, where="x")


def test_halves_that_do_not_belong_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_private_key(Ed25519PrivateKey.generate(), PASSPHRASE, kdf_rounds=1)
    monkeypatch.setattr(keystore, "load_ssh_private_key", lambda _data, _passphrase: Ed25519PrivateKey.generate())
    with pytest.raises(KeyUnavailableError, match="do not belong together"):
        decode_private_key(data, PASSPHRASE, where="x")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_ssh_keygen_reads_the_file(tmp_path: Path) -> None:
    public = store(tmp_path).create("one")
    command = ["ssh-keygen", "-y", "-P", PASSPHRASE.decode(), "-f", str(tmp_path / "one")]
    line = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert base64.b64decode(line.split()[1])[-32:] == public


def test_new_files_are_slow_to_open() -> None:
    data = encode_private_key(Ed25519PrivateKey.generate(), PASSPHRASE)
    assert (keystore.KDF_ROUNDS).to_bytes(4) in blob_of(data)[:100]
    assert keystore.KDF_ROUNDS >= 64
