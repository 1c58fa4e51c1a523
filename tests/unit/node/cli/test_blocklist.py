"""``hashpact blocklist`` and ``hashpact match``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from commands import Commands
from hashpact_node.services.hashing import hash_file
from nodes import TestNode

Draw = Callable[[int], str]


@pytest.fixture
def listed(acme: Commands, draw: Draw) -> Commands:
    acme("publish", draw(1), "--label", "behaviour:glorification", "--label", "=1+1")
    return acme


@pytest.fixture
def merged(listed: Commands, served: TestNode) -> Commands:
    listed("peer", "add", "gamma", served.url, "--fingerprint", served.fingerprint, "--yes")
    listed("peer", "pull", "gamma")
    return listed


def test_show(merged: Commands) -> None:
    result = merged("blocklist", "show")
    assert "own-listing" in result.stdout
    assert "gamma" not in result.stdout
    assert "signals stand at block" in result.stderr
    assert "at review" in result.stderr
    page = merged.json("blocklist", "show", "--action", "review", "--type", "pdq", "--limit", "1")
    assert page["signals"][0]["publishers"] == ["gamma"]
    assert page["counts"]["block"] == 2
    first = merged.json("blocklist", "show", "--action", "all", "--limit", "1")
    assert "--cursor" in merged("blocklist", "show", "--action", "all", "--limit", "1").stderr
    second = merged.json("blocklist", "show", "--action", "all", "--cursor", first["cursor"])
    assert first["signals"][0] not in second["signals"]
    assert "no signals at ignore" in merged("blocklist", "show", "--action", "ignore").stdout


@pytest.mark.parametrize(
    "arguments", [("--action", "never"), ("--limit", "0"), ("--cursor", "nonsense"), ("--type", "Not A Type")]
)
def test_questions_that_cannot_be(listed: Commands, arguments: tuple[str, ...]) -> None:
    listed.error("blocklist", "show", *arguments, code=2)


def test_export(merged: Commands, tmp_path: Path) -> None:
    lines = [json.loads(one) for one in merged("blocklist", "export").stdout.splitlines()]
    assert [one["action"] for one in lines] == ["block", "block"]
    assert lines[0]["labels"] == ["=1+1", "behaviour:glorification"]
    target = tmp_path / "all.csv"
    said = merged("blocklist", "export", "--action", "all", "--format", "csv", "-o", str(target))
    assert not said.stdout
    assert "at review" in said.stderr
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert {row["publishers"] for row in rows} == {"acme", "gamma"}
    assert "'=1+1" in rows[0]["labels"]
    assert merged("blocklist", "export", "--json", "--type", "md5").stdout == ""
    merged.error("blocklist", "export", "-o", str(tmp_path / "no" / "folder.csv"), code=2)


def test_digest(merged: Commands, served: TestNode) -> None:
    found = merged.json("blocklist", "digest", "--member", "gamma")
    assert served.get("/v1/blocklist/digest", params={"members": "gamma"}).json() == found
    assert merged.json("blocklist", "digest")["digest"] != found["digest"]
    text = merged("blocklist", "digest", "--member", "gamma")
    assert found["digest"] in text.stdout
    assert "at review" in text.stderr
    assert "nobody" in merged.error("blocklist", "digest", "--member", "nobody", code=3)["what"]


def test_files_and_hashes_are_matched(merged: Commands, draw: Draw, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jpg"
    Image.open(draw(1)).resize((300, 220)).convert("RGB").save(copy, quality=80)
    results = merged.json("match", str(copy), "--signal", f"sha256:{0:064x}")["results"]
    assert [one["action"] for one in results] == ["none", "block", "none"]
    assert results[1]["hits"][0]["publishers"] == ["acme"]
    assert 0 < results[1]["hits"][0]["distance"] <= 31
    shown = merged("match", str(copy), draw(7))
    assert "at distance" in shown.stdout
    assert "gamma" in shown.stdout
    assert "at review" in shown.stderr
    nothing = merged("match", "--signal", f"sha256:{0:064x}", "--signal", f"photodna:{'0' * 288}").stdout
    assert "no match" in nothing
    assert "not matched" in nothing
    assert "nothing matched" in nothing


def test_a_picture_that_says_little_is_not_matched_by_its_pdq(listed: Commands, tmp_path: Path) -> None:
    grey, lines = tmp_path / "grey.png", tmp_path / "lines.ndjson"
    Image.new("RGB", (300, 200), (128, 128, 128)).save(grey)
    (found,) = [one for one in hash_file(grey).signals if one.type == "pdq"]
    signal = {"type": "pdq", "value": found.value, "quality": 99}
    lines.write_text(json.dumps({"content": "image", "signals": [signal]}) + "\n")
    listed("import", str(lines))
    assert listed.json("match", "--signal", f"pdq:{found.value}")["results"][0]["action"] == "block"
    asked = listed("match", str(grey), "--json")
    results = json.loads(asked.stdout)["results"]
    assert [(one["type"], one["compared"], one["hits"]) for one in results] == [
        ("pdq", "none", []),
        ("sha256", "exact", []),
    ]
    assert "nothing is matched by it" in asked.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("--signal", "nonsense"), ("--signal", "sha256:zz"), ("--signal", "md5:"), ("missing.png",)]
)
def test_what_cannot_be_matched(listed: Commands, arguments: tuple[str, ...]) -> None:
    error = listed.error("match", *arguments, code=2)
    assert error["mend"]
