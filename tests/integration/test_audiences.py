"""Audiences among nodes that answer members only: who is outside sees random letters in the card at most."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from asking import MemberAuth, credentials_of
from hashpact_protocol.witness import origin_hash
from nodes import CERTIFICATES, PASSPHRASE, TestNode, make_node, meet, running

OUTSIDE = "delta"


def run(node: TestNode, *arguments: str) -> Any:
    done = node.command(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def follow(node: TestNode, other: TestNode) -> None:
    meet(node.database_url, other)
    run(node, "peer", "add", other.member, other.url, "--fingerprint", other.fingerprint, "--yes")


def publish(node: TestNode, file: Path, *options: str) -> tuple[str, str]:
    """Publish a file; give the id of its listing, and its SHA-256."""
    file.write_text(f"synthetic text of {file.name}")
    (done,) = run(node, "publish", str(file), "--content", "text", *options)["listings"]
    assert done["notice"] is None
    return done["id"], next(one["value"] for one in done["signals"] if one["type"] == "sha256")


def pull(node: TestNode, other: TestNode) -> dict[str, str]:
    """Pull without an error; give how each log was taken."""
    found = run(node, "peer", "pull", other.member)
    assert found["errors"] == []
    return {log["origin"]: log["verdict"] for log in found["logs"]}


def action(node: TestNode, sha256: str) -> str:
    (found,) = run(node, "match", "--signal", f"sha256:{sha256}")["results"]
    return str(found["action"])


def alarms(node: TestNode, origin: str) -> list[str]:
    return [one["code"] for one in run(node, "alarms", "list")["alarms"] if one["origin"] == origin]


def status(asking: TestNode, asked: TestNode, path: str) -> int:
    """Ask as a member does, with a signature; give what the answer's status is."""
    auth = MemberAuth(credentials_of(asking.member, asking.home, PASSPHRASE), asked.url)
    return httpx.get(f"{asked.url}{path}", auth=auth, timeout=60, verify=CERTIFICATES).status_code


@pytest.fixture
def four(tmp_path: Path) -> Iterator[dict[str, TestNode]]:
    """Acme, which has an audience of beta and gamma, and delta, which has nothing to do with it."""
    members = ("acme", "beta", "gamma", OUTSIDE)
    nodes = {member: make_node(tmp_path, member) for member in members}
    acme, beta, gamma, delta = nodes.values()
    with running(*nodes.values()):
        for other in (beta, gamma, delta):
            follow(acme, other)
        run(acme, "audience", "create", "eu-desk", "--members", "beta,gamma")
        # Only now: so that nobody has to wait for a minute before it looks at the card again.
        for other in (beta, gamma, delta):
            follow(other, acme)
        for one, other in ((beta, gamma), (gamma, beta), (beta, delta), (delta, beta)):
            follow(one, other)
        yield nodes


def test_what_is_for_some_is_seen_by_nobody_else(four: dict[str, TestNode], tmp_path: Path) -> None:
    acme, beta, gamma, delta = four.values()
    listing, secret = publish(acme, tmp_path / "secret.txt", "--audience", "eu-desk")
    _, general = publish(acme, tmp_path / "general.txt")
    view = run(acme, "audience", "show", "eu-desk")
    origin, slug, hashed = view["origin"], view["origin"].rpartition("/")[2], origin_hash(view["origin"])
    for node in (beta, gamma):
        assert pull(node, acme)[origin] != "not-for-us"
        assert (action(node, secret), action(node, general)) == ("review", "review")
    assert pull(delta, acme)[origin] == "not-for-us"
    assert (action(delta, secret), action(delta, general)) == ("none", "review")
    assert "not for us" in delta.command("peer", "show", "acme").stdout
    assert alarms(delta, origin) == []

    files = ("checkpoint", "tile/entries/000.p/1", "tile/0/000.p/1")
    for file in files:
        answers = [status(node, acme, f"/logs/{slug}/{file}") for node in (beta, gamma, delta)]
        assert answers == [200, 200, 401]
        assert httpx.get(f"{acme.url}/logs/{slug}/{file}", verify=CERTIFICATES).status_code == 401
        # What beta holds of it, it gives back to acme alone.
        assert [status(node, beta, f"/mirror/{hashed}/{file}") for node in (acme, gamma, delta)] == [200, 404, 404]
        assert status(delta, acme, f"/mirror/{hashed}/{file}") == 404
    assert [status(node, beta, f"/witness/{hashed}/checkpoint") for node in (acme, gamma, delta)] == [200, 404, 404]

    run(acme, "audience", "remove-member", "eu-desk", "gamma")
    assert [status(node, acme, f"/logs/{slug}/{file}") for node in (beta, gamma) for file in files] == [200] * 3 + [
        401
    ] * 3
    assert pull(gamma, acme)[origin] == "not-for-us"
    assert alarms(gamma, origin) == ["audience-left"]

    run(acme, "listing", "move", listing, "--audience", "everybody")
    pull(delta, acme)
    pull(beta, acme)
    assert (action(delta, secret), action(beta, secret)) == ("review", "review")
