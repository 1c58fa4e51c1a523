"""The suite's publisher mode on our own node, and on one that is deliberately wrong: every case can fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance import fill
from faulty import Fault, FaultyProxy, Reply, honest
from hashpact_conformance.main import PASSPHRASE as CREDENTIALS_PASSPHRASE
from hashpact_conformance.main import main
from nodes import PASSPHRASE, free_port, make_node


@dataclass
class Stage:
    """A node behind a proxy that can put faults in, and what the suite says about it."""

    url: str
    root: Path
    proxy: FaultyProxy
    folder: Path
    credentials: tuple[str, ...]

    def outcomes(self, pattern: str, fault: Fault = honest, root: Path | None = None) -> dict[str, Any]:
        """Run the cases whose id holds a pattern; gives each outcome with its message."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        self.proxy.fault = fault
        told = ["--url", self.url, "--root", str(root or self.root), "-k", pattern, "--json", str(report)]
        code = main(["publisher", *self.credentials, *told])
        cases = json.loads(report.read_bytes())["cases"]
        assert code == (1 if any(case["outcome"] == "failed" for case in cases) else 0)
        return {case["id"]: (case["outcome"], case["message"]) for case in cases}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("publisher")
    node = make_node(folder, "acme")
    url, port = node.url, node.port
    node.port = free_port()  # it listens there; its member URL is the proxy's address
    fill(node, folder)
    node.start()
    patch = pytest.MonkeyPatch()
    patch.setenv(CREDENTIALS_PASSPHRASE, PASSPHRASE)
    try:
        root = folder / "1.root.json"
        root.write_bytes(node.get("/trust/metadata/1.root.json").content)
        with FaultyProxy(port, node.port) as proxy:
            credentials = ("--as", "acme/acme-request-1", "--key", str(node.home / "keys/request.key"))
            yield Stage(url, root, proxy, folder, credentials)
    finally:
        patch.undo()
        node.kill()


@pytest.fixture(scope="module")
def on_our_node(stage: Stage) -> dict[str, Any]:
    return stage.outcomes("")


def test_our_node_passes(on_our_node: dict[str, Any]) -> None:
    assert {id_: said for id_, said in on_our_node.items() if said[0] == "failed"} == {}
    assert sum(outcome == "passed" for outcome, _ in on_our_node.values()) > 100


# Faults: each is put into a node that is honest otherwise.


def everywhere(change: Callable[[Reply], Reply]) -> Fault:
    return lambda reply: reply if is_next_root(reply) else change(reply)


def is_next_root(reply: Reply) -> bool:
    return reply.path == "trust/metadata/2.root.json"


def nothing_is_missing(reply: Reply) -> Reply:
    return reply if reply.status < 400 else reply.says(200, b"<!DOCTYPE html>")


def careless_headers(reply: Reply) -> Reply:
    careless = reply.told(
        content_type="text/html", cache_control="max-age=31536000, immutable", hashpact_card="0", vary=None
    )
    return careless.told(etag="W/" + reply.headers["etag"]) if "etag" in reply.headers else careless


def no_etags(reply: Reply) -> Reply:
    return reply.told(etag=None) if reply.status == 200 else reply


def json_edit(pattern: str, edit: Callable[[dict[str, Any]], None]) -> Fault:
    """Edit the JSON of trust files; what signed them does not hold any more, which other cases are about."""

    def fault(reply: Reply) -> Reply:
        if reply.status != 200 or not re.search(pattern, reply.path):
            return reply
        value = json.loads(reply.body)
        edit(value)
        return reply.holds(json.dumps(value).encode())

    return fault


def body_edit(pattern: str, edit: Callable[[bytes], bytes]) -> Fault:
    def fault(reply: Reply) -> Reply:
        wanted = reply.status == 200 and reply.body and re.search(pattern, reply.path)
        return reply.holds(edit(reply.body)) if wanted else reply

    return fault


