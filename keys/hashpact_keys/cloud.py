"""Keys in cloud services and in Vault, through securesystemslib's signers; nothing is imported before it is needed.

A service that hangs must not hang the node: every call has a deadline. What the libraries raise is told in words, and
never with what they were given to log in.
"""

from __future__ import annotations

import base64
import importlib
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.exceptions import UnsupportedAlgorithmError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    AWSSigner,
    AzureSigner,
    GCPSigner,
    Key,
    SecretsHandler,
    Signature,
    Signer,
    VaultSigner,
)

from hashpact_keys.key_forms import check_signature, kind_of, tuf_key
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError

Result = TypeVar("Result")

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 10
DEADLINE_SECONDS: Final = 30.0
"""How long one call may take in all, whatever a library does inside."""

_SHOWN: Final = 200
_SECRETS: Final = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_PASSWORD",
    "VAULT_TOKEN",
)
_KINDS: Final = "make an ECDSA P-256 or P-384 key (in Vault an Ed25519 key), and use it for root, targets or online"


class CloudSigner(Signer):
    """Signs with a key that a service keeps; each call is watched by a deadline, and what it gives is verified."""

    def __init__(self, uri: str, signer: Signer) -> None:
        self._uri = uri
        self._signer = signer

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> CloudSigner:
        """Open a signer for a key that is known; raises ConfigurationError and KeyUnavailableError."""
        del secrets_handler  # services log in by their own environment
        service = _service(priv_key_uri)
        kind_of(public_key, where=priv_key_uri)
        return cls(priv_key_uri, _watched(priv_key_uri, lambda: service.sign_with(priv_key_uri, public_key)))

    @property
    def public_key(self) -> Key:
        """The public half."""
        return self._signer.public_key

    def sign(self, payload: bytes) -> Signature:
        """Sign; raises KeyUnavailableError when the service cannot be reached, refuses, or takes too long."""
        signature: Signature = _watched(self._uri, lambda: self._signer.sign(payload))
        check_signature(self.public_key, signature, payload, where=self._uri)
        return signature


def open_cloud_signer(uri: str) -> CloudSigner:
    """The signer that a URI of a service names.

    Raises:
        ConfigurationError: the URI does not have its form, or an extra is not installed.
        KeyUnavailableError: the service cannot be reached, refuses, or has a key of another kind there.
    """
    return CloudSigner.from_priv_key_uri(uri, cloud_public_key(uri))


def cloud_public_key(uri: str) -> Key:
    """The public key that a URI of a service names. Raises what ``open_cloud_signer`` raises."""
    service = _service(uri)
    key = _watched(uri, lambda: service.find(uri))
    kind_of(key, where=uri)
    return key


@dataclass(frozen=True, slots=True)
class _Service:
    """How one kind of service is reached: ``form`` of its URIs, modules it needs, who finds keys and signs."""

    form: re.Pattern[str]
    example: str
    modules: tuple[str, ...]
    find: Callable[[str], Key]
    sign_with: Callable[[str, Key], Signer]


def _service(uri: str) -> _Service:
    scheme = uri.partition(":")[0]
    service = _SERVICES[scheme]
    if not service.form.fullmatch(uri):
        raise ConfigurationError("this key URI does not have its form", where=uri, mend=f"write {service.example}")
    try:
        for name in service.modules:
            importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"keys of {scheme}: need a package that is not installed",
            where=uri,
            mend=f'pip install "hashpact[{scheme}]"',
        ) from error
    return service


def _watched(uri: str, call: Callable[[], Result]) -> Result:
    """Call in a thread, and wait for it until the deadline; what it raises becomes an error in words."""
    results: list[Result] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001  securesystemslib: signers may raise errors that nobody documents
            errors.append(error)

    thread = threading.Thread(target=run, name="hashpact-kms", daemon=True)
    thread.start()
    thread.join(DEADLINE_SECONDS)
    if results:
        return results[0]
    if errors:
        raise _in_words(errors[0], uri) from None  # what a library raises may quote what it was given
    raise KeyUnavailableError(
        f"the service has not answered for {DEADLINE_SECONDS:g} s", where=uri, mend="see whether it can be reached"
    )


def _in_words(error: Exception, uri: str) -> KeyUnavailableError:
    if isinstance(error, KeyUnavailableError):
        return error
    if isinstance(error, UnsupportedAlgorithmError):
        return KeyUnavailableError("this is a key of another kind", where=uri, mend=_KINDS)
    text = " ".join(str(error).split())
    for name in _SECRETS:
        secret = os.environ.get(name)
        text = text.replace(secret, "***") if secret else text
    return KeyUnavailableError(
        f"the service cannot be used: {type(error).__name__}: {text[:_SHOWN]}",
        where=uri,
        mend="see that it can be reached, that this machine may use this key, and that its login is set and valid",
    )


