"""``hashpact keys generate`` and ``hashpact keys public``, with a node and without one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from commands import Commands
from hashpact_keys.key_forms import public_pem
from hashpact_keys.keystore import KeyStore
from hashpact_keys.public_keys import fingerprint, public_key
from nodes import PASSPHRASE
from tokens import PIN, SoftToken, forget_tokens

pytestmark = pytest.mark.usefixtures("quick_keys")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Commands in a folder of an officer's machine, where there is no node."""
    monkeypatch.chdir(tmp_path)
    return Commands(tmp_path / "no home here")


def test_a_key_file_is_made_where_there_is_no_node(offline: Commands, tmp_path: Path) -> None:
    said = offline.json("keys", "generate", "file:root.key", "--public", "root.pem")
    assert (tmp_path / "root.key").stat().st_mode & 0o777 == 0o600
    key = public_key("file:root.key", KeyStore(tmp_path, bytes))
    assert said == {
        "uri": "file:root.key",
        "type": "ed25519",
        "fingerprint": fingerprint(key),
        "key_id": key.keyid,
        "public": public_pem(key).decode(),
    }
    assert (tmp_path / "root.pem").read_bytes() == public_pem(key)
    assert {path.name for path in tmp_path.iterdir()} == {"root.key", "root.pem"}


@pytest.mark.parametrize("kind", ["ed25519", "p256", "p384"])
def test_people_see_the_public_half_and_its_fingerprint(
    offline: Commands, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = offline("keys", "generate", "file:root.key", "--type", kind).stdout
    key = public_key("file:root.key", KeyStore(tmp_path, bytes))
    assert public_pem(key).decode() in made
    assert fingerprint(key) in made
    assert "PRIVATE" not in made
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    shown = offline("keys", "public", "file:root.key", "--out", "root.pem")
    assert shown.stdout == made
    assert (tmp_path / "root.pem").read_bytes() == public_pem(key)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_what_is_printed_can_go_to_openssl_as_it_is(offline: Commands) -> None:
    printed = offline("keys", "generate", "file:root.key").stdout
    command = ["openssl", "pkey", "-pubin", "-noout", "-text"]
    assert "ED25519" in subprocess.run(command, input=printed, text=True, capture_output=True, check=True).stdout


def test_paths_are_taken_from_the_home_where_there_is_one(acme: Commands, tmp_path: Path) -> None:
    acme("keys", "generate", "file:keys/next.key")
    assert (acme.home / "keys/next.key").exists()
    assert acme.json("keys", "public", "file:keys/release.key")["type"] == "ed25519"
    acme("keys", "generate", f"file:{tmp_path}/away.key")
    assert (tmp_path / "away.key").exists()


def test_a_key_is_never_overwritten(offline: Commands, tmp_path: Path) -> None:
    offline("keys", "generate", "file:root.key")
    before = (tmp_path / "root.key").read_bytes()
    assert "never overwritten" in offline.error("keys", "generate", "file:root.key", code=4)["what"]
    assert (tmp_path / "root.key").read_bytes() == before


def test_a_file_that_lies_about_is_no_passphrase(
    offline: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    # A file of this name is taken in a home, where `hashpact run` made it, and nowhere else.
    (tmp_path / "passphrase").write_text("not meant\n")
    assert "no terminal" in offline.error("keys", "generate", "file:root.key", code=5)["what"]
    assert not (tmp_path / "root.key").exists()


@pytest.mark.parametrize(
    ("uri", "code", "what"),
    [
        ("root.key", 2, "no key URI"),
        ("file:none.key", 5, "No such file"),
        ("pkcs11:object=a?pin-value=1234", 2, "tells the PIN"),
        ("hv:root/1", 2, "package that is not installed"),
    ],
)
def test_what_cannot_be_shown_is_said(offline: Commands, uri: str, code: int, what: str) -> None:
    error = offline.error("keys", "public", uri, code=code)
    assert what in error["what"]
    assert "1234" not in str(error)


def test_a_key_is_made_on_a_token(offline: Commands, token: SoftToken, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no terminal" in offline.error("keys", "generate", token.uri("root"), code=5)["what"]
    monkeypatch.setenv("HASHPACT_PIN", PIN)
    made = offline.json("keys", "generate", token.uri("root"), "--type", "p256")
    monkeypatch.delenv("HASHPACT_PIN")
    forget_tokens(token.hsm)
    assert offline.json("keys", "public", token.uri("root")) == made
    assert made["type"] == "p256"
    assert PASSPHRASE not in str(made)


def test_the_pin_comes_from_a_file(offline: Commands, token: SoftToken, monkeypatch: pytest.MonkeyPatch) -> None:
    file = offline.home.parent / "pin"
    file.write_text("000000\n")
    file.chmod(0o600)
    monkeypatch.setenv("HASHPACT_PIN_FILE", str(file))
    assert "refuses this PIN" in offline.error("keys", "generate", token.uri("root"), code=5)["what"]
    file.write_text(f"{PIN}\n")
    offline("keys", "generate", token.uri("root"))