def expires(when: str) -> Callable[[dict[str, Any]], None]:
    return lambda value: value["signed"].update(expires=when)


def bad_form(value: dict[str, Any]) -> None:
    value["signed"].update(_type="mirrors", spec_version="2.0.0")


def wrong_meta(value: dict[str, Any]) -> None:
    for meta in value["signed"].get("meta", {}).values():
        meta.update(length=1, hashes={"sha256": "0" * 64})


def note_lines(edit: Callable[[list[bytes]], list[bytes]]) -> Fault:
    return body_edit("checkpoint$", lambda body: b"\n".join(edit(body.split(b"\n"))))


def flip_base64(line: bytes) -> bytes:
    return line[:-8] + (b"A" if line[-8:-7] != b"A" else b"B") + line[-7:]


def answers(status: int, pattern: str) -> Fault:
    return lambda reply: reply.says(status, b"no") if re.search(pattern, reply.path) else reply


class Once:
    """Answers honestly for the first checkpoint, and otherwise after it."""

    def __init__(self, later: Fault) -> None:
        self.seen = 0
        self.later = later

    def __call__(self, reply: Reply) -> Reply | None:
        if reply.path.endswith("checkpoint"):
            self.seen += 1
        return self.later(reply) if self.seen > 1 else reply


def smaller(reply: Reply) -> Reply:
    if not reply.path.endswith("checkpoint"):
        return reply
    lines = reply.body.split(b"\n")
    return reply.holds(b"\n".join([lines[0], b"1", *lines[2:]]))


def reuse_id(body: bytes) -> bytes:
    """Make the second entry an unknown-listing withdrawal under the first one's id, of the same length."""
    first = re.search(rb'"id":"([0-9a-f-]{36})"', body)
    assert first is not None
    length = int.from_bytes(body[:2])
    at = 2 + length
    second = int.from_bytes(body[at : at + 2])
    withdrawal = (
        b'{"id":"%b","kind":"withdrawal","listing":"%b","note":"%b","reason":"error","time":"2026-11-24T04:00:00Z"}'
    )
    spare = second - len(withdrawal % (first[1], first[1], b""))
    return body[: at + 2] + withdrawal % (first[1], first[1], b"x" * spare) + body[at + 2 + second :]


