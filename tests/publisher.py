"""A publisher that tells tests what they want to hear: a trust repository and logs over real HTTP, honest or not.

Honest unless told otherwise: any answer can be altered, any log can tell another story. It records what it is asked,
and whoever asks for what a reader has no business to ask for fails the test.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust import TrustSigners, create_trust, current_card, publish_card, renew_online
from hashpact_keys.trust_files import TrustFiles, newest, root_fingerprint, versions
from hashpact_protocol.canonical import canonical_bytes
from hashpact_protocol.errors import TileError
from hashpact_protocol.follow import Head
from hashpact_protocol.merkle import CompactRange, leaf_hash, subtree_root
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    NoteSignature,
    VerifierKey,
    cosignature,
    cosignature_message,
    format_checkpoint,
    format_note,
    log_signature,
)
from hashpact_protocol.statements import WellFormed, encode_statement
from hashpact_protocol.tiles import TileId, encode_bundle, encode_tile, parse_path, tile_width
from unit.keys.trust_simulator import new_signer

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
VALID_FOR = timedelta(days=365)
LISTINGS = "listings-1"


@dataclass(frozen=True)
class Asked:
    """One request: the path below the publisher's address, without a slash before it, and its headers in lower case."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """One answer; only the first ``cut`` bytes of the body are sent, where that is given, and the connection ends."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


Alter = Callable[[Reply], Reply]
"""Makes what is answered out of what would honestly be answered (404 where there is nothing)."""


def gone(_honest: Reply) -> Reply:
    """Answer that there is no such thing."""
    return Reply(404, b"nothing here")


def login_page(_honest: Reply) -> Reply:
    """Answer with a page for people, and status 200."""
    return Reply(200, b"<!DOCTYPE html><html><body>Please log in</body></html>", {"Content-Type": "text/html"})


def flipped(honest: Reply) -> Reply:
    """Answer with the lowest bit of the last byte flipped."""
    return replace(honest, body=honest.body[:-1] + bytes([honest.body[-1] ^ 1]))


def says(body: bytes, status: int = 200, **headers: str) -> Alter:
    """Answer this, whatever would be honest."""
    return lambda _honest: Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class ScriptedLog:
    """One log: its entries, what is shown of them, and every tile of the tree over them."""

    def __init__(
        self, member_url: str, slug: str = LISTINGS, *, name: str = "listings", kind: str = "listings"
    ) -> None:
        self.slug, self.name, self.kind = slug, name, kind
        self.url = f"{member_url}/logs/{slug}"
        self.origin = self.url.partition("://")[2]
        self.keys = [Ed25519PrivateKey.generate()]
        self.entries: list[bytes] = []
        self.shown: int | None = None
        self.final: Head | None = None
        self.fresh: int | None = None
        self.erased = False
        self.reason: str | None = None
        self._hashes: dict[tuple[int, int], bytes] = {}

    @property
    def size(self) -> int:
        """How many entries are shown."""
        return len(self.entries) if self.shown is None else self.shown

    def append(self, *statements: WellFormed | bytes) -> None:
        """Add entries; statements are encoded, bytes stand as they are."""
        self.entries += [one if isinstance(one, bytes) else encode_statement(one) for one in statements]

    def tell(self, entries: Sequence[bytes]) -> None:
        """Tell another story from now on."""
        self.entries = list(entries)
        self._hashes.clear()

    def close(self, size: int | None = None, root: bytes | None = None) -> None:
        """End here, or where it is said; the next card says so."""
        size = self.size if size is None else size
        self.final = Head(size, root or self.root(size))

    def root(self, size: int | None = None) -> bytes:
        """Give the root over the first entries, those that are shown unless it is said."""
        size = self.size if size is None else size
        return CompactRange().extend(leaf_hash(entry) for entry in self.entries[:size]).root()

    def verifier_keys(self) -> list[VerifierKey]:
        """Give its keys as the card names them."""
        return [VerifierKey(self.origin, KeyType.ED25519, key.public_key().public_bytes_raw()) for key in self.keys]

    def read(self, tile: TileId) -> bytes | None:
        """Give a tile or a bundle, None beyond what is shown."""
        level = 0 if tile.level is None else tile.level
        if tile.width > tile_width(level, tile.number, self.size):
            return None
        first = tile.number * 256
        if tile.level is None:
            return encode_bundle(self.entries[first : first + tile.width])
        return encode_tile([self._hash(level, index) for index in range(first, first + tile.width)])

    def _hash(self, level: int, index: int) -> bytes:
        found = self._hashes.get((level, index))
        if found is None:
            below = range(index * 256, (index + 1) * 256)
            found = (
                leaf_hash(self.entries[index])
                if level == 0
                else subtree_root([self._hash(level - 1, n) for n in below])
            )
            self._hashes[level, index] = found
        return found