_AWS_LOCK: Final = threading.Lock()
"""boto3 makes clients from one session, which two threads must not use at a time."""


def _find_aws(uri: str) -> Key:
    with _AWS_LOCK:
        _calm_aws()
        key: Key = AWSSigner.import_(uri.partition(":")[2])[1]
    return key


def _sign_aws(uri: str, key: Key) -> Signer:
    with _AWS_LOCK:
        _calm_aws()
        return AWSSigner.from_priv_key_uri(uri, key)


def _calm_aws() -> None:
    """Let boto3's clients give up sooner than after the minutes that they take by themselves."""
    boto3: Any = importlib.import_module("boto3")
    if boto3.DEFAULT_SESSION is None:
        session: Any = importlib.import_module("botocore.session").get_session()
        config = importlib.import_module("botocore.config").Config(
            connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 2}
        )
        session.set_default_client_config(config)
        boto3.setup_default_session(botocore_session=session)


def _find_gcp(uri: str) -> Key:
    key: Key = GCPSigner.import_(uri.partition(":")[2])[1]
    return key


_AZURE_PATIENCE: Final = {"connection_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS, "retry_total": 1}


def _find_azure(uri: str) -> Key:
    """Read one version of a key; AzureSigner.import_ would give the newest, whatever the URI says."""
    parts = urlsplit(uri)
    _, _, name, version = parts.path.split("/")
    credential = importlib.import_module("azure.identity").DefaultAzureCredential()
    client_class: Any = importlib.import_module("azure.keyvault.keys").KeyClient
    found = client_class(vault_url=f"https://{parts.netloc}", credential=credential, **_AZURE_PATIENCE)
    key = found.get_key(name, version).key
    curves = {"P-256": SECP256R1(), "P-384": SECP384R1()}
    curve = curves.get(str(getattr(key.crv, "value", key.crv)))
    if curve is None:
        raise KeyUnavailableError("this is a key of another kind", where=uri, mend=_KINDS)
    return tuf_key(EllipticCurvePublicNumbers(int.from_bytes(key.x), int.from_bytes(key.y), curve).public_key())


def _sign_azure(uri: str, key: Key) -> Signer:
    signer = AzureSigner.from_priv_key_uri(uri, key)
    credential = importlib.import_module("azure.identity").DefaultAzureCredential()
    client_class: Any = importlib.import_module("azure.keyvault.keys.crypto").CryptographyClient
    place = uri.replace("azurekms:", "https:", 1)
    signer.crypto_client = client_class(place, credential=credential, **_AZURE_PATIENCE)
    return signer


def _find_vault(uri: str) -> Key:
    """Read one version of a key; VaultSigner.import_ would give the newest, whatever the URI says."""
    name, version = uri.partition(":")[2].split("/")
    client: Any = importlib.import_module("hvac").Client(timeout=READ_SECONDS)
    data = client.secrets.transit.read_key(name)["data"]
    if data["type"] != "ed25519":
        raise KeyUnavailableError("this is a key of another kind", where=uri, mend="make an ed25519 key in Vault")
    if version not in data["keys"]:
        raise KeyUnavailableError("this version of the key is not there", where=uri, mend="check the URI's last part")
    return tuf_key(Ed25519PublicKey.from_public_bytes(base64.b64decode(data["keys"][version]["public_key"])))


_SERVICES: Final = {
    "awskms": _Service(
        re.compile(r"awskms:[A-Za-z0-9:/_-]+"),
        "awskms:KEY-ID, an ARN, or alias/NAME",
        ("boto3",),
        _find_aws,
        _sign_aws,
    ),
    "gcpkms": _Service(
        re.compile(
            r"gcpkms:projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+/cryptoKeyVersions/[0-9]+"
        ),
        "gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V",
        ("google.cloud.kms",),
        _find_gcp,
        GCPSigner.from_priv_key_uri,
    ),
    "azurekms": _Service(
        re.compile(r"azurekms://[A-Za-z0-9.-]+/keys/[A-Za-z0-9-]+/[0-9a-f]+"),
        "azurekms://VAULT.vault.azure.net/keys/NAME/VERSION",
        ("azure.identity", "azure.keyvault.keys", "azure.keyvault.keys.crypto"),
        _find_azure,
        _sign_azure,
    ),
    "hv": _Service(
        re.compile(r"hv:[A-Za-z0-9._-]+/[1-9][0-9]*"),
        "hv:NAME/VERSION",
        ("hvac",),
        _find_vault,
        VaultSigner.from_priv_key_uri,
    ),
}
