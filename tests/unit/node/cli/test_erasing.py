"""``hashpact erase``, ``hashpact logs close`` and ``hashpact logs open``."""

from __future__ import annotations

from collections.abc import Callable

from commands import Commands

Draw = Callable[[int], str]


def test_a_listing_is_erased_at_once(acme: Commands, draw: Draw) -> None:
    first, second = (one["id"] for one in acme.json("publish", draw(1), draw(2))["listings"])
    done = acme.json("erase", first, "--reason", "law", "--now")
    assert done["successor"]["erased"] == [first]
    assert done["successor"]["fresh"] == 1
    status = acme.json("logs", "status")
    assert [(log["origin"].rpartition("/")[2], log["state"]) for log in status["logs"]] == [
        ("listings-1", "closed"),
        ("listings-2", "open"),
    ]
    assert status["to_erase"] == []
    assert "erased" in acme("logs", "status").stdout
    assert acme.json("status")["blocklist"]["block"] == 2
    assert second in acme("publish", draw(2)).stdout


def test_a_listing_waits_to_be_erased(acme: Commands, draw: Draw) -> None:
    (first,) = (one["id"] for one in acme.json("publish", draw(1))["listings"])
    assert "hashpact logs open listings --fresh" in acme("erase", first, "--reason", "law").stdout
    assert [one["listing"] for one in acme.json("logs", "status")["to_erase"]] == [first]
    assert "1 listings wait" in acme("logs", "status").stdout
    assert f"left out, to be erased: {first}" in acme("logs", "open", "listings", "--fresh").stdout
    assert acme.json("logs", "status", "--ask")["copies"] == []


def test_a_log_is_closed_and_succeeded(acme: Commands, draw: Draw) -> None:
    acme("publish", draw(1), draw(2))
    assert acme.json("logs", "close", "listings", "--at", "1")["final_size"] == 1
    assert "no log named" in acme.complaint("logs", "close", "listings", code=3)
    assert "names no open log" in acme.complaint("publish", draw(3), code=3)
    assert "listings-2 goes on" in acme("logs", "open", "listings").stdout
    assert acme.json("publish", draw(3))["listings"][0]["origin"].endswith("/logs/listings-2")
    assert acme.json("status")["blocklist"]["block"] == 4
    assert "listings-2 is open already" in acme("logs", "open", "listings", "--unless-open").stdout
    assert acme.json("logs", "open", "opinions", "--unless-open")["opened"].endswith("/logs/opinions-1")
    assert acme.json("logs", "open", "opinions", "--unless-open")["opened"] is None
    assert acme.error("logs", "open", "hits", code=2)["mend"]
