"""``hashpact token …``."""

from __future__ import annotations

import re

import pytest

from commands import Commands

TOKEN = re.compile(r"hp_([0-9a-f]{10})_[A-Za-z0-9_-]{43}")


def test_a_token_is_made_listed_and_revoked(acme: Commands) -> None:
    made = acme("token", "create", "small platform", "--scope", "match", "--expires", "90d")
    text = made.stdout.strip()
    found = TOKEN.fullmatch(text)
    assert found is not None
    assert text not in made.stderr
    assert found[1] in made.stderr
    shown = acme("token", "list")
    assert text not in shown.stdout
    assert found[1] in shown.stdout
    assert "600 a" in shown.stdout
    told = {one["id"]: one for one in acme.json("token", "list")["tokens"]}
    assert told[found[1]]["scopes"] == ["match"]
    assert told[found[1]]["created_by"].startswith("command:")
    assert (told[found[1]]["state"], told[found[1]]["last_used_at"]) == ("active", None)
    assert f"revoked: {found[1]}" in acme("token", "revoke", found[1]).stdout
    assert acme.json("token", "revoke", found[1])["state"] == "revoked"
    states = {one["id"]: one["state"] for one in acme.json("token", "list")["tokens"]}
    assert states[found[1]] == "revoked"


def test_a_program_is_told_the_token_once(acme: Commands) -> None:
    made = acme.json("token", "create", "pipeline", "--scope", "match", "--scope", "read", "--per-minute", "90")
    assert TOKEN.fullmatch(made["token"])
    assert (made["name"], made["scopes"], made["per_minute"]) == ("pipeline", ["match", "read"], 90)
    assert made["expires_at"] is None
    assert "token" not in next(one for one in acme.json("token", "list")["tokens"] if one["id"] == made["id"])


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("a",), "missing option '--scope'"),
        (("a", "--scope", "root"), "there is no scope 'root'"),
        (("a", "--scope", "read", "--expires", "soon"), "no time"),
        (("a", "--scope", "read", "--expires", "0d"), "no time"),
        (("a", "--scope", "read", "--expires", "9999d"), "at most"),
        (("a", "--scope", "read", "--per-minute", "0"), "a minute"),
        (("", "--scope", "read"), "name"),
    ],
)
def test_what_cannot_be_is_said(acme: Commands, words: tuple[str, ...], what: str) -> None:
    before = acme.json("token", "list")
    assert what in acme.error("token", "create", *words, code=2)["what"]
    assert acme.json("token", "list") == before


def test_a_token_that_there_is_not(acme: Commands) -> None:
    assert acme.error("token", "revoke", "0123456789", code=3)["where"] == "0123456789"


def test_the_audit_log_tells_who_made_which_token_and_never_its_secret(acme: Commands) -> None:
    made = acme.json("token", "create", "pipeline", "--scope", "match", "--scope", "read")
    acme("token", "revoke", made["id"])
    told = acme("audit", "show", "--json").stdout
    assert made["id"] in told
    assert "token create" in told
    assert "token revoke" in told
    assert made["token"][14:] not in told
