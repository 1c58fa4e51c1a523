"""Read a member's logs over HTTP, believe nothing that is not proven, and say what is listed there.

A reader written apart from the node, to check it by: it has nothing but the standard library, ``cryptography``, the
C2SP documents signed-note, tlog-checkpoint, tlog-cosignature and tlog-tiles, RFC 6962 and docs/protocol.md. It is slow
and plain on purpose, and holds everything in memory. It is given the card that the member's trust repository leads to,
as any TUF client fetches it, and with a request key of a member whom the node answers (RFC 9421; its passphrase, where
it has one, is in the variable PASSPHRASE), and run in the folder ``tests``::

    python -m independent.read_log --card member.json --as beta/beta-request-1 --key keys/request.key

and writes JSON with logs, counts and digest; with ``--list`` each live listing, too. Exit code 1: it refused.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import gzip
import hashlib
import json
import os
import re
import sys
import time
import urllib.request
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from independent.sign_request import Credentials
from independent.statements import Merged

WIDTH = 256
LOG_KEY, COSIGNATURE_KEY = 1, 4


class RefusedError(Exception):
    """What was read must not be believed, or could not be read; the text says what and where."""


class Checkpoint(NamedTuple):
    """Size in entries and root of a log."""

    size: int
    root: bytes


# Trees: RFC 6962, section 2.1


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """Give the Merkle tree hash over leaf hashes."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:half]) + tree_hash(leaves[half:])).digest()


# Notes: C2SP signed-note, tlog-checkpoint, tlog-cosignature


def unbase64(text: str) -> bytes:
    """Decode canonical base64."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise RefusedError(f"this is no base64: {text!r}") from error
    if base64.b64encode(data).decode() != text:
        raise RefusedError(f"this is no canonical base64: {text!r}")
    return data


def verifier_key(text: str, kind: int) -> tuple[str, bytes, Ed25519PublicKey]:
    """Read a verifier key: its name, its key id, and the key."""
    name, key_id, encoded = text.split("+", 2)
    data = unbase64(encoded)
    wanted = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if data[0] != kind or len(data) != 33 or bytes.fromhex(key_id) != wanted:
        raise RefusedError(f"this is no verifier key of type {kind}: {text}")
    return name, wanted, Ed25519PublicKey.from_public_bytes(data[1:])


def open_note(note: bytes) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
    """Split a note into its text and its signatures: name, key id, and what follows it."""
    text, gap, lines = note.rpartition(b"\n\n")
    if not gap or not lines.endswith(b"\n"):
        raise RefusedError("the checkpoint is no signed note")
    signatures = []
    for line in lines.decode().splitlines():
        dash, name, encoded = line.split(" ")
        data = unbase64(encoded)
        if dash != "\u2014" or len(data) < 5:
            raise RefusedError(f"this is no signature line: {line}")
        signatures.append((name, data[:4], data[4:]))
    return text + b"\n", signatures


def read_checkpoint(note: bytes, card: dict[str, Any], log: dict[str, Any]) -> Checkpoint:
    """Verify a checkpoint by the keys of the card: the log's own signature, and the member's cosignature."""
    text, signatures = open_note(note)
    origin, size, root, *_ = text.decode().split("\n")
    if origin != log["origin"] or not re.fullmatch("0|[1-9][0-9]*", size) or len(unbase64(root)) != 32:
        raise RefusedError(f"this is no checkpoint of {log['origin']}: {text!r}")
    keys = {(name, key_id): key for name, key_id, key in (verifier_key(one, LOG_KEY) for one in log["keys"])}
    witnesses = {}
    for one in card["witness_keys"]:
        name, key_id, key = verifier_key(one["key"], COSIGNATURE_KEY)
        witnesses[name, key_id] = (key, (one["from"], one["until"]))
    signed = cosigned = False
    for name, key_id, signature in signatures:
        if (name, key_id) in keys:
            verify(keys[name, key_id], signature, text, name)
            signed = True
        elif (name, key_id) in witnesses:
            witness, (since, until) = witnesses[name, key_id]
            seconds = int.from_bytes(signature[:8], "big")
            verify(witness, signature[8:], f"cosignature/v1\ntime {seconds}\n".encode() + text, name)
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
            cosigned = cosigned or since <= moment <= until
    if not signed or not cosigned:
        raise RefusedError(f"{origin}: the checkpoint lacks the log's signature or the member's own cosignature")
    return Checkpoint(int(size), unbase64(root))


def verify(key: Ed25519PublicKey, signature: bytes, message: bytes, name: str) -> None:
    """Verify an Ed25519 signature."""
    try:
        key.verify(signature, message)
    except InvalidSignature as error:
        raise RefusedError(f"a signature of {name} is wrong") from error


# Transfer: C2SP tlog-tiles


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object, **_options: object) -> None:
        return None


class _Signs(urllib.request.BaseHandler):
    """Signs every request, once it is known who asks."""

    credentials: Credentials | None = None

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        if self.credentials is None:
            return request
        for name, value in self.credentials.headers(request.get_method(), request.full_url).items():
            request.add_header(name, value)
        return request

    https_request = http_request


_SIGNS = _Signs()
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects, _SIGNS)


def ask_as(credentials: Credentials) -> None:
    """Sign whatever is asked for from now on."""
    _SIGNS.credentials = credentials


def fetch(url: str, max_bytes: int, accept: str = "identity") -> bytes:
    """GET a URL."""
    if not url.startswith(("https://", "http://")):
        raise RefusedError(f"this is no URL of a log: {url}")
    request = urllib.request.Request(url, headers={"Accept-Encoding": accept})  # noqa: S310  looked at above
    try:
        with _OPENER.open(request, timeout=60) as answer:
            data: bytes = answer.read(max_bytes + 1)
            if answer.headers.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise RefusedError(f"{url} cannot be read: {error}") from error
    if len(data) > max_bytes:
        raise RefusedError(f"{url} is too long")
    return data


def tile_name(level: str, number: int, width: int) -> str:
    """Give the path of a tile or bundle."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < WIDTH else "")


