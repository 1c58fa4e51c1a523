from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from securesystemslib.signer import Signature  # type: ignore[attr-defined]  # it has no __all__; a documented name

from hashpact_keys.key_forms import check_signature, crypto_key
from hashpact_keys.keystore import KeyStore
from hashpact_keys.public_keys import KeyKind, generate, key_from_pem, public_pem
from hashpact_keys.signers import key_path, open_note_signer, open_trust_signer
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError

PKEYUTL = ["openssl", "pkeyutl"]
DIGESTS = {KeyKind.ED25519: [], KeyKind.P256: ["-digest", "sha256"], KeyKind.P384: ["-digest", "sha384"]}


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path, lambda: b"secret words", kdf_rounds=1)


def test_a_note_signer_signs_with_the_key_of_the_file(keys: KeyStore) -> None:
    public = keys.create("keys/release.key")
    signer = open_note_signer("file:keys/release.key", keys)
    assert signer.public == public
    Ed25519PublicKey.from_public_bytes(public).verify(signer.sign(b"message"), b"message")
    assert "secret" not in repr(signer)


def test_a_trust_signer_signs_as_tuf_wants(keys: KeyStore) -> None:
    public = keys.create("keys/online.key")
    signer = open_trust_signer("file:keys/online.key", keys)
    signature = signer.sign(b"message")
    assert isinstance(signature, Signature)
    signer.public_key.verify_signature(signature, b"message")
    assert signer.public_key.keyval == {"public": public.hex()}


@pytest.mark.parametrize(("uri", "path"), [("file:keys/a.key", "keys/a.key"), ("file:/etc/a.key", "/etc/a.key")])
def test_paths_may_be_relative_or_absolute(uri: str, path: str) -> None:
    assert key_path(uri) == Path(path)


@pytest.mark.parametrize("uri", ["file://host/a", "pkcs11:object=a", "awskms:a", "hv:a/1"])
def test_what_is_no_key_file_is_refused_where_one_is_needed(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="no URI of a key file"):
        key_path(uri)


@pytest.mark.parametrize("uri", ["", "file:", "keys/a.key", "file2:a", "pkcs11", "FILE:a", "hsm:2", "awskms:"])
def test_what_is_no_key_uri_is_refused(uri: str, keys: KeyStore) -> None:
    for work in (key_path, lambda uri: open_note_signer(uri, keys), lambda uri: open_trust_signer(uri, keys)):
        with pytest.raises(ConfigurationError, match=r"no key URI.*file:PATH.*pkcs11, awskms, gcpkms, azurekms, hv"):
            work(uri)


def test_a_missing_key_is_said(keys: KeyStore) -> None:
    with pytest.raises(KeyUnavailableError):
        open_trust_signer("file:keys/none.key", keys)


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384])
def test_an_ecdsa_file_signs_tuf_metadata_and_no_notes(keys: KeyStore, kind: KeyKind) -> None:
    keys.generate("keys/root.key", kind)
    signer = open_trust_signer("file:keys/root.key", keys)
    signer.public_key.verify_signature(signer.sign(b"message"), b"message")
    with pytest.raises(ConfigurationError, match=f"{kind.words} key, and the rows .* take Ed25519 keys only"):
        open_note_signer("file:keys/root.key", keys)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("kind", list(KeyKind))
def test_openssl_verifies_what_a_file_signed(keys: KeyStore, tmp_path: Path, kind: KeyKind) -> None:
    key = generate("file:one.key", keys, kind)
    signature = open_trust_signer("file:one.key", keys).sign(b"a message").signature
    for name, data in (("message", b"a message"), ("signature", bytes.fromhex(signature)), ("public", public_pem(key))):
        (tmp_path / name).write_bytes(data)
    command = [*PKEYUTL, "-verify", "-rawin", *DIGESTS[kind], "-pubin", "-inkey", "public", "-sigfile", "signature"]
    done = subprocess.run([*command, "-in", "message"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "message").write_bytes(b"a massage")
    assert subprocess.run([*command, "-in", "message"], cwd=tmp_path, capture_output=True, check=False).returncode != 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("kind", list(KeyKind))
def test_we_verify_what_openssl_signed(tmp_path: Path, kind: KeyKind) -> None:
    algorithm = {
        KeyKind.ED25519: ["ed25519"],
        KeyKind.P256: ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        KeyKind.P384: ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    }[kind]
    (tmp_path / "message").write_bytes(b"a message")
    for command in (
        ["openssl", "genpkey", "-algorithm", *algorithm, "-out", "private"],
        ["openssl", "pkey", "-in", "private", "-pubout", "-out", "public"],
        [*PKEYUTL, "-sign", "-rawin", *DIGESTS[kind], "-inkey", "private", "-in", "message", "-out", "signature"],
    ):
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    key = key_from_pem((tmp_path / "public").read_bytes(), where="public")
    signature = Signature(key.keyid, (tmp_path / "signature").read_bytes().hex())
    check_signature(key, signature, b"a message", where="x")
    with pytest.raises(KeyUnavailableError, match="does not verify"):
        check_signature(key, signature, b"a massage", where="x")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize("kind", list(KeyKind))
def test_files_of_ssh_keygen_are_read_and_it_reads_ours(keys: KeyStore, tmp_path: Path, kind: KeyKind) -> None:
    options = {KeyKind.ED25519: ["ed25519"], KeyKind.P256: ["ecdsa", "-b", "256"], KeyKind.P384: ["ecdsa", "-b", "384"]}
    theirs = ["ssh-keygen", "-q", "-t", *options[kind], "-a", "1", "-N", "secret words", "-f", str(tmp_path / "theirs")]
    subprocess.run(theirs, check=True)
    signer = open_trust_signer("file:theirs", keys)
    signer.public_key.verify_signature(signer.sign(b"x"), b"x")
    made = generate("file:ours", keys, kind)
    command = ["ssh-keygen", "-y", "-P", "secret words", "-f", str(tmp_path / "ours")]
    line = subprocess.run(command, capture_output=True, check=True).stdout
    assert load_ssh_public_key(line) == crypto_key(made, where="x")
