"""``hashpact release`` and ``hashpact listing undo``: what waits for a yes, or for a while."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from commands import Commands

Draw = Callable[[int], str]


def test_too_much_is_held_until_somebody_decides(acme: Commands, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_RELEASE_MAX_LISTINGS", "1")
    assert acme("release", "show").stdout == "nothing waits\n"
    held = acme("publish", draw(1), draw(2), code=4)
    assert "and that is held: more than 1 listings" in held.stderr
    assert "held: more than 1 listings" in acme("release", "show").stdout
    assert len(acme.json("release", "show", "listings")["statements"]) == 2
    assert [one["code"] for one in acme.json("alarms", "list")["alarms"]] == ["release-held"]
    assert acme.error("release", "confirm", "listings", code=2)["mend"] == "look, then say --yes"
    assert acme.json("release", "confirm", "listings", "--yes") == {"name": "listings", "confirmed": 2}
    assert acme.json("status")["logs"][0]["size"] == 2
    assert acme("alarms", "list").stdout == "no alarms\n"
    assert acme.error("release", "drop", "listings", "--yes", code=3)["where"] == "listings"
    acme("publish", draw(3), draw(4), code=4)
    assert "dropped: 2 statements of listings" in acme("release", "drop", "listings", "--yes").stdout
    assert acme.json("status")["queue"] == 0


def test_what_rests_is_taken_back(acme: Commands, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_UNDO_DELAY_SECONDS", "3600")
    published = acme.json("publish", draw(1))["listings"][0]
    assert published["index"] is None
    assert published["rests_until"]
    assert "it rests until" in acme("withdraw", published["id"], "--reason", "error").stderr
    assert acme.json("listing", "undo", published["id"])["what"] == "withdrawal"
    assert "taken back, the listing" in acme("listing", "undo", published["id"]).stdout
    assert acme.error("listing", "undo", published["id"], code=3)["where"] == published["id"]
    assert acme.json("status")["queue"] == 0
