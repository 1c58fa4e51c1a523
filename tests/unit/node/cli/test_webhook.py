"""``hashpact webhook …``."""

from __future__ import annotations

import base64

from commands import Commands
from receiver import receiving


def test_an_endpoint_is_added_tried_shown_and_removed(acme: Commands) -> None:
    with receiving() as receiver:
        assert "no webhooks" in acme("webhook", "list").stdout
        made = acme("webhook", "add", receiver.url, "--name", "cache", "--action", "block")
        key = made.stdout.strip()
        assert len(base64.b64decode(key.removeprefix("whsec_"))) == 32
        (told,) = acme.json("webhook", "list")["webhooks"]
        identifier = told["id"]
        assert identifier in made.stderr
        assert key not in made.stderr
        assert (told["url"], told["action"], told["state"], told["cursor"]) == (receiver.url, "block", "active", 0)
        assert told["created_by"].startswith("command:")
        shown = acme("webhook", "show", identifier).stdout
        assert receiver.url in shown
        assert "cache" in shown
        assert "ok: answered with the status 204" in acme("webhook", "test", identifier).stdout
        receiver.status = 503
        assert "the status 503" in acme("webhook", "test", identifier, code=1).stderr
        tried = acme.json("webhook", "test", identifier, code=1)
        assert tried == {"ok": False, "status": 503, "error": "the receiver answered with the status 503"}
        assert acme.json("webhook", "replay", identifier, "--since", "0")["webhook"]["state"] == "active"
        assert "none to skip" in acme.error("webhook", "replay", identifier, "--skip", code=4)["what"]
        listed = acme("webhook", "list").stdout
        assert identifier in listed
        audit = acme("audit", "show", "--json").stdout
        assert "webhook add" in audit
        assert receiver.url not in audit  # a path or a query may hold a secret
        for text in (shown, listed, audit):
            assert key.removeprefix("whsec_") not in text
        assert f"removed: {identifier}" in acme("webhook", "remove", identifier).stdout
        assert acme.error("webhook", "show", identifier, code=3)["where"] == identifier


def test_a_program_is_told_the_key_once(acme: Commands) -> None:
    made = acme.json("webhook", "add", "http://127.0.0.1:9/hook", "--from-now", "--scheme", "v1a", "--batch", "7")
    assert made["key"].startswith("whpk_")
    assert (made["public_key"], made["batch"]) == (made["key"], 7)
    assert "no secret" in acme("webhook", "add", "http://127.0.0.1:9/hook", "--scheme", "v1a").stderr


def test_what_cannot_be_is_said(acme: Commands) -> None:
    url = "http://127.0.0.1:9/hook"
    for words, what in (
        (("http://acme.example/hook",), "plain HTTP is for loopback only"),
        ((url, "--scheme", "v3"), "no scheme 'v3'"),
        ((url, "--since", "1", "--from-now"), "not both"),
        ((url, "--since", "1"), "no cursor"),
        ((url, "--action", "burn"), "no action 'burn'"),
    ):
        assert what in acme.error("webhook", "add", *words, code=2)["what"]
    assert "public internet" in acme.error("webhook", "add", "https://192.168.1.1/", code=1)["what"]
    assert acme.json("webhook", "list") == {"webhooks": []}