FAULTS: dict[str, tuple[Fault, str]] = {
    "nothing is missing": (
        everywhere(nothing_is_missing),
        "trust-absent|log-spelling|no-blob|unknown-log|missing-is-not-kept|nothing-beyond|no-high-tiles|fetch-methods",
    ),
    "careless headers": (
        careless_headers,
        "(checkpoint|tile)-(type|caching)|fetch-etag$|card-version-|(full|partial|trust)-caching|-not-kept",
    ),
    "no ETags": (no_etags, "fetch-etag$|fetch-not-modified"),
    "always 304": (
        lambda reply: (
            reply.told(etag='"x"') if reply.status == 200 else reply.says(304) if reply.status == 304 else reply
        ),
        "not-modified-same",
    ),
    "a 403 where the next root would be": (answers(403, r"2\.root\.json"), "roots-end"),
    "another root": (body_edit(r"1\.root\.json", lambda body: body + b" "), "pinned-root"),
    "expired": (json_edit(r"(timestamp|snapshot|targets)\.json$", expires("2020-01-01T00:00:00Z")), "not-expired-[ts]"),
    "valid for ever": (
        json_edit(r"(timestamp|snapshot|targets)\.json$", expires("2099-01-01T00:00:00Z")),
        "trust-validity-[ts]|trust-signed-|trust-meta",
    ),
    "doubled names": (
        body_edit(
            r"(timestamp|snapshot|targets)\.json$", lambda body: body.replace(b'"signed":', b'"a":1,"a":1,"signed":', 1)
        ),
        "trust-strict-[ts]",
    ),
    "metadata of another form": (json_edit(r"(timestamp|snapshot|targets)\.json$", bad_form), "trust-form"),
    "a card that is altered": (body_edit(r"member\.json$", lambda body: body + b" "), "card-file"),
    "a card that is no card": (
        body_edit(r"member\.json$", lambda body: body.replace(b'"open"', b'"ajar"')),
        "trust-card$|trust-rows|trust-witness-key",
    ),
    "another log's checkpoint": (
        note_lines(lambda lines: [b"evil.example/logs/listings-1", *lines[1:]]),
        "notes-origin|notes-signed",
    ),
    "wrong signatures": (
        note_lines(lambda lines: [flip_base64(line) if line.startswith("\u2014".encode()) else line for line in lines]),
        "notes-signed|no-wrong-line|notes-cosigned",
    ),
    "no cosignature": (note_lines(lambda lines: [*lines[:-2], b""]), "notes-cosigned$|notes-fresh"),
    "a cosignature alone": (note_lines(lambda lines: [*lines[:4], *lines[5:]]), "notes-signed|all-keys-sign"),
    "extension lines": (note_lines(lambda lines: [*lines[:3], b"more", *lines[3:]]), "notes-extensions"),
    "17 signatures": (note_lines(lambda lines: [*lines[:-1], *[lines[4]] * 15, b""]), "notes-(signatures|form)"),
    "too large a size": (note_lines(lambda lines: [lines[0], b"4294967297", *lines[2:]]), "notes-sense"),
    "a log that shrinks": (Once(smaller), "notes-again"),
    "an entry that is altered": (
        body_edit("tile/entries/000", lambda body: body[:-1] + bytes([body[-1] ^ 1])),
        "log-root|log-tiles-0|log-tiles-1|log-consistency|log-inclusion|statements-well-formed",
    ),
    "a bundle that is cut": (body_edit("tile/entries/001", lambda body: body[:-1]), "log-bundles|log-root"),
    "wrong tiles": (
        body_edit("tile/[01]/", lambda body: body[:-1] + bytes([body[-1] ^ 1])),
        "log-tiles-[01]|log-inclusion|log-consistency",
    ),
    "partial tiles are gone": (Once(answers(404, r"\.p/")), "shown-stays"),
    "a signal in upper case": (
        body_edit("tile/entries/000", lambda body: re.sub(b'"value":"0{63}1"', b'"value":"' + b"A" * 64 + b'"', body)),
        "statements-signals",
    ),
    "an id that is used twice": (
        body_edit("tile/entries/000", reuse_id),
        "statements-ids$",
    ),
    "another length": (
        lambda reply: reply.told(x_wrong_length="99999999"),
        "content-length|fetch-range|fetch-identity",
    ),
    "a broken coding": (
        body_edit("tile/entries", lambda body: body + b"trailing"),
        "fetch-codings",
    ),
    "codings nobody asked for": (
        lambda reply: reply.told(content_encoding="gzip") if "entries" in reply.path else reply,
        "fetch-identity",
    ),
    "wrong ranges": (
        lambda reply: reply.holds(reply.body[:5]).told(x="1") if "entries" in reply.path and reply.body else reply,
        "log-bundles",
    ),
    "HEAD is not known": (
        lambda reply: reply.says(405) if reply.method == "HEAD" else reply,
        "fetch-head",
    ),
    "redirects": (
        lambda reply: reply.says(302).told(location="/") if reply.status == 404 else reply,
        "no-redirects",
    ),
    "it dies": (
        Once(lambda reply: reply.says(503) if reply.path.endswith("checkpoint") else reply),
        "huge-head|garbage|idle-connections|fetch-modified",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_server_is_found_out(stage: Stage, name: str) -> None:
    fault, pattern = FAULTS[name]
    outcomes = stage.outcomes(pattern, fault)
    assert {id_: said for id_, said in outcomes.items() if said[0] != "failed"} == {}
