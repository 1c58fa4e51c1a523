"""A node whose keys are on a token, as its people meet it: commands, a running node, a stock TUF client."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from independent.fetch_card import fetch_card
from material import drafts
from nodes import TestNode, free_port, running, wait_until
from tokens import PIN, SoftToken


def test_a_node_signs_with_a_token_and_goes_on_when_it_comes_back(token: SoftToken, tmp_path: Path) -> None:
    home = tmp_path / "acme"
    pin = tmp_path / "pin"
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o600)
    rows = {"root": "p384", "targets": "p256", "online": "p256"}
    uris = {row: token.uri(row) for row in (*rows, "release", "witness")}
    # What init reads from the environment, it writes down.
    settings = {"HASHPACT_PIN_FILE": str(pin)}
    keys = ",".join(f"{row}={uri}" for row, uri in uris.items())
    node = TestNode("acme", home, free_port(), f"sqlite:///{home / 'node.sqlite3'}", "", settings)
    founding = replace(node, settings={**settings, "HASHPACT_KEYS": keys})
    for row, kind in rows.items():
        done = founding.command("keys", "generate", uris[row], "--type", kind)
        assert done.returncode == 0, done.stderr
    done = founding.command("init", "--member", "acme", "--url", node.url, "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    node.token = made["token"]
    assert made["keys"]["release"] == uris["release"]
    assert not (home / "keys/release.key").exists()

    with running(node):
        card = json.loads(fetch_card(node.url, made["fingerprint"], tmp_path / "stock").read_bytes())
        assert card["member"] == "acme"
        publish(node, 0, 201)
        with token.hsm.removed():
            publish(node, 1, 202)
            status = node.get("/v1/status").json()
            assert ([log["waiting"] for log in status["logs"]], status["queue"]) == ([1], 1)
        wait_until(lambda: [log["waiting"] for log in node.get("/v1/status").json()["logs"]] == [0])
        assert [log["size"] for log in node.get("/v1/status").json()["logs"]] == [2]


def publish(node: TestNode, seed: int, status: int) -> None:
    """Publish one listing, which must be answered with this status."""
    answer = node.post("/v1/listings", json=drafts(seed + 1)[seed])
    assert answer.status_code == status, answer.text
