"""A blob goes from one node to another: brought, listed, pulled, fetched; and leaves with its listing."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hashpact_node.store.blobs import count_wants, read_blob
from hashpact_node.store.database import Database, open_database
from hashpact_protocol.blobs import blob_signal
from nodes import make_node, running, wait_until

FRAMES = b"".join(b"%064x,98,%d.000\n" % (number, number) for number in range(2_000))
SIGNAL = blob_signal("vpdq", FRAMES)


def stored(database: Database) -> bytes | None:
    with database.read() as connection:
        return read_blob(connection, SIGNAL.key)


def wanted(database: Database) -> int:
    with database.read() as connection:
        return len(count_wants(connection))


def test_a_blob_reaches_a_peer_and_leaves_with_its_listing(tmp_path: Path) -> None:
    acme, beta = make_node(tmp_path, "acme"), make_node(tmp_path, "beta", HASHPACT_PULL_INTERVAL_SECONDS="1")
    database = open_database(beta.database_url)
    with running(acme, beta):
        beta.follow(acme)
        octets = {"Content-Type": "application/octet-stream"}
        brought = acme.post("/v1/blobs", params={"type": "vpdq"}, content=FRAMES, headers=octets)
        assert brought.status_code == 201
        signal = {name: brought.json()[name] for name in ("type", "sha256", "length")}
        listed = acme.post("/v1/listings", json={"content": "video", "signals": [signal]})
        assert listed.status_code == 201
        wait_until(lambda: stored(database) == FRAMES)
        assert acme.get(f"/logs/listings-1/blob/{hashlib.sha256(FRAMES).hexdigest()}").content == FRAMES
        acme.post(f"/v1/listings/{listed.json()['id']}/withdraw", json={"reason": "error"}).raise_for_status()
        wait_until(lambda: not wanted(database))
        wait_until(lambda: not beta.get("/v1/status").json()["alarms"])  # of a pull for which acme was too busy
    database.dispose()