def tiles(count: int) -> list[tuple[int, int]]:
    """Give number and width of the tiles over so many hashes."""
    return [(number, min(WIDTH, count - number * WIDTH)) for number in range(-(-count // WIDTH))]


def read_entries(url: str, size: int) -> list[bytes]:
    """Download all entries of a log."""
    entries = []
    for number, width in tiles(size):
        place = f"{url}/{tile_name('entries', number, width)}"
        data = fetch(place, WIDTH * 65_537, "gzip")
        at = 0
        for _ in range(width):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            if at + 2 > len(data) or end > len(data):
                raise RefusedError(f"{place} ends too early")
            entries.append(data[at + 2 : end])
            at = end
        if at != len(data):
            raise RefusedError(f"{place} goes on after its last entry")
    return entries


def check_tiles(url: str, leaves: Sequence[bytes]) -> int:
    """Compare every tile of hashes with the entries; how many there are."""
    hashes, level, seen = list(leaves), 0, 0
    while hashes:
        for number, width in tiles(len(hashes)):
            place = f"{url}/{tile_name(str(level), number, width)}"
            if fetch(place, WIDTH * 32) != b"".join(hashes[number * WIDTH :][:width]):
                raise RefusedError(f"{place} does not hold the hashes of the entries below it")
            seen += 1
        hashes = [tree_hash(hashes[at : at + WIDTH]) for at in range(0, len(hashes) - WIDTH + 1, WIDTH)]
        level += 1
    return seen


def read_log(card: dict[str, Any], log: dict[str, Any]) -> tuple[list[bytes], int]:
    """Download a log whole and check it against its checkpoint, or its final size; its entries and tiles."""
    if log["state"] == "open":
        head = read_checkpoint(fetch(f"{log['url']}/checkpoint", 16_384), card, log)
    else:
        head = Checkpoint(log["final"]["size"], unbase64(log["final"]["root"]))
    entries = read_entries(log["url"], head.size)
    leaves = [leaf_hash(entry) for entry in entries]
    if tree_hash(leaves) != head.root:
        raise RefusedError(f"{log['origin']}: the {head.size} entries do not hash to the root that is signed")
    return entries, check_tiles(log["url"], leaves)


# A member: docs/protocol.md, Card, Digest


def sequence(card: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Give the logs of one name that count: the closed ones, then the open one, from the last fresh one on."""
    logs = [log for state in ("closed", "open") for log in card["logs"] if (log["name"], log["state"]) == (name, state)]
    fresh = [place for place, log in enumerate(logs) if "fresh" in log]
    return logs[fresh[-1] if fresh else 0 :]


def read_member(card: dict[str, Any]) -> dict[str, Any]:
    """Read all logs of a card, and say what is listed there."""
    logs: dict[str, tuple[list[bytes], Merged]] = {}
    told: dict[str, Any] = {"member": card["member"], "logs": [], "quarantined": 0, "unknown": 0, "live": []}
    seen = 0
    for name in sorted({log["name"] for log in card["logs"]}):
        merged = Merged()
        for log in sequence(card, name):
            entries, count = read_log(card, log)
            merged.take(log, entries)
            logs[log["origin"]] = (entries, merged)
            seen += count
        told["quarantined"] += merged.quarantined
        told["unknown"] += merged.unknown
    digest = hashlib.sha256()
    for origin in sorted(logs, key=str.encode):
        entries, merged = logs[origin]
        named = next(log for log in card["logs"] if log["origin"] == origin)
        if named["name"] != named["kind"]:
            continue
        size = merged.counting[origin]
        root = base64.b64encode(tree_hash([leaf_hash(entry) for entry in entries[:size]])).decode()
        digest.update(f"{origin} {size} {root}\n".encode())
        told["logs"].append({"member": card["member"], "origin": origin, "size": size, "root": root})
        for index, identifier, claims in sorted(
            (index, identifier, claims) for identifier, (where, index, claims) in merged.live.items() if where == origin
        ):
            digest.update(f"{index} {identifier}\n".encode())
            digest.update("".join(f"{kind} {value}\n" for kind, value in claims).encode())
            told["live"].append({"origin": origin, "index": index, "id": identifier, "claims": claims})
    counts = {"listings": len(told["live"]), "claims": sum(len(one["claims"]) for one in told["live"])}
    return {"digest": digest.hexdigest(), **counts, "tiles": seen, **told}


def main() -> int:
    """Read the logs that a card names, and write what they say."""
    parser = argparse.ArgumentParser(description="Read a member's logs, and check every entry.")
    parser.add_argument("--card", type=Path, required=True, help="the member's card, as its trust repository gave it")
    parser.add_argument("--as", dest="name", required=True, help="who asks: MEMBER/KEY-ID")
    parser.add_argument("--key", type=Path, required=True, help="the private request key, as OpenSSH writes it")
    parser.add_argument("--list", action="store_true", help="write every live listing, too")
    given = parser.parse_args()
    key = load_ssh_private_key(given.key.read_bytes(), os.environ.get("PASSPHRASE", "").encode() or None)
    if not isinstance(key, Ed25519PrivateKey):
        parser.error("the key is no Ed25519 key")
    member, _, key_id = given.name.partition("/")
    ask_as(Credentials(member, key_id, key))
    try:
        told = read_member(json.loads(given.card.read_bytes()))
    except (RefusedError, ValueError) as error:
        sys.stderr.write(f"refused: {error}\n")
        return 1
    if not given.list:
        del told["live"]
    json.dump(told, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
