"""Keys on a real token: SoftHSM2."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hashpact_keys.key_forms import crypto_key
from hashpact_keys.keystore import KeyStore
from hashpact_keys.public_keys import KeyKind, generate, public_key, public_pem
from hashpact_keys.signers import open_note_signer, open_trust_signer
from hashpact_protocol.errors import ConfigurationError, ConflictError, KeyUnavailableError
from tokens import PIN, SoftToken, forget_tokens, keystore_with_pin

pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed, so nothing can be tried on a token")

from pkcs11.types import Session  # noqa: E402 - it needs python-pkcs11

P521 = bytes.fromhex("06052b81040023")


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return keystore_with_pin(tmp_path)


@contextmanager
def at(token: SoftToken) -> Iterator[Session]:
    """A session past Hashpact, to make what nobody should."""
    module = pkcs11.lib(str(token.hsm.module.resolve()))
    module.reinitialize()
    with module.get_token(token_label=token.label).open(rw=True, user_pin=PIN) as session:
        yield session


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_key_is_made_on_the_token_and_signs_tuf_metadata(token: SoftToken, keys: KeyStore, kind: KeyKind) -> None:
    uri = token.uri("root")
    made = generate(uri, keys, kind)
    assert public_key(uri, keys) == made
    signer = open_trust_signer(uri, keys)
    assert signer.public_key == made
    for message in (b"", b"one", b"x" * 100_000):
        made.verify_signature(signer.sign(message), message)


def test_the_private_key_cannot_leave_the_token(token: SoftToken, keys: KeyStore) -> None:
    for kind in KeyKind:
        generate(token.uri(kind.value), keys, kind)
    with at(token) as session:
        private = list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}))
        assert len(private) == 3
        for key in private:
            assert key[pkcs11.Attribute.SENSITIVE] is True
            assert key[pkcs11.Attribute.EXTRACTABLE] is False
            assert key[pkcs11.Attribute.PRIVATE] is True
            assert len(key[pkcs11.Attribute.ID]) == 16


def test_a_note_is_signed_with_ed25519_and_with_nothing_else(token: SoftToken, keys: KeyStore) -> None:
    made = generate(token.uri("release"), keys)
    signer = open_note_signer(token.uri("release"), keys)
    public = crypto_key(made, where="x")
    assert isinstance(public, Ed25519PublicKey)
    assert signer.public == public.public_bytes_raw()
    public.verify(signer.sign(b"a note\n"), b"a note\n")
    generate(token.uri("other"), keys, KeyKind.P256)
    with pytest.raises(ConfigurationError, match=r"ECDSA P-256 key, and .* Ed25519 keys only"):
        open_note_signer(token.uri("other"), keys)


def test_the_public_key_needs_no_pin(token: SoftToken, tmp_path: Path) -> None:
    made = generate(token.uri("root"), keystore_with_pin(tmp_path))
    asked: list[str] = []
    assert public_key(token.uri("root"), keystore_with_pin(tmp_path, asked=asked)) == made
    assert asked == []


def test_a_public_key_that_is_hidden_needs_the_pin(token: SoftToken, tmp_path: Path) -> None:
    made = generate(token.uri("root"), keystore_with_pin(tmp_path))
    with at(token) as session:
        shown = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label="root")
        shown.copy({pkcs11.Attribute.PRIVATE: True})
        shown.destroy()
    forget_tokens(token.hsm)
    asked: list[str] = []
    assert public_key(token.uri("root"), keystore_with_pin(tmp_path, asked=asked)) == made
    assert asked == [f"token '{token.label}'"]


def test_eight_threads_sign_through_one_token(token: SoftToken, keys: KeyStore) -> None:
    names = {"one": KeyKind.ED25519, "two": KeyKind.P256, "three": KeyKind.ED25519}
    for name, kind in names.items():
        generate(token.uri(name), keys, kind)
    signers = [open_trust_signer(token.uri(name), keys) for name in names]

    def sign(number: int) -> None:
        signer = signers[number % 3]
        message = str(number).encode()
        signer.public_key.verify_signature(signer.sign(message), message)

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(sign, range(400)))) == 400


def test_threads_that_open_at_the_same_time_log_in_once(token: SoftToken, tmp_path: Path) -> None:
    generate(token.uri("one"), keystore_with_pin(tmp_path))
    forget_tokens(token.hsm)
    asked: list[str] = []
    keys = keystore_with_pin(tmp_path, asked=asked)
    with ThreadPoolExecutor(8) as pool:
        signers = list(pool.map(lambda _n: open_note_signer(token.uri("one"), keys), range(16)))
    assert len({signer.sign(b"x") for signer in signers}) == 1
    assert len(asked) == 1


def test_a_key_that_is_there_is_not_made_again(token: SoftToken, keys: KeyStore) -> None:
    made = generate(token.uri("root"), keys)
    with pytest.raises(ConflictError, match="never overwritten"):
        generate(token.uri("root"), keys)
    assert public_key(token.uri("root"), keys) == made


def test_a_key_that_is_not_there(token: SoftToken, keys: KeyStore) -> None:
    with pytest.raises(KeyUnavailableError, match=r"public key is not on the token.*keys generate"):
        open_trust_signer(token.uri("none"), keys)
    generate(token.uri("half"), keys)
    with at(token) as session:
        session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label="half").destroy()
    with pytest.raises(KeyUnavailableError, match="private key is not on the token"):
        open_trust_signer(token.uri("half"), keys)


def test_two_keys_that_match(token: SoftToken, keys: KeyStore) -> None:
    one, two = generate(token.uri("a", "id=%01"), keys), generate(token.uri("a", "id=%02"), keys)
    with pytest.raises(KeyUnavailableError, match="2 public keys match"):
        open_trust_signer(token.uri("a"), keys)
    assert open_trust_signer(token.uri("a", "id=%01"), keys).public_key == one
    assert public_key(token.uri("a", "id=%02"), keys) == two


def test_keys_of_other_kinds(token: SoftToken, keys: KeyStore) -> None:
    with at(token) as session:
        session.generate_keypair(pkcs11.KeyType.RSA, 2_048, label="rsa", store=True)
        curve = session.create_domain_parameters(pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: P521}, local=True)
        curve.generate_keypair(label="p521", store=True)
    with pytest.raises(KeyUnavailableError, match=r"key of another kind.*P-384"):
        open_trust_signer(token.uri("rsa"), keys)
    with pytest.raises(KeyUnavailableError, match=r"key on another curve.*P-384"):
        public_key(token.uri("p521"), keys)


def test_a_key_with_which_nobody_may_sign(token: SoftToken, keys: KeyStore) -> None:
    generate(token.uri("root"), keys)
    with at(token) as session:
        key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label="root")
        key[pkcs11.Attribute.SIGN] = False
    with pytest.raises(KeyUnavailableError, match="lets nobody sign"):
        open_trust_signer(token.uri("root"), keys)


def test_halves_that_do_not_belong_together(token: SoftToken, keys: KeyStore) -> None:
    generate(token.uri("a"), keys)
    generate(token.uri("b"), keys)
    with at(token) as session:
        session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label="a").destroy()
        session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label="b")[pkcs11.Attribute.LABEL] = "a"
    with pytest.raises(KeyUnavailableError, match="does not verify with the public key"):
        open_trust_signer(token.uri("a"), keys).sign(b"x")


def test_without_the_package_the_extra_is_named(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['pkcs11'] = None\n"
        "from pathlib import Path\n"
        "from hashpact_keys.keystore import KeyStore\n"
        "from hashpact_keys.signers import open_note_signer\n"
        "open_note_signer('pkcs11:object=a', KeyStore(Path(sys.argv[1]), bytes))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "ConfigurationError: pkcs11:object=a: keys of pkcs11: need a package" in done.stderr
    assert 'pip install "hashpact[pkcs11]"' in done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("kind", list(KeyKind))
def test_openssl_verifies_what_the_token_signed(
    token: SoftToken, keys: KeyStore, tmp_path: Path, kind: KeyKind
) -> None:
    key = generate(token.uri("root"), keys, kind)
    signature = open_trust_signer(token.uri("root"), keys).sign(b"a message").signature
    (tmp_path / "message").write_bytes(b"a message")
    (tmp_path / "signature").write_bytes(bytes.fromhex(signature))
    (tmp_path / "public").write_bytes(public_pem(key))
    digest = {KeyKind.ED25519: [], KeyKind.P256: ["-digest", "sha256"], KeyKind.P384: ["-digest", "sha384"]}[kind]
    command = ["openssl", "pkeyutl", "-verify", "-rawin", *digest, "-pubin", "-inkey", "public", "-in", "message"]
    done = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "message").write_bytes(b"a massage")
    assert subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, check=False).returncode != 0


def test_a_p256_key_is_a_curve_key(token: SoftToken, keys: KeyStore) -> None:
    public = crypto_key(generate(token.uri("x"), keys, KeyKind.P256), where="x")
    assert isinstance(public, EllipticCurvePublicKey)
    assert public.key_size == 256
