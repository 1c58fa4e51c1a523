"""A node that is lost and restored from its backup goes on under the eyes of its peers: real nodes, over HTTP."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hashpact_node.services.entries import EntryReader
from hashpact_node.store.database import open_database
from hashpact_node.store.logs import Log, list_logs
from material import drafts
from nodes import TestNode, make_node, wait_until

ACME, BETA, GAMMA = "acme", "beta", "gamma"

ILL = {
    "card-forked",
    "comparison-notice",
    "consistency-invalid",
    "entries-mismatch",
    "log-forked",
    "own-card-behind",
    "own-log-ahead",
    "own-log-behind",
    "own-log-forked",
    "signature-invalid",
    "signing-waits",
    "verification-failed",
}
Nodes = tuple[TestNode, TestNode, TestNode]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """Three members that follow each other; acme has published three listings."""
    members = [make_node(tmp_path, member) for member in (ACME, BETA, GAMMA)]
    acme, beta, gamma = members
    try:
        for node in members:
            node.start()
        for node in members:
            for other in members:
                if other is not node:
                    node.follow(other)
        publish_all(acme, drafts(3), live=3)
        pull(acme, beta, gamma)
        yield acme, beta, gamma
    finally:
        for node in members:
            node.kill()


def publish(node: TestNode, listings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    body = "\n".join(json.dumps(listing) for listing in listings)
    answer = node.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code in (200, 201, 202), answer.text
    found: list[dict[str, Any]] = answer.json()["listings"]
    return found


def publish_all(node: TestNode, listings: list[dict[str, Any]], *, live: int) -> None:
    """Publish listings, and wait until so many are shown in all: a busy machine may take its time."""
    publish(node, listings)
    wait_until(lambda: shown(node) == live)


def shown(node: TestNode) -> int:
    logs = node.get("/v1/status").json()["logs"]
    return sum(log["live"] for log in logs if log["own"] and log["counts"])


def pull(whom: TestNode, *peers: TestNode) -> None:
    """Let peers read a member's card and logs until nothing is wrong."""
    for peer in peers:
        peer.let_an_hour_pass()
        peer.pull(whom)


def back_up(node: TestNode, path: Path) -> None:
    done = node.command("backup", str(path), "--with-keys")
    assert done.returncode == 0, done.stderr


def lose(node: TestNode) -> None:
    """Destroy a node's machine."""
    node.kill()
    shutil.rmtree(node.home)


def restore(node: TestNode, path: Path, home: Path) -> TestNode:
    """Restore on another machine, at the same address."""
    database = f"sqlite:///{home / 'node.sqlite3'}"
    other = TestNode(node.member, home, node.port, database, node.fingerprint, node.settings, token=node.token)
    done = other.command("restore", str(path))
    assert done.returncode == 0, done.stderr
    return other


def logs(node: TestNode, member: str) -> dict[str, Log]:
    database = open_database(node.database_url)
    try:
        with database.read() as connection:
            return {log.origin: log for log in list_logs(connection) if log.member == member}
    finally:
        database.dispose()


def bad(node: TestNode) -> set[str]:
    """Give the alarms of a node that say that somebody told two stories, or showed what does not verify."""
    return {alarm["code"] for alarm in node.get("/v1/status").json()["alarms"]} & ILL


def told_one_story(acme: TestNode, *peers: TestNode) -> None:
    """Whatever peers cosigned or accepted of acme's logs is a prefix of what acme has now; nobody complains.

    What no peer had read before a fresh successor restated it is lost with the machine, and nobody misses it.
    """
    own = logs(acme, ACME)
    database = open_database(acme.database_url)
    try:
        with database.read() as connection:
            reader = EntryReader(connection)
            for peer in peers:
                wait_until(lambda peer=peer: bad(peer) == set())
                for origin, log in logs(peer, ACME).items():
                    if log.cosigned_size > own[origin].placed_size and log.state != "open":
                        continue
                    for size, root in ((log.cosigned_size, log.cosigned_root), (log.accepted_size, log.accepted_root)):
                        assert reader.root_at(own[origin].number, size) == root
                assert peer.get("/v1/evidence").json()["evidence"] == []
    finally:
        database.dispose()


def test_what_was_published_after_the_backup_is_back(nodes: Nodes, tmp_path: Path) -> None:
    acme, beta, gamma = nodes
    back_up(acme, tmp_path / "acme.hashpact")
    publish_all(acme, drafts(303)[3:], live=303)
    pull(acme, beta, gamma)
    before = beta.digest(acme)
    lose(acme)
    acme = restore(acme, tmp_path / "acme.hashpact", tmp_path / "machine")
    try:
        acme.start()
        wait_until(lambda: acme.log(acme).held_size == 303)
        assert acme.digest(acme) == before
        publish(acme, drafts(310)[303:])
        wait_until(lambda: acme.log(acme).held_size == 310)
        pull(acme, beta, gamma)
        assert beta.log(acme).held_size == gamma.log(acme).held_size == 310
        assert acme.digest(acme) == beta.digest(acme) == gamma.digest(acme)
        told_one_story(acme, beta, gamma)
    finally:
        acme.kill()


@pytest.mark.parametrize("fresh", ["--fresh", None])
def test_a_card_and_a_successor_signed_after_the_backup_are_back(
    nodes: Nodes, tmp_path: Path, fresh: str | None
) -> None:
    acme, beta, gamma = nodes
    back_up(acme, tmp_path / "acme.hashpact")
    publish_all(acme, drafts(20)[3:], live=20)
    done = acme.command("logs", "open", "listings", *([fresh] if fresh else []))
    assert done.returncode == 0, done.stderr
    publish_all(acme, drafts(50)[20:], live=50)
    pull(acme, beta, gamma)
    version = acme.get("/witness/cards").json()["cards"][0]["version"]
    before, held = beta.digest(acme), logs(beta, ACME)
    assert len(held) == 2
    lose(acme)
    acme = restore(acme, tmp_path / "acme.hashpact", tmp_path / "machine")
    try:
        beta.stop()
        gamma.stop()
        acme.start()  # nobody answers yet
        (waiting,) = publish(acme, drafts(51)[50:])
        assert waiting["index"] is None
        beta.start()
        gamma.start()
        wait_until(lambda: acme.get("/witness/cards").json()["cards"][0]["version"] == version)
        wait_until(lambda: all(one.held_size >= held[at].held_size for at, one in logs(acme, ACME).items()))
        pull(acme, beta, gamma)
        wait_until(lambda: shown(acme) == 51)
        pull(acme, beta, gamma)
        assert acme.digest(acme) == beta.digest(acme) == gamma.digest(acme) != before
        told_one_story(acme, beta, gamma)
        # What only the lost machine held of a log that a fresh one replaced is had from nobody, and nobody misses it.
        wait_until(lambda: bad(acme) <= ({"own-log-behind"} if fresh else set()))
    finally:
        acme.kill()
