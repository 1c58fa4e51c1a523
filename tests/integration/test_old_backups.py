"""A node restored from yesterday's copy never tells a second story: real nodes, over HTTP (docs/operations.md)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hashpact_node.store.logs import Log
from material import drafts
from nodes import TestNode, free_port, make_node, wait_until


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[TestNode, TestNode]]:
    """Two members that follow each other; acme has published three listings, and a copy of its database was made."""
    acme, beta = make_node(tmp_path, "acme"), make_node(tmp_path, "beta")
    try:
        for node in (acme, beta):
            node.start()
        acme.follow(beta)
        beta.follow(acme)
        publish_all(acme, drafts(3), size=3)
        beta.pull(acme)
        with closing(sqlite3.connect(database(acme))) as connection:
            connection.execute("VACUUM INTO ?", (str(tmp_path / "yesterday.sqlite3"),))
        yield acme, beta
    finally:
        for node in (acme, beta):
            node.kill()


def publish(node: TestNode, listings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Publish listings, and give what is said of each."""
    body = "\n".join(json.dumps(listing) for listing in listings)
    answer = node.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code in (200, 201, 202), answer.text
    found: list[dict[str, Any]] = answer.json()["listings"]
    return found


def publish_all(node: TestNode, listings: list[dict[str, Any]], *, size: int) -> None:
    """Publish listings, and wait until all that were ever published are held."""
    publish(node, listings)
    wait_until(lambda: shown(node).held_size == size)


def database(node: TestNode) -> Path:
    return node.home / "node.sqlite3"


def restore(node: TestNode, copy: Path) -> None:
    """Put yesterday's copy in the place of a stopped node's database."""
    for file in node.home.glob("node.sqlite3*"):
        file.unlink()
    database(node).write_bytes(copy.read_bytes())


def has_its_turn(node: TestNode, *words: str) -> bool:
    """Run a command; whether it was done, or the running node was at the same thing just then."""
    done = node.command(*words)
    assert done.returncode in (0, 4), done.stderr
    return done.returncode == 0


def alarms(node: TestNode) -> set[str]:
    return {alarm["code"] for alarm in node.get("/v1/status").json()["alarms"]}


def shown(node: TestNode) -> Log:
    return node.log(node)


def test_own_entries_are_read_back_from_a_peer(pair: tuple[TestNode, TestNode], tmp_path: Path) -> None:
    acme, beta = pair
    today, tomorrow = drafts(503)[3:502], drafts(503)[502:]
    publish_all(acme, today, size=502)
    beta.pull(acme)
    acme.stop()
    restore(acme, tmp_path / "yesterday.sqlite3")
    beta.stop()

    acme.start()  # nobody answers: it serves, and signs nothing
    (waiting,) = publish(acme, tomorrow)
    assert waiting["index"] is None
    assert "signs nothing yet" in waiting["notice"]
    wait_until(lambda: "signing-waits" in alarms(acme))
    assert shown(acme).accepted_size == 3
    wait_until(lambda: "waits" in acme.get("/readyz").json()["signing"])
    wait_until(lambda: "waits" in acme.get("/v1/status").json()["signing"])

    beta.start()
    wait_until(lambda: shown(acme).held_size == 503)
    wait_until(lambda: not {"signing-waits", "own-log-behind", "own-log-forked"} & alarms(acme))
    beta.pull(acme)
    assert beta.log(acme).held_size == 503
    assert "log-forked" not in alarms(beta)
    assert acme.digest(acme) == beta.digest(acme)


def test_a_command_on_a_restored_home_asks_and_reads_back(pair: tuple[TestNode, TestNode], tmp_path: Path) -> None:
    acme, beta = pair
    publish_all(acme, drafts(20)[3:], size=20)
    beta.pull(acme)
    acme.stop()
    restore(acme, tmp_path / "yesterday.sqlite3")
    file = tmp_path / "content.txt"
    file.write_text("synthetic content of a test")
    line = ("publish", str(file), "--content", "other", "--label", "behaviour:glorification")
    beta.stop()
    refused = acme.command(*line)
    assert refused.returncode == 4, refused.stderr
    assert "signs nothing yet" in refused.stderr
    assert shown(acme).accepted_size == 3
    beta.start()
    said = []

    def is_published() -> bool:
        """Publish the same file, which is listed once: a busy peer may not answer in the five seconds that it has."""
        done = acme.command(*line)
        assert done.returncode in (0, 4), done.stderr
        said.append(done.stderr)
        return done.returncode == 0

    wait_until(is_published)
    assert "reading our own entries back" in "".join(said)
    assert shown(acme).accepted_size == 21


def test_two_stories_end_the_log_and_a_successor_goes_on(pair: tuple[TestNode, TestNode], tmp_path: Path) -> None:
    acme, beta = pair
    publish_all(acme, drafts(20)[3:10], size=10)
    beta.pull(acme)
    acme.stop()
    restore(acme, tmp_path / "yesterday.sqlite3")
    beta.stop()
    acme.start("--alone")
    wait_until(lambda: "signing-alone" in alarms(acme))
    (told,) = publish(acme, drafts(20)[10:11])
    assert told["index"] == 3
    acme.stop()
    assert "THIS NODE SIGNS ALONE" in (acme.home / "serve.log").read_text()

    beta.start()
    acme.start()
    wait_until(lambda: "own-log-forked" in alarms(acme))
    (waiting,) = publish(acme, drafts(20)[11:12])
    assert waiting["index"] is None
    assert shown(acme).accepted_size == 4
    for words in (("close", "listings", "--at", "3"), ("open", "listings")):
        wait_until(lambda words=words: has_its_turn(acme, "logs", *words))


def test_another_process_of_the_same_database_relies_on_one_that_is_awake(
    pair: tuple[TestNode, TestNode],
) -> None:
    acme, beta = pair
    beta.stop()
    port = free_port()
    other = TestNode(acme.member, acme.home, port, acme.database_url, "", acme.settings, token=acme.token)
    other.start()
    try:
        (told,) = publish(other, drafts(20)[5:6])
        assert told["index"] == 3
    finally:
        other.kill()
