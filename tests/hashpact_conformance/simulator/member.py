"""A simulated member: its keys, card, logs and trust repository, and what it answers."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from hashpact_conformance.simulator.keys import Key
from hashpact_conformance.simulator.log import SimLog, Witness, encoded, write_note
from hashpact_conformance.simulator.replies import Alter, Reply, gone
from hashpact_conformance.simulator.server import Asked
from hashpact_conformance.simulator.trust import HONEST, Edit, TrustRepository
from hashpact_protocol.canonical import canonical_bytes
from hashpact_protocol.errors import TileError
from hashpact_protocol.notes import NoteSignature
from hashpact_protocol.tiles import parse_path

Value = dict[str, Any]


def unchanged(_card: Value) -> None:
    """Change nothing."""


@dataclass
class Member:
    """One member below one URL; ``now`` dates what it signs. Copies are members of their own at the same URL."""

    id: str
    url: str
    now: datetime
    logs: list[SimLog] = field(default_factory=list)
    witness_key: Key = field(default_factory=Key)
    request_key: Key = field(default_factory=Key)
    trust: TrustRepository = field(init=False)
    alterations: dict[str, Alter] = field(default_factory=dict)
    cosigners: list[Witness] = field(default_factory=list)
    notes: dict[str, bytes] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    may_ask: tuple[str, ...] = ("witness/", "mirror/")
    """What a reader may ask for beyond what is there; it is answered with 404."""

    def __post_init__(self) -> None:
        if not self.logs:
            self.logs = [SimLog(f"{self.prefix}/logs/listings-1")]
        self.trust = TrustRepository(self.now)
        self.trust.write_root()
        self.trust.publish(self.card())

    @property
    def prefix(self) -> str:
        """Its URL without the scheme."""
        return self.url.partition("://")[2]

    @property
    def log(self) -> SimLog:
        """Its first log."""
        return self.logs[0]

    @property
    def witness(self) -> Witness:
        """Its own witness."""
        return Witness(f"{self.prefix}/witness-1", self.witness_key)

    @property
    def card_version(self) -> int:
        """The version of the card that it serves."""
        return self.trust.versions["targets"]

    def copy(self) -> Member:
        """Give another member with the same past, as a thief of its keys would be."""
        return copy.deepcopy(self)

    def dated(self, now: datetime) -> None:
        """Let it be another time."""
        self.now = self.trust.now = now

    def add_log(self, slug: str, **terms: Any) -> SimLog:
        """Add a log; the next card names it."""
        log = SimLog(f"{self.prefix}/logs/{slug}", **terms)
        self.logs.append(log)
        return log

    def card_value(self) -> Value:
        """Give its card as things stand."""
        year = timedelta(days=365)
        period = {"from": _time(self.now - year), "until": _time(self.now + year)}
        return {
            "contacts": [],
            "logs": [_card_log(log) for log in self.logs],
            "member": self.id,
            "name": self.id.capitalize(),
            "request_keys": [
                {"id": f"{self.id}-request-1", "key": encoded(self.request_key.public), **period},
            ],
            "url": self.url,
            "witness_keys": [{"key": str(self.witness.verifier), **period}],
        }

    def card(self, change: Callable[[Value], None] = unchanged) -> bytes:
        """Write its card, with something changed."""
        value = self.card_value()
        change(value)
        return canonical_bytes(value)

    def publish(
        self,
        change: Callable[[Value], None] = unchanged,
        *,
        targets: Edit = HONEST,
        snapshot: Edit = HONEST,
        timestamp: Edit = HONEST,
    ) -> None:
        """Publish a new card, with something changed in it or in the files that lead to it."""
        self.trust.publish(self.card(change), targets=targets, snapshot=snapshot, timestamp=timestamp)

    def publish_with(self, role: str, edit: Edit) -> None:
        """Publish a new card with one of the files that lead to it falsified."""
        self.trust.publish(self.card(), **{role: edit})

    def note(
        self,
        log: SimLog | None = None,
        *,
        text: bytes | None = None,
        lines: Sequence[NoteSignature | str] | None = None,
        own: bool = True,
        cosigned: datetime | None = None,
        more: Sequence[NoteSignature | str] = (),
    ) -> bytes:
        """Sign a checkpoint of a log, of what it shows unless it is said; with its own cosignature and more lines."""
        log = log or self.log
        text = log.text() if text is None else text
        signatures: list[NoteSignature | str] = [log.sign(text, key) for key in log.keys] if lines is None else [*lines]
        if own:
            signatures.append(self.witness.cosign(text, cosigned or self.now))
        signatures += [witness.cosign(text, self.now) for witness in self.cosigners]
        return write_note(text, [*signatures, *more])

    def show(self, note: bytes, log: SimLog | None = None) -> None:
        """Serve these bytes as a log's checkpoint."""
        self.notes[(log or self.log).origin] = note

    def alter(self, path: str, change: Alter) -> None:
        """Alter the answer for a path, below the first log unless it begins with ``/``; a final ``*`` is anything."""
        self.alterations[path[1:] if path.startswith("/") else f"{self.log.path}/{path}"] = change

    def mend(self) -> None:
        """Be honest again."""
        self.alterations.clear()
        self.notes.clear()

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        path = asked.path.removeprefix("/")
        honest = self._honest(path, asked.headers) if asked.method in ("GET", "HEAD") else None
        alter = self._alteration(path)
        if alter is not None:
            return alter(honest or gone(Reply()))
        if honest is None and not path.startswith(self.may_ask):
            self.unexpected.append(f"{asked.method} {asked.path}")
        return honest or gone(Reply())

    def _alteration(self, path: str) -> Alter | None:
        if path in self.alterations:
            return self.alterations[path]
        wide = [p for p in self.alterations if p.endswith("*") and path.startswith(p[:-1])]
        return self.alterations[max(wide, key=len)] if wide else None

    def _honest(self, path: str, headers: Mapping[str, str]) -> Reply | None:
        """Give the honest answer; None for what no reader should ask for."""
        if path.startswith("trust/"):
            return self._trust_file(path.removeprefix("trust/"))
        for log in self.logs:
            if path.startswith(f"{log.path}/"):
                return self._log_file(log, path.removeprefix(f"{log.path}/"), headers)
        return None

    def _trust_file(self, name: str) -> Reply | None:
        data = self.trust.files.get(name)
        if data is not None:
            return Reply(200, data)
        after = f"metadata/{self.trust.versions['root'] + 1}.root.json"
        return Reply(404, b"no") if name == after else None  # the end of the walk over roots

    def _log_file(self, log: SimLog, path: str, headers: Mapping[str, str]) -> Reply | None:
        if path == "checkpoint":
            return self._checkpoint(log, headers)
        if log.erased:
            return Reply(410, b"erased")
        if path.startswith("blob/"):
            blob = log.blobs.get(path.removeprefix("blob/"))
            return None if blob is None else Reply(200, blob)
        try:
            data = log.read(parse_path(path))
        except TileError:
            return None
        return None if data is None else Reply(200, data)

    def _checkpoint(self, log: SimLog, headers: Mapping[str, str]) -> Reply:
        told = {"Hashpact-Card": str(self.card_version)}
        if log.final is not None:
            return Reply(410, b"closed", told)
        note = self.notes[log.origin] if log.origin in self.notes else self.note(log)
        told["ETag"] = f'"{sha256(note).hexdigest()[:16]}"'
        if headers.get("if-none-match") == told["ETag"]:
            return Reply(304, b"", told)
        return Reply(200, note, told)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _card_log(log: SimLog) -> Value:
    value: Value = {
        "keys": [str(log.verifier(key)) for key in log.keys],
        "kind": log.kind,
        "name": log.name,
        "origin": log.origin,
        "state": "open",
        "url": log.url,
    }
    if log.final is not None:
        value["final"] = {"root": base64.b64encode(log.final[1]).decode(), "size": log.final[0]}
        value["state"] = "closed"
    if log.fresh is not None:
        value["fresh"] = log.fresh
    if log.erased:
        value["erased"] = True
    return value


def card_of(member: Member) -> Value:
    """Read back the card that a member serves."""
    named = member.trust.signed("targets")["targets"]["member.json"]["hashes"]["sha256"]
    value: Value = json.loads(member.trust.files[f"targets/{named}.member.json"])
    return value


__all__ = ["HONEST", "Edit", "Member", "card_of"]
