"""A small witness of C2SP tlog-witness, written apart from our node's, in which any rule can be left out by name."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hashpact_conformance.publisher.site import Site
from hashpact_conformance.publisher.trust_chain import read_chain
from hashpact_protocol.card import parse_card
from hashpact_protocol.errors import ConsistencyError, HashpactError, SignatureError
from hashpact_protocol.merkle import EMPTY_ROOT, verify_consistency
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    NoteSignature,
    VerifierKey,
    cosignature,
    cosignature_message,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from hashpact_protocol.requests import check_request

BODY_MAX_BYTES = 64 * 1024
PROOF_LINES_MAX = 63
HASH_BYTES = 32
RACE_SECONDS = 2.0

RULES = frozenset(
    {
        "form",
        "signature",
        "origin",
        "old-size",
        "old-above",
        "proof",
        "same-root",
        "empty-root",
        "proof-from-nothing",
        "atomic",
        "signs-right",
        "clock",
        "size-type",
        "size-text",
        "monitoring",
        "monitoring-404",
        "methods",
        "body-cap",
        "answer-form",
        "strangers",
        "extensions",
        "requests",
    }
)


@dataclass
class SmallWitness:
    """Answers on loopback; ``left_out`` names the rules that it does not keep."""

    left_out: set[str] = field(default_factory=set)
    keys: dict[str, list[VerifierKey]] = field(default_factory=dict)
    request_keys: dict[tuple[str, str], bytes] = field(default_factory=dict)
    held: dict[str, tuple[int, bytes, bytes]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    crowd: threading.Condition = field(default_factory=threading.Condition)
    inside: Counter[str] = field(default_factory=Counter)
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def key(self) -> VerifierKey:
        """The key of its cosignatures."""
        return VerifierKey("small.example/witness-1", KeyType.COSIGNATURE, self.private.public_key().public_bytes_raw())

    def keeps(self, rule: str) -> bool:
        """Say whether it keeps a rule."""
        assert rule in RULES
        return rule not in self.left_out

    def learn(self, url: str, member: str) -> None:
        """Follow the logs of a member's card."""
        site = Site(url)
        try:
            pinned = site.get("trust/metadata/1.root.json").ok().body
            card = parse_card(read_chain(site, pinned).card, member=member, url=url)
        finally:
            site.client.close()
        self.keys |= {log.origin: list(log.keys) for log in card.logs}
        self.request_keys |= {(member, key.id): key.public for key in card.request_keys}

    def is_signed(self, url: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Say whether a member that it knows has signed a POST."""
        fields = [(name.lower(), value) for name, value in headers.items()]
        now = int(time.time())  # noqa: TID251  (not part of the node)
        try:
            check_request("POST", url, fields, body, keys=lambda *named: self.request_keys.get(named), now=now)
        except SignatureError:
            return not self.keeps("requests")
        return True

    def add(self, body: bytes) -> tuple[int, bytes, str]:
        """Answer add-checkpoint: status, body and type."""
        if len(body) > BODY_MAX_BYTES:
            if self.keeps("body-cap"):
                return 413, b"too large", "text/plain"
            body = body[:BODY_MAX_BYTES].rstrip(b"x")
        try:
            old, proof, data = self._parse(body)
            note = parse_note(data)
            checkpoint = parse_checkpoint(note.text)
        except (HashpactError, ValueError):
            return (400 if self.keeps("form") else 200), b"malformed", "text/plain"
        keys = self.keys.get(checkpoint.origin, [])
        if not keys and self.keeps("origin"):
            return 404, b"unknown log", "text/plain"
        refused = self._refused(note, checkpoint, keys)
        if refused:
            return 403, refused.encode(), "text/plain"
        with self.lock if self.keeps("atomic") else nullcontext():
            return self._advance(checkpoint.origin, old, proof, (checkpoint.size, checkpoint.root, data), note.text)

    def _parse(self, body: bytes) -> tuple[int, list[bytes], bytes]:
        """Read a request: old size, proof, note; ValueError where it does not have its form."""
        head, _, data = body.partition(b"\n\n")
        first, *lines = head.decode().split("\n")
        if not self.keeps("form"):
            data = data.replace(b"\r", b"").replace(b"\x00", b"")
            return int(re.sub("[^0-9]", "", first) or "0"), [], data
        old = re.fullmatch("old (0|[1-9][0-9]{0,18})", first)
        proof = [base64.b64decode(line, validate=True) for line in lines]
        whole = all(len(one) == HASH_BYTES for one in proof) and lines == [
            base64.b64encode(one).decode() for one in proof
        ]
        if old is None or not whole or len(proof) > PROOF_LINES_MAX:
            raise ValueError
        return int(old[1]), proof, data

    def _refused(self, note: Note, checkpoint: Checkpoint, keys: list[VerifierKey]) -> str:
        if not self.keeps("strangers") and len(note.signatures) > 2:
            return "strangers"
        if not self.keeps("extensions") and checkpoint.extensions:
            return "extensions"
        try:
            verify_note(note, keys)
        except SignatureError as error:
            return error.what if self.keeps("signature") else ""
        return ""

    def _advance(
        self, origin: str, old: int, proof: list[bytes], new: tuple[int, bytes, bytes], text: bytes
    ) -> tuple[int, bytes, str]:
        size, root, data = new
        held_size, held_root, _ = self.held.get(origin, (0, EMPTY_ROOT, b""))
        if not self.keeps("atomic"):
            self._let_another_in(origin)
        if old > size and self.keeps("old-above"):
            return 400, b"old above new", "text/plain"
        if old != held_size and self.keeps("old-size"):
            told = f"{held_size}\n" if self.keeps("size-text") else f"0{held_size}"
            return 409, told.encode(), "text/x.tlog.size" if self.keeps("size-type") else "text/plain"
        wrong = self._wrong(old, size, root, held_root, proof)
        if wrong:
            return 422, wrong.encode(), "text/plain"
        now = int(time.time()) - (0 if self.keeps("clock") else 86_400)  # noqa: TID251  (not part of the node)
        message = cosignature_message(text, now)
        line = cosignature(self.key, now, self.private.sign(message if self.keeps("signs-right") else message + b"x"))
        self._hold(origin, size, root, data, line)
        return 200, (f"{line}\n" if self.keeps("answer-form") else f"ok\n{line}").encode(), "text/plain"

    def _let_another_in(self, origin: str) -> None:
        """Wait for another request that has read what is held, if one comes: that is the race that is to be lost."""
        with self.crowd:
            self.inside[origin] += 1
            self.crowd.notify_all()
            if not self.crowd.wait_for(lambda: self.inside[origin] > 1, RACE_SECONDS):
                self.inside[origin] -= 1

    def _hold(self, origin: str, size: int, root: bytes, data: bytes, line: NoteSignature) -> None:
        shown = data if data.endswith(b"\n") else data + b"\n"
        self.held[origin] = (size, root, shown + f"{line}\n".encode())

    def _wrong(self, old: int, size: int, root: bytes, held_root: bytes, proof: list[bytes]) -> str:
        if size == 0 and root != EMPTY_ROOT:
            return "the empty tree has another root" if self.keeps("empty-root") else ""
        if old == 0:
            return "a proof from nothing" if proof and self.keeps("proof-from-nothing") else ""
        if old == size and root != held_root:
            return "two roots" if self.keeps("same-root") else ""
        try:
            verify_consistency(old, held_root, size, root, proof)
        except (ConsistencyError, HashpactError):
            return "the proof does not hold" if self.keeps("proof") else ""
        return ""

    def monitor(self, name: str) -> tuple[int, bytes]:
        """Answer what was cosigned last of a log, by the hash of its origin."""
        for origin, (_, _, data) in self.held.items():
            if hashlib.sha256(origin.encode()).hexdigest() == name:
                return 200, data if self.keeps("monitoring") else b"\n".join(data.split(b"\n")[:-2]) + b"\n"
        return (404, b"nothing") if self.keeps("monitoring-404") else (200, b"")


@contextmanager
def small_witness() -> Iterator[tuple[SmallWitness, str]]:
    """Serve a small witness for the body; gives it and its URL. GET /learn?MEMBER?URL makes it follow a member."""
    witness = SmallWitness()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if witness.is_signed(f"http://127.0.0.1:{server.server_port}{self.path}", dict(self.headers), body):
                self._answer(*witness.add(body))
            else:
                self._answer(401, b"not signed", "text/plain")

        def do_GET(self) -> None:
            if self.path.startswith("/learn?"):
                member, _, url = self.path.removeprefix("/learn?").partition("?")
                witness.learn(url, member)
                self._answer(200, b"", "text/plain")
            elif self.path.endswith("/checkpoint"):
                status, data = witness.monitor(self.path.split("/")[-2])
                self._answer(status, data, "text/plain")
            else:
                self._answer(404 if witness.keeps("methods") else 200, b"", "text/plain")

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(405 if witness.keeps("methods") else 200, b"", "text/plain")

        do_DELETE = do_PUT  # noqa: N815  (http.server's name)

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response_only(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05), daemon=True)
    thread.start()
    try:
        yield witness, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
