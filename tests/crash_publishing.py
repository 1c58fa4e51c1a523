"""Publish by HTTP and by commands while both are killed at random; then look whether all is in the log once.

Part of ``crash_loop.py``.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from independent.fetch_card import fetch_card
from independent.read_log import ask_as, leaf_hash, open_note, read_log, read_member, tree_hash, unbase64
from material import drafts, hex_of
from nodes import PASSPHRASE, TestNode, wait_until

TAKEN_OVER_SECONDS = 300
"""From this age on a request whose process died is taken over when it comes again (services/idempotent.py)."""

LIFE_SECONDS = 1.5
IMPORTED_LINES = 400


@dataclass
class Request:
    """One request that may or may not have been answered; ``values`` are those of its SHA-256 signals."""

    key: str
    body: str
    values: list[str]
    sent_at: float


@dataclass
class Ledger:
    """What the clients were told, and what they do not know."""

    indices: dict[str, int | None] = field(default_factory=dict)
    certain: set[str] = field(default_factory=set)
    unanswered: list[Request] = field(default_factory=list)
    notes: set[bytes] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)
    node_kills: int = 0
    command_kills: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, listings: list[dict[str, Any]], values: list[str]) -> None:
        """Keep what an answer said: ids with their places, where they have any, and the values that are listed now."""
        with self.lock:
            self.indices.update({one["id"]: one["index"] for one in listings})
            self.certain.update(values)


def publish_loop(node: TestNode, folder: Path, *, rounds: int, seed: int = 0) -> dict[str, Any]:
    """Kill a node so many times while it is published to; what was found, after everything has been checked."""
    chance, ledger, stop = random.Random(seed), Ledger(), threading.Event()
    clients: list[Callable[[], None]] = [
        lambda: _publish_by_http(node, ledger, random.Random(seed + 1), stop),
        lambda: _publish_by_http(node, ledger, random.Random(seed + 2), stop),
        lambda: _publish_files(node, ledger, random.Random(seed + 3), stop, folder),
        lambda: _import_files(node, ledger, random.Random(seed + 4), stop, folder),
        lambda: _collect_checkpoints(node, ledger, stop),
    ]
    threads = [threading.Thread(target=_guarded(client, ledger)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        for _ in range(rounds):
            node.start()
            time.sleep(chance.uniform(0, LIFE_SECONDS))
            node.kill()
            ledger.node_kills += 1
        node.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return _check(node, ledger, folder)


def _guarded(client: Callable[[], None], ledger: Ledger) -> Callable[[], None]:
    def run() -> None:
        try:
            client()
        except Exception as error:  # noqa: BLE001  it fails the run in the thread that looks
            ledger.unexpected.append(f"{type(error).__name__}: {error}")

    return run


def _publish_by_http(node: TestNode, ledger: Ledger, chance: random.Random, stop: threading.Event) -> None:
    while not stop.is_set():
        listings = drafts(chance.randint(1, 5), seed=chance.getrandbits(64))
        body = "\n".join(map(json.dumps, listings))
        values = [one["signals"][1]["value"] for one in listings]
        request = Request(str(uuid.UUID(int=chance.getrandbits(128))), body, values, time.monotonic())
        while not _send(node, ledger, request) and not stop.is_set():
            time.sleep(0.05)


def _send(node: TestNode, ledger: Ledger, request: Request) -> bool:
    """Send a request, perhaps again; whether that is all that can be done about it now."""
    headers = {"content-type": "application/x-ndjson", "idempotency-key": request.key}
    try:
        answer = node.post("/v1/listings", content=request.body, headers=headers)
    except httpx.ConnectError:
        return False
    except httpx.TransportError:
        request.sent_at = time.monotonic()
        return False
    if answer.status_code in (201, 202):
        ledger.acknowledge(answer.json()["listings"], request.values)
    elif answer.status_code == 409:  # it died with the node, and may be done or not
        ledger.unanswered.append(request)
    elif answer.status_code == 503:
        return False
    else:
        ledger.unexpected.append(answer.text)
    return True


def _publish_files(node: TestNode, ledger: Ledger, chance: random.Random, stop: threading.Event, folder: Path) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        path = folder / f"file-{number}"
        path.write_bytes(chance.randbytes(1_000))
        said = _command(node, ledger, chance, stop, "publish", str(path))
        listings = [] if said is None else said["listings"]
        ledger.acknowledge(listings, [one["value"] for file in listings for one in file["signals"]])


def _import_files(node: TestNode, ledger: Ledger, chance: random.Random, stop: threading.Event, folder: Path) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        path = folder / f"file-{number}.ndjson"
        values = [hex_of(chance, 32) for _ in range(IMPORTED_LINES)]
        lines = ({"content": "image", "signals": [{"type": "sha256", "value": value}]} for value in values)
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        said = _command(node, ledger, chance, stop, "import", str(path))
        if said is not None:
            assert said["imported"] + said["resumed"] == IMPORTED_LINES
            ledger.acknowledge([], values)


def _command(
    node: TestNode, ledger: Ledger, chance: random.Random, stop: threading.Event, *words: str
) -> dict[str, Any] | None:
    """Run a command, killed at random, until it has ended by itself; None if it never did while there was time."""
    line = [str(Path(sys.executable).parent / "hashpact"), *words, "--json"]
    while True:
        with subprocess.Popen(
            line, env=node.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            # The last try, when no more nodes are killed, is left to end.
            patience = None if stop.is_set() or chance.random() < 0.5 else chance.uniform(0.5, 4)
            try:
                out, err = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                ledger.command_kills += 1
                continue
        if process.returncode == 0:
            found: dict[str, Any] = json.loads(out)
            return found
        if process.returncode != 4:  # in conflict, or stored and not released yet: once more
            ledger.unexpected.append(f"{words}: exit code {process.returncode}: {err}")
            return None


def _collect_checkpoints(node: TestNode, ledger: Ledger, stop: threading.Event) -> None:
    path = f"/{node.origin.partition('/')[2]}/checkpoint"
    while not stop.is_set():
        try:
            answer = node.get(path)
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            if answer.status_code == 200:
                ledger.notes.add(answer.content)
            time.sleep(0.005)


def _check(node: TestNode, ledger: Ledger, folder: Path) -> dict[str, Any]:
    settled = _settle(node, ledger)
    # Waiting, placed, signed and merged: the last of it follows a moment after the answer to whoever publishes.
    wait_until(lambda: json.loads(node.command("status", "--json").stdout)["queue"] == 0)
    wait_until(lambda: node.log(node).held_size == node.log(node).placed_size)
    assert not ledger.unexpected, ledger.unexpected[0]
    said = (node.home / "serve.log").read_text()
    assert "Traceback" not in said, said[said.index("Traceback") - 1_000 :][:4_000]
    assert PASSPHRASE not in said
    card = json.loads(fetch_card(node.url, node.fingerprint, folder / "stock").read_bytes())
    ask_as(node.credentials)
    entries, _tiles = read_log(card, card["logs"][0])
    statements = [json.loads(entry) for entry in entries]
    places = {one["id"]: place for place, one in enumerate(statements)}
    assert len(places) == len(statements), "an id stands in the log twice"
    counts = Counter(signal["value"] for one in statements for signal in one["signals"] if signal["type"] == "sha256")
    assert set(counts.values()) == {1}, "something stands in the log twice"
    assert ledger.certain <= counts.keys(), "something was acknowledged and is not in the log"
    assert ledger.indices.keys() <= places.keys(), "an id was acknowledged and is not in the log"
    moved = {one: place for one, place in ledger.indices.items() if place not in (None, places[one])}
    assert not moved, f"renumbered: {moved}"
    for request in ledger.unanswered:  # nobody was told, so either is right, but nothing in between
        assert sum(value in counts for value in request.values) in (0, len(request.values))
    _check_checkpoints(ledger.notes, [leaf_hash(entry) for entry in entries])
    digest = node.digest()
    assert read_member(card)["digest"] == digest
    rebuilt = json.loads(node.command("rebuild", "--json").stdout)
    assert (rebuilt["signals_mended"], rebuilt["owners_mended"]) == (0, 0), rebuilt
    assert node.digest() == digest
    return {
        "kills of the node": ledger.node_kills,
        "kills of commands": ledger.command_kills,
        "listings acknowledged": len(ledger.certain),
        "entries in the log": len(entries),
        "requests cut off": settled + len(ledger.unanswered),
        "of them taken over and done once": settled,
        "checkpoints seen": len(ledger.notes),
        "digest": digest,
    }


def _settle(node: TestNode, ledger: Ledger) -> int:
    """Send requests once more that were cut off long enough ago; how many were answered then."""
    requests, ledger.unanswered = ledger.unanswered, []
    for request in requests:
        if time.monotonic() - request.sent_at > TAKEN_OVER_SECONDS + 5:
            assert _send(node, ledger, request)
        else:
            ledger.unanswered.append(request)
    return len(requests) - len(ledger.unanswered)


def _check_checkpoints(notes: set[bytes], leaves: list[bytes]) -> None:
    """Compare every checkpoint that was served with the log as it is now."""
    roots: dict[int, str] = {}
    for note in notes:
        _origin, size, root, *_ = open_note(note)[0].decode().split("\n")
        assert roots.setdefault(int(size), root) == root, f"two roots were signed at size {size}"
    for count, signed in roots.items():
        assert tree_hash(leaves[:count]) == unbase64(signed), f"the checkpoint of size {count} is not that of this log"
