"""Tokens that are away, locked, or have another PIN: SoftHSM2."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hashpact_keys.keystore import KeyStore
from hashpact_keys.pkcs11_uri import parse_pkcs11_uri
from hashpact_keys.public_keys import KeyKind, generate, public_key
from hashpact_keys.signers import open_note_signer, open_trust_signer
from hashpact_keys.trust import TrustSigners, create_trust
from hashpact_protocol.errors import KeyUnavailableError
from tokens import PIN, SoftHsm, SoftToken, forget_tokens, keystore_with_pin

pkcs11 = pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed, so nothing can be tried on a token")
from hashpact_keys.pkcs11_token import check_not_locked, module_of  # noqa: E402 - it needs python-pkcs11

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
URI = parse_pkcs11_uri("pkcs11:token=t;object=a?module-path=/none.so")


@pytest.fixture
def made(token: SoftToken, tmp_path: Path) -> SoftToken:
    """A token with a key ``release``, in a process that knows nothing of it."""
    generate(token.uri("release"), keystore_with_pin(tmp_path))
    forget_tokens(token.hsm)
    return token


def test_a_wrong_pin_is_tried_once_and_never_again(made: SoftToken, tmp_path: Path) -> None:
    keys = keystore_with_pin(tmp_path, "000000")
    with pytest.raises(KeyUnavailableError, match=r"refuses this PIN .*HASHPACT_PIN") as raised:
        open_note_signer(made.uri("release"), keys)
    assert "000000" not in str(raised.value)
    for _ in range(10):
        with pytest.raises(KeyUnavailableError, match="has refused this PIN before"):
            open_note_signer(made.uri("release"), keys)
    # The right one is welcome all the while.
    open_note_signer(made.uri("release"), keystore_with_pin(tmp_path)).sign(b"x")


def test_a_wrong_pin_makes_no_key(made: SoftToken, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="refuses this PIN"):
        generate(made.uri("other"), keystore_with_pin(tmp_path, "000000"))
    with pytest.raises(KeyUnavailableError, match="not on the token"):
        public_key(made.uri("other"), keystore_with_pin(tmp_path))


def test_a_pin_that_is_too_short_for_the_token(made: SoftToken, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="refuses this PIN"):
        open_note_signer(made.uri("release"), keystore_with_pin(tmp_path, "1"))


def test_nobody_to_ask(made: SoftToken, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match=r"needs its PIN.*HASHPACT_PIN_FILE"):
        open_note_signer(made.uri("release"), KeyStore(tmp_path, lambda: b"passphrase"))


def test_the_pin_comes_from_the_file_that_the_uri_names(made: SoftToken, tmp_path: Path) -> None:
    file = tmp_path / "pin"
    file.write_text(f"{PIN}\nsecond line\n")
    file.chmod(0o600)
    asked: list[str] = []
    uri = made.uri("release", query="&pin-source=file:pin")
    open_note_signer(uri, keystore_with_pin(tmp_path, asked=asked)).sign(b"x")
    assert asked == []


@pytest.mark.parametrize(
    ("text", "mode", "what"),
    [
        (f"{PIN}\n", 0o644, "other users may use this PIN file"),
        ("\n", 0o600, "holds no PIN"),
        (None, 0, "No such file"),
    ],
)
def test_files_that_give_no_pin(made: SoftToken, tmp_path: Path, text: str | None, mode: int, what: str) -> None:
    file = tmp_path / "pin"
    if text is not None:
        file.write_text(text)
        file.chmod(mode)
    with pytest.raises(KeyUnavailableError, match=what) as raised:
        open_note_signer(made.uri("release", query=f"&pin-source=file:{file}"), keystore_with_pin(tmp_path))
    assert raised.value.where == str(file)
    assert PIN not in str(raised.value)


def test_a_token_that_was_away_works_again_as_soon_as_it_is_back(made: SoftToken, tmp_path: Path) -> None:
    asked: list[str] = []
    keys = keystore_with_pin(tmp_path, asked=asked)
    signer = open_trust_signer(made.uri("release"), keys)
    signer.sign(b"before")
    with made.hsm.removed():
        for _ in range(2):
            with pytest.raises(KeyUnavailableError, match=r"token is not there .*as soon as it is back") as raised:
                signer.sign(b"while it is away")
            assert raised.value.where == f"token '{made.label}'"
        with pytest.raises(KeyUnavailableError, match="token is not there"):
            public_key(made.uri("release"), keys)
    signature = signer.sign(b"after")
    signer.public_key.verify_signature(signature, b"after")
    assert len(asked) == 1


def test_a_token_that_is_back_is_seen_without_its_pin_too(made: SoftToken, tmp_path: Path) -> None:
    keys = keystore_with_pin(tmp_path)
    known = public_key(made.uri("release"), keys)
    with made.hsm.removed(), pytest.raises(KeyUnavailableError, match="token is not there"):
        public_key(made.uri("release"), keys)
    assert public_key(made.uri("release"), keys) == known


def test_metadata_that_cannot_be_signed_say_why(made: SoftToken, tmp_path: Path) -> None:
    keys = keystore_with_pin(tmp_path)
    for row in ("online", "targets"):
        keys.create(f"{row}.key")
    online, targets = (open_trust_signer(f"file:{row}.key", keys) for row in ("online", "targets"))
    root = open_trust_signer(made.uri("release"), keys)
    with made.hsm.removed(), pytest.raises(KeyUnavailableError, match="token is not there") as raised:
        create_trust(TrustSigners(online=(online,), targets=(targets,), root=(root,)), b"", NOW)
    assert raised.value.where == f"token '{made.label}'"


def test_a_token_that_comes_late_is_found(soft_hsm: SoftHsm, tmp_path: Path) -> None:
    late = SoftToken(soft_hsm, "late")
    with pytest.raises(KeyUnavailableError, match="token is not there"):
        generate(late.uri("a"), keystore_with_pin(tmp_path))
    soft_hsm.new_token("late")
    generate(late.uri("a"), keystore_with_pin(tmp_path))


def test_two_tokens_of_one_label(soft_hsm: SoftHsm, tmp_path: Path) -> None:
    for _ in range(2):
        twin = soft_hsm.new_token("twin")
    with pytest.raises(KeyUnavailableError, match=r"2 tokens match.*serial="):
        generate(twin.uri("a"), keystore_with_pin(tmp_path))
    module = pkcs11.lib(str(soft_hsm.module.resolve()))
    serials = [one.serial.decode() for one in module.get_tokens(token_label="twin")]
    for serial in serials:
        generate(twin.uri("a", f"serial={serial}"), keystore_with_pin(tmp_path))
    one, two = (public_key(twin.uri("a", f"serial={serial}"), keystore_with_pin(tmp_path)) for serial in serials)
    assert one != two


@pytest.mark.parametrize("module", ["/none/libnone.so", "/etc/hostname"])
def test_a_module_that_is_missing_or_none(tmp_path: Path, module: str) -> None:
    for work in (public_key, open_trust_signer, open_note_signer, generate):
        with pytest.raises(KeyUnavailableError, match=r"module cannot be used.*module-path") as raised:
            work(f"pkcs11:object=a?module-path={module}", keystore_with_pin(tmp_path))
        assert raised.value.where == module


def test_one_token_under_several_uris_is_one_session(made: SoftToken, tmp_path: Path) -> None:
    module = pkcs11.lib(str(made.hsm.module.resolve()))
    slot = module.get_token(token_label=made.label).slot.slot_id
    asked: list[str] = []
    keys = keystore_with_pin(tmp_path, asked=asked)
    for more in ((), ("type=private",), (f"slot-id={slot}",), ("manufacturer=SoftHSM%20project",)):
        open_note_signer(made.uri("release", *more), keys).sign(b"x")
    assert len(asked) == 1
    # A new key in between closes the session, and it is opened again.
    generate(made.uri("other"), keys, KeyKind.P256)
    open_note_signer(made.uri("release"), keys).sign(b"x")
    assert len(asked) == 1
    assert module_of(parse_pkcs11_uri(made.uri("release"))) is module_of(parse_pkcs11_uri(made.uri("other")))


def test_a_token_that_is_or_nears_being_locked_is_left_alone() -> None:
    flags = pkcs11.TokenFlag.LOGIN_REQUIRED
    check_not_locked(flags | pkcs11.TokenFlag.USER_PIN_COUNT_LOW, URI)
    with pytest.raises(KeyUnavailableError, match="locked after too many"):
        check_not_locked(flags | pkcs11.TokenFlag.USER_PIN_LOCKED, URI)
    with pytest.raises(KeyUnavailableError, match="one more wrong PIN"):
        check_not_locked(flags | pkcs11.TokenFlag.USER_PIN_FINAL_TRY, URI)
