"""Keys in services: AWS KMS as moto plays it, on loopback; of the others what can be seen without them."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from securesystemslib.signer import Key, Signer  # type: ignore[attr-defined]  # it has no __all__; documented names

from hashpact_keys import cloud
from hashpact_keys.cloud import CloudSigner, open_cloud_signer
from hashpact_keys.keystore import KeyStore
from hashpact_keys.public_keys import KeyKind, generate, public_key
from hashpact_keys.signers import open_note_signer, open_trust_signer
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError

NEEDS_MOTO = pytest.mark.skipif(
    importlib.util.find_spec("moto") is None or importlib.util.find_spec("boto3") is None,
    reason="moto and boto3 are not installed, so there is no AWS KMS to ask",
)
SECRET = "synthetic/secret+of/a+test"
GONE = "awskms:00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "synthetic",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)


@contextmanager
def serving_kms() -> Iterator[str]:
    """AWS KMS as moto plays it.

    moto says that it does not know MessageType DIGEST, and hashes a digest once more. It is taught here, since the
    digest is all that a signer sends.
    """
    from moto.kms.utils import ECDSAPrivateKey  # noqa: PLC0415  it takes a second to import
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    def sign(self: Any, message: bytes, signing_algorithm: str) -> bytes:
        digest = {"ECDSA_SHA_256": SHA256(), "ECDSA_SHA_384": SHA384()}[signing_algorithm]
        return bytes(self.private_key.sign(message, ECDSA(Prehashed(digest))))

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ECDSAPrivateKey, "sign", sign)
            host, port = server.get_host_and_port()
            yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with serving_kms() as url:
        yield url


@pytest.fixture
def kms(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client that makes keys in the service, which Hashpact does not."""
    import boto3  # type: ignore[import-untyped]  # noqa: PLC0415  it brings no type information

    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    return boto3.session.Session().client("kms")


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path, lambda: b"passphrase of a test")


def make(kms: Any, spec: str) -> str:
    return f"awskms:{kms.create_key(KeySpec=spec, KeyUsage='SIGN_VERIFY')['KeyMetadata']['KeyId']}"


@NEEDS_MOTO
@pytest.mark.parametrize(("spec", "kind"), [("ECC_NIST_P256", KeyKind.P256), ("ECC_NIST_P384", KeyKind.P384)])
def test_aws_signs_tuf_metadata_and_no_notes(kms: Any, keys: KeyStore, spec: str, kind: KeyKind) -> None:
    uri = make(kms, spec)
    signer = open_trust_signer(uri, keys)
    for message in (b"", b"one", b"x" * 100_000):
        signer.public_key.verify_signature(signer.sign(message), message)
    assert public_key(uri, keys) == signer.public_key
    again = CloudSigner.from_priv_key_uri(uri, signer.public_key)
    again.public_key.verify_signature(again.sign(b"x"), b"x")
    with pytest.raises(ConfigurationError, match=f"{kind.words} key, and .* Ed25519 keys only"):
        open_note_signer(uri, keys)


@NEEDS_MOTO
@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_SECG_P256K1", "ECC_NIST_P521"])
def test_keys_of_other_kinds_are_refused(kms: Any, keys: KeyStore, spec: str) -> None:
    uri = make(kms, spec)
    for work in (open_trust_signer, public_key):
        with pytest.raises(KeyUnavailableError, match="key of another kind"):
            work(uri, keys)


@NEEDS_MOTO
def test_a_signature_by_another_key_is_noticed(kms: Any, keys: KeyStore) -> None:
    one, two = (open_trust_signer(make(kms, "ECC_NIST_P256"), keys) for _ in range(2))
    with pytest.raises(KeyUnavailableError, match="does not verify"):
        _Mixed(one, two).sign(b"x")


class _Mixed(CloudSigner):
    """A real signer that says that it is another."""

    def __init__(self, signer: Signer, shown: Signer) -> None:
        super().__init__(GONE, signer)
        self._shown = shown

    @property
    def public_key(self) -> Key:
        return self._shown.public_key


@NEEDS_MOTO
@pytest.mark.usefixtures("kms")
def test_a_key_that_is_not_there_is_said_without_secrets(keys: KeyStore) -> None:
    with pytest.raises(KeyUnavailableError, match=r"NotFoundException.*may use this key") as raised:
        open_trust_signer(GONE, keys)
    assert raised.value.where == GONE
    assert SECRET not in str(raised.value)


@NEEDS_MOTO
def test_a_service_that_goes_away_is_said(kms: Any, keys: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = make(kms, "ECC_NIST_P256")
    with serving_kms() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        signer = open_trust_signer(uri, keys)
        signer.sign(b"x")
    with pytest.raises(KeyUnavailableError, match=r"EndpointConnectionError.*can be reached"):
        signer.sign(b"x")


@NEEDS_MOTO
def test_a_service_that_cannot_be_reached_is_said(keys: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(KeyUnavailableError, match=r"EndpointConnectionError.*can be reached"):
        open_trust_signer(GONE, keys)


def test_a_service_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(cloud, "DEADLINE_SECONDS", 0.05)
    with pytest.raises(KeyUnavailableError, match=r"has not answered for 0\.05 s"):
        cloud._watched(GONE, lambda: goes_on.wait(5))
    goes_on.set()


def test_what_a_library_quotes_is_masked_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "hvs.synthetic")

    def fails() -> None:
        raise RuntimeError(f"sent {SECRET} and hvs.synthetic\nand so on {'x' * 1_000}")

    with pytest.raises(KeyUnavailableError) as raised:
        cloud._watched(GONE, fails)
    assert "RuntimeError: sent *** and *** and so on" in str(raised.value)
    assert len(raised.value.what) < 300
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("uri", "module"),
    [
        ("awskms:alias/root", "boto3"),
        ("gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", "google.cloud.kms"),
        ("azurekms://vault.vault.azure.net/keys/root/0123456789abcdef", "azure.identity"),
        ("hv:root/1", "hvac"),
    ],
)
def test_without_its_package_the_extra_is_named(
    uri: str, module: str, keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    scheme = uri.partition(":")[0]
    with pytest.raises(ConfigurationError, match=rf'not installed.*pip install "hashpact\[{scheme}\]"'):
        open_trust_signer(uri, keys)


@pytest.mark.parametrize(
    "uri",
    [
        "awskms:a key",
        "awskms:a?x=y",
        "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k",
        "azurekms://vault.vault.azure.net/keys/root",
        "azurekms:root",
        "hv:root",
        "hv:root/0",
        "hv:a/b/1",
    ],
)
def test_uris_that_do_not_have_their_form(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="does not have its form") as raised:
        open_cloud_signer(uri)
    assert raised.value.mend is not None
    assert raised.value.mend.startswith(f"write {uri.partition(':')[0]}:")


def test_keys_are_not_made_in_services(keys: KeyStore) -> None:
    with pytest.raises(ConfigurationError, match=r"not made in a service.*tools of the service"):
        generate("awskms:alias/root", keys)