class Publisher:
    """A member with keys, card and logs, and a server on loopback that answers for it.

    ``alterations`` change answers by path (``logs/listings-1/checkpoint``). ``now`` dates what is signed next.
    """

    def __init__(self, member: str = "beta", *, now: datetime = NOW) -> None:
        self.member, self.now, self.begun = member, now, now
        self.alterations: dict[str, Alter] = {}
        self.before: Callable[[Asked], None] = lambda _asked: None
        self.asked: list[Asked] = []
        self.unexpected: list[str] = []
        self.takes: Callable[[bytes], tuple[int, bytes]] | None = None
        self.zstd = False
        self._server = _server(self)
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.01), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.log = ScriptedLog(self.url)
        self.logs = [self.log]
        self.witness = Ed25519PrivateKey.generate()
        self.request = Ed25519PrivateKey.generate()
        self._signers = TrustSigners((new_signer(),), (new_signer(),), root=(new_signer(),))
        self.files: TrustFiles = create_trust(self._signers, self.card(), now)

    @property
    def prefix(self) -> str:
        """The beginning of its names: its URL without the scheme."""
        return self.url.partition("://")[2]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its root."""
        return root_fingerprint(self.root_file)

    @property
    def root_file(self) -> bytes:
        """Its newest root."""
        root = newest(self.files, TrustRole.ROOT)
        assert root is not None
        return root

    @property
    def card_version(self) -> int:
        """The version of the card that it serves."""
        return current_card(self.files)[0]

    def card(self, **changes: object) -> bytes:
        """Write its card as things stand, with fields changed."""
        since, until = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (self.begun - VALID_FOR, self.begun + VALID_FOR))
        period = {"from": since, "until": until}
        request_key = {
            "id": f"{self.member}-request-1",
            "key": base64.b64encode(self.request.public_key().public_bytes_raw()).decode(),
            **period,
        }
        value = {
            "contacts": [],
            "logs": [_card_log(log) for log in self.logs],
            "member": self.member,
            "name": self.member.capitalize(),
            "request_keys": [request_key],
            "url": self.url,
            "witness_keys": [{"key": str(self.witness_key), **period}],
        }
        return canonical_bytes(value | changes)

    @property
    def witness_key(self) -> VerifierKey:
        """Its witness key, under its name."""
        return VerifierKey(
            f"{self.prefix}/witness-1", KeyType.COSIGNATURE, self.witness.public_key().public_bytes_raw()
        )

    def publish(self, **changes: object) -> None:
        """Publish a new card: logs and keys as they stand now, with fields changed."""
        self.files = publish_card(self.files, self.card(**changes), self._signers, self.now)

    def renew(self) -> None:
        """Sign timestamp and snapshot anew."""
        self.files = renew_online(self.files, self._signers.online, self.now)

    def add_log(self, slug: str, **terms: Any) -> ScriptedLog:
        """Add a log; the next card names it."""
        log = ScriptedLog(self.url, slug, **terms)
        self.logs.append(log)
        return log

    def note(
        self,
        log: ScriptedLog | None = None,
        *,
        origin: str | None = None,
        size: int | None = None,
        root: bytes | None = None,
        keys: Sequence[Ed25519PrivateKey] | None = None,
        cosigned: datetime | None = None,
        more: Sequence[NoteSignature] = (),
    ) -> bytes:
        """Sign a checkpoint of a log, of what it shows unless it is said, cosigned now unless it is said."""
        log = log or self.log
        size = log.size if size is None else size
        text = format_checkpoint(Checkpoint(origin or log.origin, size, root or log.root(size)))
        signatures = [
            log_signature(VerifierKey(log.origin, KeyType.ED25519, key.public_key().public_bytes_raw()), key.sign(text))
            for key in (log.keys if keys is None else keys)
        ]
        timestamp = int((cosigned or self.now).timestamp())
        own = cosignature(self.witness_key, timestamp, self.witness.sign(cosignature_message(text, timestamp)))
        return format_note(Note(text, (*signatures, own, *more)))

    def alter(self, path: str, alter: Alter) -> None:
        """Alter the answer for a path, below the first log unless it begins with ``/``."""
        self.alterations[self._full(path)] = alter

    def mend(self) -> None:
        """Be honest again."""
        self.alterations.clear()

    def paths(self, beginning: str = "") -> list[str]:
        """Give the paths that were asked for, in order, that begin so: below the first log, or after ``/``."""
        full = self._full(beginning)
        return [asked.path for asked in self.asked if asked.path.startswith(full)]

    def forget(self) -> None:
        """Forget what was asked so far."""
        self.asked.clear()

    def answer(self, asked: Asked) -> Reply:
        """Answer one request, and remember it."""
        self.asked.append(asked)
        self.before(asked)
        honest = self._honest(asked)
        alter = self.alterations.get(asked.path)
        if alter is not None:
            return alter(honest or gone(Reply()))
        if honest is None:
            self.unexpected.append(asked.path)
            return gone(Reply())
        return honest

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if kind is None:
            assert not self.unexpected, f"nobody should ask for {self.unexpected}"

    def _full(self, path: str) -> str:
        return path[1:] if path.startswith("/") else f"logs/{LISTINGS}/{path}"

    def _honest(self, asked: Asked) -> Reply | None:
        """Give the honest answer; None for what no reader should ask for."""
        if asked.path.startswith(("witness/", "mirror/")):
            return Reply(404, b"nothing was cosigned here")
        if asked.path.startswith("trust/"):
            return self._trust_file(*asked.path.split("/", 2)[1:])
        for log in self.logs:
            place = f"logs/{log.slug}/"
            if asked.path.startswith(place):
                path = asked.path.removeprefix(place)
                return self._checkpoint(log, asked) if path == "checkpoint" else self._tile(log, path, asked)
        return None

    def _trust_file(self, place: str, name: str) -> Reply | None:
        data = self.files.get((place, name))
        if data is not None:
            return Reply(200, data)
        next_root = f"{versions(self.files, TrustRole.ROOT)[-1] + 1}.root.json"
        return Reply(404) if name == next_root else None  # the end of the walk over roots

    def _checkpoint(self, log: ScriptedLog, asked: Asked) -> Reply:
        headers = {"Hashpact-Card": str(self.card_version)}
        if log.final is not None:
            return Reply(410, b"closed", headers)
        note = self.note(log)
        headers["ETag"] = f'"{hashlib.sha256(note).hexdigest()[:16]}"'
        if asked.headers.get("if-none-match") == headers["ETag"]:
            return Reply(304, b"", headers)
        return Reply(200, note, headers)

    def _tile(self, log: ScriptedLog, path: str, asked: Asked) -> Reply | None:
        try:
            tile = parse_path(path)
        except TileError:
            return None
        data = log.read(tile)
        if data is None:
            return None
        if self.zstd and tile.level is None and "zstd" in asked.headers.get("accept-encoding", ""):
            return Reply(200, zstandard.ZstdCompressor().compress(data), {"Content-Encoding": "zstd"})
        return Reply(200, data)


def _card_log(log: ScriptedLog) -> dict[str, Any]:
    value: dict[str, Any] = {
        "keys": [str(key) for key in log.verifier_keys()],
        "kind": log.kind,
        "name": log.name,
        "origin": log.origin,
        "state": "open",
        "url": log.url,
    }
    if log.final is not None:
        value["final"] = {"root": base64.b64encode(log.final.root).decode(), "size": log.final.size}
        value["state"] = "closed"
    if log.fresh is not None:
        value["fresh"] = log.fresh
    if log.erased:
        value["erased"] = True
    if log.reason is not None:
        value["reason"] = log.reason
    return value


def _server(publisher: Publisher) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Take a checkpoint to be cosigned, where the test says how."""
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, answer = (404, b"") if publisher.takes is None else publisher.takes(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = publisher.answer(Asked(self.path.removeprefix("/"), headers))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 304:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut])

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_arguments: object) -> None:
            """Say nothing when a reader hangs up."""

    return Server(("127.0.0.1", 0), Handler)
