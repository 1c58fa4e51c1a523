from __future__ import annotations

import pytest

from hashpact_node.masking import without_passwords, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://beta.example/a", "https://beta.example/a"),
        ("https://user:secret@beta.example/a", "https://***@beta.example/a"),
        ("https://secret@beta.example", "https://***@beta.example"),
        ("'https://user:se/cr@et@beta.example' is no URL", "'https://***@beta.example' is no URL"),
        ("https://user:secret@a and http://u:secret@b", "https://***@a and http://***@b"),
        ("write to a@b", "write to a@b"),
        (None, None),
    ],
)
def test_what_stands_before_an_at_sign_is_masked(text: str | None, shown: str | None) -> None:
    assert without_passwords(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:secret@beta.example/a", "https://***@beta.example/a"),
        ("password=a b", "password=*** b"),
        ("?sslpassword=a&x=1", "?sslpassword=***&x=1"),
        ('{"passphrase": "a b", "x": 1}', '{"passphrase": ***, "x": 1}'),
        ("HASHPACT_PIN=1234 x", "HASHPACT_PIN=*** x"),
        ("pkcs11:object=a?pin-value=1234", "pkcs11:object=a?pin-value=***"),
        ("pkcs11:object=a?pin-source=file:b", "pkcs11:object=a?pin-source=file:b"),
        ("spin=1", "spin=1"),
        ("revoke hp_5f2c9a01de_" + "aB-_" * 10 + "abc now", "revoke hp_5f2c9a01de_*** now"),
        ("hp_5f2c9a01de_cut", "hp_5f2c9a01de_***"),
        ("5f2c9a01de", "5f2c9a01de"),
        ("the secret is whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw+/= now", "the secret is whsec_*** now"),
        ("whsk_MfKQ9r8G", "whsk_***"),
        ("whpk_MfKQ9r8G", "whpk_MfKQ9r8G"),
        ("Bearer abcdefgh.ijkl x", "Bearer *** x"),
        ("a -----BEGIN PRIVATE KEY-----\nb\n-----END PRIVATE KEY----- c", "a *** c"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nb", "***"),
        ("-----BEGIN PUBLIC KEY-----\nb", "-----BEGIN PUBLIC KEY-----\nb"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
