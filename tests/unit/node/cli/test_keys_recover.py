"""``hashpact keys recover`` and ``hashpact peer undone``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Commands
from hashpact_node import clock
from nodes import wait_until

Draw = Callable[[int], str]
pytestmark = pytest.mark.usefixtures("quick_keys")


@pytest.fixture
def good(acme: Commands, draw: Draw) -> str:
    """Acme with one listing that it published, and two that came in a later second than this gives."""
    acme("publish", draw(1))
    moment = clock.now()
    wait_until(lambda: int(clock.now().timestamp()) > int(moment.timestamp()))
    acme("publish", draw(2), draw(3))
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def test_what_lies_beyond_is_shown_and_written_and_chosen_from(acme: Commands, good: str, tmp_path: Path) -> None:
    shown = acme("keys", "recover", "listings", "--since", good).stdout
    assert "would end at 1 of 3 entries" in shown
    assert "Nothing is changed" in shown
    file = tmp_path / "beyond.ndjson"
    assert str(file) in acme("keys", "recover", "listings", "--since", good, "--list", str(file)).stdout
    assert "already" in acme.complaint("keys", "recover", "listings", "--since", good, "--list", str(file), code=4)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["index"], line["kind"], line["keep"]) for line in lines] == [
        (1, "listing", False),
        (2, "listing", False),
    ]
    (found,) = acme.json("keys", "recover", "listings", "--since", good)["logs"]
    assert [line["entry"] for line in found["beyond"]] == [line["entry"] for line in lines]
    lines[1]["keep"] = True
    file.write_text("\n".join(json.dumps(line) for line in lines))
    told = ("keys", "recover", "listings", "--since", good, "--reaffirm", str(file))
    assert "--yes" in acme.complaint(*told, code=2)
    done = acme.json(*told, "--yes", "--reason", "stolen on a train")
    assert [(log["size"], log["beyond"], log["kept"]) for log in done["logs"]] == [(1, 2, 1)]
    assert (done["key"], done["retired"], done["late"]) == ("file:keys/release-2.key", ["file:keys/release.key"], [])
    assert acme.json("status")["blocklist"]["block"] == 4
    (undone,) = acme.json("peer", "undone", "acme")["undone"]
    assert (undone["reason"], [entry["listed"] for entry in undone["entries"]]) == ("stolen on a train", [False, True])
    assert "stolen on a train" in acme("peer", "undone", "acme").stdout


@pytest.mark.parametrize(("word", "blocked"), [("all", 6), ("none", 2)])
def test_all_or_nothing_is_reaffirmed(acme: Commands, good: str, word: str, blocked: int) -> None:
    done = acme("keys", "recover", "listings", "--since", good, "--reaffirm", word, "--yes").stdout
    assert "listings-2 goes on" in done
    assert "out of use: file:keys/release.key" in done
    assert acme.json("status")["blocklist"]["block"] == blocked


def test_a_size_stands_for_a_time(acme: Commands, good: str) -> None:
    assert good
    (found,) = acme.json("keys", "recover", "listings", "--size", "1")["logs"]
    assert (found["size"], len(found["beyond"])) == (1, 2)


def test_what_is_not_understood_is_told(acme: Commands, good: str, tmp_path: Path) -> None:
    recover = ("keys", "recover", "listings")
    assert "--since" in acme.complaint(*recover, code=2)
    assert "time zone" in acme.complaint(*recover, "--since", "2026-11-24T04:00:00", code=2)
    assert "no time" in acme.complaint(*recover, "--since", "yesterday", code=2)
    assert "NAME=N" in acme.complaint(*recover, "--size", "-1", code=2)
    assert "cannot end" in acme.complaint(*recover, "--size", "9", code=2)
    assert "no log named" in acme.complaint("keys", "recover", "crisis-eu", "--since", good, code=3)
    file = tmp_path / "list"
    line = {"origin": "x", "index": 1, "leaf": "00", "keep": True}
    for text, why in (
        ("{", "no line"),
        (json.dumps(line | {"keep": 1}), "neither"),
        (json.dumps(line), "no such entry"),
    ):
        file.write_text(text)
        assert why in acme.complaint(*recover, "--since", good, "--reaffirm", str(file), "--yes", code=2)
    assert "cannot be read" in acme.complaint(*recover, "--since", good, "--reaffirm", "nowhere", "--yes", code=2)
    assert acme.json("status")["blocklist"]["block"] == 6


def test_of_nobody_is_anything_undone(acme: Commands) -> None:
    assert "nothing of acme was undone" in acme("peer", "undone", "acme").stdout
    assert acme.json("peer", "undone", "acme") == {"undone": []}
