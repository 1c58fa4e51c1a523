"""Where keys are looked for without a node."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Commands
from hashpact_keys.keystore import KeyStore
from hashpact_node.cli.key_access import keystore_of, keystore_without_home
from hashpact_protocol.errors import KeyUnavailableError
from tokens import PIN


def test_paths_start_from_the_home_or_from_the_current_folder(
    acme: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert keystore_of(acme.home).locate("a.key") == acme.home / "a.key"
    assert keystore_of(tmp_path / "none").locate("a.key") == tmp_path / "a.key"
    assert keystore_without_home(tmp_path / "drafts").locate("a.key") == tmp_path / "drafts" / "a.key"


@pytest.mark.usefixtures("quick_keys")
def test_a_file_named_passphrase_counts_in_a_home_and_nowhere_else(
    acme: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    monkeypatch.chdir(tmp_path)
    for folder in (acme.home, tmp_path):
        (folder / "passphrase").write_text("from a file\n")
        (folder / "passphrase").chmod(0o600)
    keystore_of(acme.home).create("new.key")
    KeyStore(acme.home, lambda: b"from a file").unlock("new.key")
    for keys in (keystore_of(tmp_path / "none"), keystore_without_home(tmp_path)):
        with pytest.raises(KeyUnavailableError, match="no terminal"):
            keys.create("new.key")


def test_pins_come_from_where_commands_take_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_PIN", PIN)
    assert keystore_without_home(tmp_path).pin_of("token 'a'", None) == PIN
    assert keystore_of(tmp_path / "none").pin_of("token 'a'", None) == PIN
