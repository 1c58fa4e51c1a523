from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from hashpact_keys.keystore import KeyStore
from hashpact_node import clock
from hashpact_node.services.webhook_secrets import (
    KEY_FILE,
    SECRET_BYTES,
    Scheme,
    WebhookSecrets,
    new_secret,
    public_of,
    shown,
    sign,
)
from hashpact_protocol.errors import KeyUnavailableError


def vault(home: Path, passphrase: bytes = b"passphrase of a test") -> WebhookSecrets:
    return WebhookSecrets(KeyStore(home, lambda: passphrase, kdf_rounds=1))


def test_a_secret_is_sealed_and_opened_again(tmp_path: Path) -> None:
    secret = new_secret()
    sealed = vault(tmp_path).seal("5f2c9a01de", secret)
    assert secret not in sealed
    assert vault(tmp_path).open("5f2c9a01de", sealed) == secret
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0
    assert vault(tmp_path).seal("5f2c9a01de", secret) != sealed  # one nonce serves once


def test_a_sealed_secret_serves_no_other_endpoint(tmp_path: Path) -> None:
    sealed = vault(tmp_path).seal("5f2c9a01de", new_secret())
    with pytest.raises(KeyUnavailableError, match="another key"):
        vault(tmp_path).open("000000000a", sealed)


def test_nobody_opens_it_without_the_key_or_the_passphrase(tmp_path: Path) -> None:
    sealed = vault(tmp_path / "a").seal("5f2c9a01de", new_secret())
    with pytest.raises(KeyUnavailableError):
        vault(tmp_path / "a", b"another").open("5f2c9a01de", sealed)
    with pytest.raises(KeyUnavailableError):
        vault(tmp_path / "nowhere").open("5f2c9a01de", sealed)
    vault(tmp_path / "b").seal("5f2c9a01de", new_secret())
    with pytest.raises(KeyUnavailableError, match="another key"):
        vault(tmp_path / "b").open("5f2c9a01de", sealed)


def test_two_that_make_the_key_at_once_end_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = vault(tmp_path), vault(tmp_path)
    sealed = first.seal("a", b"1" * SECRET_BYTES)
    monkeypatch.setattr(Path, "exists", lambda _path: False)  # as the second saw it before the first was done
    assert first.open("b", second.seal("b", b"2" * SECRET_BYTES)) == b"2" * SECRET_BYTES
    assert second.open("a", sealed) == b"1" * SECRET_BYTES


def test_a_secret_has_the_form_of_the_specification() -> None:
    secret = new_secret()
    told = shown(Scheme.HMAC, secret)
    assert told.secret
    assert base64.b64decode(told.text.removeprefix("whsec_")) == secret
    assert 24 <= len(secret) <= 64
    assert public_of(Scheme.HMAC, secret) is None


def test_an_hmac_is_that_of_the_specification() -> None:
    """What the libraries of the specification's own repository are tested with."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = sign(Scheme.HMAC, secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_ed25519_signature_is_verified_with_what_is_shown() -> None:
    secret = new_secret()
    told = shown(Scheme.ED25519, secret)
    assert not told.secret
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(told.text.removeprefix("whpk_")))
    version, _, signature = sign(Scheme.ED25519, secret, "msg_1", 1674087231, b"{}").partition(",")
    assert version == "v1a"
    key.verify(base64.b64decode(signature), b"msg_1.1674087231.{}")
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(signature), b"msg_1.1674087232.{}")


def test_the_library_of_the_specification_takes_what_is_signed() -> None:
    secret, body, now = new_secret(), '{"type": "blocklist.changed", "ü": 1}', int(clock.now().timestamp())
    signature = sign(Scheme.HMAC, secret, "msg_1", now, body.encode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signature}
    receiver = Webhook(shown(Scheme.HMAC, secret).text)
    assert receiver.verify(body, headers)
    for name, value in (("webhook-id", "msg_2"), ("webhook-timestamp", str(now + 1))):
        with pytest.raises(WebhookVerificationError):
            receiver.verify(body, headers | {name: value})
    with pytest.raises(WebhookVerificationError):
        receiver.verify(body + " ", headers)
