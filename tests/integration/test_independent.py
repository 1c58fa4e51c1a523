"""A reader that shares no code with the node agrees with it, and refuses what is altered on the way."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashpact_node.assembly import open_node, open_settings
from hashpact_node.services.drafts import ListingDraft
from hashpact_protocol.signals import make_signal
from independent.fetch_card import fetch_card
from independent.statements import MalformedError, Merged, claims_of, read_statement
from material import drafts
from nodes import PASSPHRASE, MakeNode, TestNode, free_port
from proxy import Proxy, flip
from vectors_lookup import Vector, vectors

TESTS = Path(__file__).parents[1]


def read_log(node: TestNode, card: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the reader as its own program, in the name of the node's own member."""
    credentials = ("--as", f"{node.member}/{node.member}-request-1", "--key", str(node.home / "keys/request.key"))
    line = [sys.executable, "-m", "independent.read_log", "--card", str(card), *credentials, *options]
    told = {"env": os.environ | {"PASSPHRASE": PASSPHRASE}, "capture_output": True, "text": True}
    return subprocess.run(line, cwd=TESTS, timeout=600, check=False, **told)  # type: ignore[call-overload,no-any-return]  # of options


def publish(node: TestNode, *listings: dict[str, Any]) -> list[str]:
    """Publish listings by HTTP; their ids."""
    body = "\n".join(map(json.dumps, listings))
    answer = node.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code == 201, answer.text
    return [one["id"] for one in answer.json()["listings"]]


def restate(node: TestNode, ids: list[str]) -> None:
    """List all of these anew under their ids, with other signals, beside the node that runs."""
    signals = (make_signal("sha256", f"{7:064x}"), make_signal("brand_new", "~" * 40))
    restated = [ListingDraft(signals=signals, content="image", id=one, note="\u00e4\u20ac\U0001f6d1") for one in ids]
    opened = open_node(open_settings(node.home, node.environment), PASSPHRASE.encode, releases=False)
    opened.publisher._wait_seconds = 300.0
    try:
        assert all(one.index is not None for one in opened.publisher.publish(restated))
    finally:
        opened.close()


def fill(node: TestNode) -> None:
    """Publish three bundles and a bit, with restatements and withdrawals among them."""
    ids = publish(node, *drafts(600))
    for one in random.Random(1).sample(ids, 12):
        assert node.post(f"/v1/listings/{one}/withdraw", json={"reason": "error"}).status_code == 200
    restate(node, ids[:200])


@pytest.fixture
def acme(make: MakeNode) -> Iterator[tuple[TestNode, Proxy]]:
    """A node with a log of several bundles, and a proxy at its member URL."""
    node = make("acme")
    inner = replace(node, port=free_port())
    with Proxy(node.port, inner.port) as proxy:
        inner.start()
        try:
            fill(inner)
            yield node, proxy
        finally:
            inner.kill()


def test_it_finds_the_same_listings_and_refuses_one_altered_byte(acme: tuple[TestNode, Proxy], tmp_path: Path) -> None:
    node, proxy = acme
    card = fetch_card(node.url, node.fingerprint, tmp_path / "stock")
    done = read_log(node, card, "--list")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    told = node.get("/v1/blocklist/digest", params={"members": "acme"}).json()
    assert {name: found[name] for name in told} == told
    assert found["logs"][0]["size"] > 3 * 256
    assert (found["quarantined"], found["unknown"]) == (0, 0)
    for one in random.Random(2).sample(found["live"], 5):
        view = node.get(f"/v1/listings/{one['id']}").json()
        assert (view["live"], view["index"]) == (True, one["index"])
        assert one["claims"] == sorted([signal["type"], signal["value"]] for signal in view["signals"])

    log = f"/{node.origin.split('/', 1)[1]}"
    for path, place, refusal in (
        ("/tile/entries/001", 5_000, ""),
        ("/tile/entries/003.p/", -2, ""),
        ("/tile/0/002", 77, "does not hold the hashes"),
        ("/tile/1/000.p/3", 40, "does not hold the hashes"),
        ("/checkpoint", 40, ""),
        ("/checkpoint", -5, ""),
    ):
        (asked,) = {one for one in proxy.asked if one.startswith(f"{log}{path}")}
        proxy.alterations = {asked: flip(place)}
        refused = read_log(node, card)
        assert refused.returncode == 1, path
        assert refused.stderr.startswith("refused: "), path
        assert refusal in refused.stderr
    proxy.alterations.clear()
    assert json.loads(read_log(node, card).stdout)["digest"] == told["digest"]


def test_it_shares_no_code_with_the_node() -> None:
    for name in ("read_log", "statements"):
        assert "hashpact_" not in (TESTS / "independent" / f"{name}.py").read_text()


@pytest.mark.parametrize("vector", vectors("statements"), ids=str)
def test_it_reads_statements_alike(vector: Vector) -> None:
    entry, kind = vector.read("entry.bin", "entry.json"), vector.json("input.json")["log_kind"]
    if vector.must_fail:
        with pytest.raises(MalformedError):
            read_statement(entry, kind)
    else:
        assert read_statement(entry, kind)["kind"]


@pytest.mark.parametrize("vector", vectors("signals"), ids=str)
def test_it_reads_signals_alike(vector: Vector) -> None:
    assert len(claims_of(vector.json("signal.json"))) == (not vector.must_fail)


@pytest.mark.parametrize("vector", [one for one in vectors("merge") if "fresh" not in str(one)], ids=str)
def test_it_merges_alike(vector: Vector) -> None:
    sequences: dict[tuple[str, str], Merged] = {}
    for log in vector.json("logs.json"):
        merged = sequences.setdefault((log["member"], log["name"]), Merged())
        merged.take(log, [entry.encode() for entry in log["entries"]])
    live = [(*place[:2], one) for merged in sequences.values() for one, place in merged.live.items()]
    assert sorted(live) == sorted(tuple(one) for one in vector.expected["live"])
