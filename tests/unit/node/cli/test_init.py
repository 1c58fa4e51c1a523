"""``hashpact init``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node.store.locks import HomeLock
from nodes import PASSPHRASE

FOUNDING = ("init", "--member", "acme", "--url", "http://127.0.0.1:9123")

pytestmark = pytest.mark.usefixtures("quick_keys")


@pytest.fixture
def empty(tmp_path: Path) -> Commands:
    return Commands(tmp_path / "new" / "home")


def test_a_home_is_made_and_what_was_made_is_said(empty: Commands) -> None:
    made = empty.json(*FOUNDING, "--name", "Acme Video Inc.", "--contact", "mailto:trust@acme.example")
    assert made["member"] == "acme"
    assert made["fingerprint"].startswith("1:sha256:")
    assert set(made["keys"]) == {"root", "targets", "online", "release", "crisis", "witness", "request"}
    for key in made["keys"].values():
        assert Path(key).stat().st_mode & 0o777 == 0o600
    assert empty.home.stat().st_mode & 0o777 == 0o700
    assert made["token"].startswith("hp_")
    assert not any(made["token"][14:].encode() in path.read_bytes() for path in empty.home.rglob("*") if path.is_file())
    (first,) = empty.json("token", "list")["tokens"]
    assert (first["name"], first["scopes"], first["state"]) == ("first", ["admin"], "active")
    assert first["id"] == made["token"][3:13]
    status = empty.json("status")
    assert (status["name"], status["url"]) == ("Acme Video Inc.", "http://127.0.0.1:9123")
    assert "port = 9123" in (empty.home / "node.toml").read_text()


def test_words_for_people_warn_of_trial_mode(empty: Commands) -> None:
    result = empty(*FOUNDING)
    assert "1:sha256:" in result.stdout
    assert "TRIAL MODE" in result.stderr
    assert re.search(r"hp_[0-9a-f]{10}_[A-Za-z0-9_-]{43}$", result.stdout, re.MULTILINE)
    assert not any(PASSPHRASE in path.read_text(errors="replace") for path in empty.home.rglob("*") if path.is_file())


def test_a_home_that_is_set_up_stays_as_it_is(acme: Commands) -> None:
    before = (acme.home / "node.toml").read_bytes()
    error = acme.error(*FOUNDING, code=4)
    assert (error["what"], error["where"]) == ("this home is set up already", str(acme.home))
    assert (acme.home / "node.toml").read_bytes() == before


def test_a_home_in_use(empty: Commands) -> None:
    empty.home.mkdir(parents=True)
    with HomeLock(empty.home).shared():
        error = empty.error(*FOUNDING, code=4)
    assert error["what"].startswith("the home is in use")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--member", "Acme", "--url", "https://acme.example"), "Acme"),
        (("--member", "acme", "--url", "http://acme.example"), "not encrypted"),
        (("--member", "acme", "--url", "https://acme.example/"), "path segment"),
        (("--member", "acme"), "missing option '--url'"),
    ],
)
def test_names_that_cannot_be(empty: Commands, arguments: tuple[str, ...], what: str) -> None:
    assert what in empty.error("init", *arguments, code=2)["what"]
    assert not empty.home.exists()


def test_without_a_passphrase_nothing_is_made(empty: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HASHPACT_PASSPHRASE")
    error = empty.error(*FOUNDING, code=5)
    assert "HASHPACT_PASSPHRASE_FILE" in error["mend"]
    assert not empty.home.exists()


def test_what_fails_half_way_is_taken_back(empty: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("hashpact_node.services.setup.write_node_toml", interrupt)
        assert "interrupted" in empty(*FOUNDING, code=130).stderr
    assert not list((empty.home / "keys").iterdir())


def test_a_setting_that_is_wrong_names_its_variable(empty: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_PORT", "99999")
    assert empty.error(*FOUNDING, code=2)["where"] == "HASHPACT_PORT"
