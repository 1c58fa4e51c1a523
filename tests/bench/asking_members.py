"""What signed requests cost, and how members are answered while strangers flood a node that answers members only."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from asking import MemberAuth, credentials_of
from hashpact_node import clock
from hashpact_node.assembly import open_node, open_settings
from hashpact_node.services.credentials import Credentials
from nodes import CERTIFICATES, PASSPHRASE, TestNode, make_node, running

ROUNDS = 500
"""So few that a busy machine is through before what was signed first has expired."""

ASKED = 400
WARM_UP = 50
CONNECTIONS = 32
PATH = "/logs/listings-1/checkpoint"
FLOODER = Path(__file__).with_name("flooder.py")


def costs(folder: Path) -> dict[str, float]:
    """Give how long a core takes to sign and to verify one request, in ms, all that a node does for it included."""
    made = make_node(folder, "acme")
    node = open_node(open_settings(made.home, {}), PASSPHRASE.encode)
    try:
        signs = Credentials(node.database, node.keyring, clock.now).headers
        url, body = f"{made.url}{PATH}", b"x" * 1_000

        def received(method: str, sent: bytes) -> list[tuple[str, str]]:
            return [(name.lower(), text) for name, text in signs(method, url, sent).items()]

        signed = [received("GET", b"") for _ in range(ROUNDS)]
        posted = [received("POST", body) for _ in range(ROUNDS)]

        def admit(method: str, fields: list[tuple[str, str]], sent: bytes) -> None:
            node.doorkeeper.remember(node.doorkeeper.check(method, PATH, fields, sent))

        return {
            "sign.get": _each(lambda _: signs("GET", url, b"")),
            "sign.post": _each(lambda _: signs("POST", url, body)),
            "verify.get": _each(lambda number: admit("GET", signed[number], b"")),
            "verify.post": _each(lambda number: admit("POST", posted[number], body)),
        }
    finally:
        node.close()


def flood(folder: Path) -> dict[str, float]:
    """Give the p95 of a member's signed GETs in ms, quietly and under floods, and how many strangers were answered.

    ``unsigned`` strangers sign nothing; ``forged`` ones sign in the name of a member, with a key that is not its own.
    Flooders, the member and the node share this machine.
    """
    node = make_node(folder, "acme")
    credentials = credentials_of("acme", node.home, PASSPHRASE)
    with running(node), httpx.Client(auth=MemberAuth(credentials, node.url), verify=CERTIFICATES, timeout=60) as client:
        found = {"quiet.p95": _p95(client, node)}
        # The signature is a right one, of another path, so that all of it is checked before it is refused.
        forged = credentials.headers("GET", f"{node.url}/logs/another")
        for kind, fields in (("unsigned", dict[str, str]()), ("forged", forged)):
            with _flooded(folder, node, fields) as told:
                found[f"{kind}.p95"] = _p95(client, node)
            statuses = told["statuses"]
            if not set(statuses) <= {"401", "429"}:  # the latter, once too many came from one address
                raise RuntimeError(f"strangers were answered otherwise than 401 and 429: {statuses}")
            found[f"{kind}.rate"] = sum(statuses.values()) / told["seconds"]
    return found


def _each(work: Callable[[int], object]) -> float:
    """Give how long one round takes, in ms of this thread's time: to wait for the disk or for others is not counted."""
    start = time.thread_time()
    for number in range(ROUNDS):
        work(number)
    return (time.thread_time() - start) / ROUNDS * 1_000


def _p95(client: httpx.Client, node: TestNode) -> float:
    times = list[float]()
    for _ in range(WARM_UP + ASKED):
        start = time.perf_counter()
        answer = client.get(f"{node.url}{PATH}")
        times.append((time.perf_counter() - start) * 1_000)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"a member was answered {answer.status_code}: {answer.text}")
    return statistics.quantiles(times[WARM_UP:], n=20, method="inclusive")[-1]


@contextmanager
def _flooded(folder: Path, node: TestNode, fields: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Let strangers ask as often as they can, for the body; what came of it stands in what is given, afterwards."""
    signed = [f"{name}: {text}" for name, text in fields.items()]
    lines = [f"GET {PATH} HTTP/1.1", f"Host: 127.0.0.1:{node.port}", *signed]
    request = folder / "request"
    request.write_bytes("\r\n".join([*lines, "", ""]).encode())
    told: dict[str, Any] = {}
    line = [sys.executable, str(FLOODER), str(node.port), str(CONNECTIONS), str(request)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as flooder:
        try:
            yield told
        finally:
            answered, _ = flooder.communicate("")
    told |= json.loads(answered)
