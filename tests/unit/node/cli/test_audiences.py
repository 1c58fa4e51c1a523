"""``hashpact audience …`` and ``hashpact listing …``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import Commands
from nodes import TestNode

Draw = Callable[[int], str]

pytestmark = pytest.mark.usefixtures("quick_keys")


@pytest.fixture
def desk(acme: Commands, served: TestNode) -> Commands:
    """Acme, which follows gamma and has an audience of it."""
    acme("peer", "add", "gamma", served.url, "--fingerprint", served.fingerprint, "--yes")
    view = acme.json("audience", "create", "eu-desk", "--members", "gamma,")
    assert (view["name"], view["readers"]) == ("eu-desk", ["gamma"])
    assert view["log"].startswith("listings-")
    return acme


def test_who_is_removed_leaves_every_audience(desk: Commands) -> None:
    assert desk.json("peer", "remove", "gamma", "--yes")["left_audiences"] == ["eu-desk"]
    assert desk.json("audience", "show", "eu-desk")["readers"] == []
    (entry,) = desk.json("audit", "show", "--action", "peer remove")["entries"]
    assert entry["detail"]["left_audiences"] == ["eu-desk"]


def test_an_audience_from_its_beginning_to_its_end(desk: Commands, draw: Draw, tmp_path: Path) -> None:
    (one,) = (each["id"] for each in desk.json("publish", draw(1), "--audience", "eu-desk")["listings"])
    assert "for eu-desk" in desk("listing", "show", one).stdout
    file = tmp_path / "hashes.ndjson"
    file.write_text(json.dumps({"content": "image", "signals": [{"type": "sha256", "value": "0" * 64}]}))
    assert desk.json("import", str(file), "--audience", "eu-desk")["imported"] == 1
    assert desk.json("audience", "show", "eu-desk")["live"] == 2
    listed = desk("audience", "list").stdout
    assert "eu-desk" in listed
    assert "gamma" in listed
    moved = desk.json("listing", "move", one, "--audience", "everybody,eu-desk", "--audience", "everybody")
    assert (moved["audiences"], moved["state"]) == (["everybody", "eu-desk"], "released")
    assert "for everybody" in desk("listing", "move", one, "--audience", "everybody").stdout
    assert desk.json("audience", "show", "eu-desk")["live"] == 1
    assert desk.json("audience", "remove-member", "eu-desk", "gamma")["readers"] == []
    assert "nobody" in desk("audience", "show", "eu-desk").stdout
    assert desk.json("audience", "add-member", "eu-desk", "gamma")["readers"] == ["gamma"]
    exported = desk.json("logs", "export", str(tmp_path / "public"))["logs"]
    assert [each["log"] for each in exported] == ["listings-1"]
    assert "eu-desk has ended" in desk("audience", "close", "eu-desk").stdout
    assert desk.json("audience", "list")["audiences"] == []
    assert len(desk.json("audience", "list", "--closed")["audiences"]) == 1
    assert "ended" in desk("audience", "list", "--closed").stdout


def test_what_goes_wrong_is_told(desk: Commands, draw: Draw) -> None:
    assert desk.error("audience", "create", "us-desk", "--members", "omega", code=3)["mend"]
    assert "already" in desk.complaint("audience", "create", "eu-desk", "--members", "gamma", code=4)
    assert "has members" in desk.complaint("audience", "create", "us-desk", "--members", "", code=2)
    assert "us-desk" in desk.complaint("publish", draw(1), "--audience", "us-desk", code=3)
    assert "does not belong" in desk.complaint("audience", "remove-member", "eu-desk", "beta", code=3)
    log = desk.json("audience", "show", "eu-desk")["log"]
    assert "tells everybody its size" in desk.complaint("logs", "close", log, code=2)
    assert desk.error("listing", "show", "nothing", code=3)["what"]


def test_erasing_opens_a_successor_of_each_log(desk: Commands, draw: Draw) -> None:
    publish = desk.json("publish", draw(1), draw(2), "--audience", "eu-desk,everybody")["listings"]
    log = desk.json("audience", "show", "eu-desk")["log"]
    told = desk("erase", publish[0]["id"], "--reason", "law").stdout
    assert f"hashpact logs open {log} --fresh" in told
    assert "hashpact logs open listings --fresh" in told
    assert f"{log}-2" in desk("erase", publish[1]["id"], "--reason", "law", "--now").stdout
