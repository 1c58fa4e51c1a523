"""A live witness as the suite asks it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from hashpact_conformance.dump import Dump
from hashpact_conformance.signing import Credentials
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.notes import Cosigned, VerifierKey, cosignatures, parse_note

TIMEOUT_SECONDS = 30.0
SIZE_TYPE = "text/x.tlog.size"
RULE = "C2SP tlog-witness, add-checkpoint"
MONITORING = "C2SP tlog-witness, monitor retrieval"


@dataclass
class Witness:
    """A witness below its URL, and the key under which its cosignatures are known."""

    url: str
    key: VerifierKey
    dump: Dump = field(default_factory=lambda: Dump(None))
    credentials: Credentials | None = None
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(follow_redirects=False, timeout=TIMEOUT_SECONDS, trust_env=False)

    def add(self, body: bytes) -> httpx.Response:
        """POST to add-checkpoint; no answer at all fails the case."""
        return self.ask("POST", "add-checkpoint", body)

    def ask(self, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        """Ask for a path below the witness's URL; it is signed where there are credentials."""
        url = f"{self.url}/{path}"
        signed = {} if self.credentials is None else self.credentials.fields(method, url, body or b"")
        return self.ask_with(signed, method, path, body)

    def ask_with(self, signed: Mapping[str, str], method: str, path: str, body: bytes | None = None) -> httpx.Response:
        """Ask with these header fields."""
        try:
            answer = self.client.request(method, f"{self.url}/{path}", content=body, headers=signed)
        except httpx.HTTPError as error:
            raise AssertionError(f"{method} {self.url}/{path}: {type(error).__name__}: {error}") from error
        self.dump.keep(
            f"{method}-{path}", (body or b"")[:100_000] + f"\n= {answer.status_code}\n".encode() + answer.content
        )
        return answer

    def monitored(self, origin: str) -> httpx.Response:
        """Ask what it cosigned last of a log."""
        return self.ask("GET", f"{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint")

    def cosigned(self, body: bytes) -> Cosigned:
        """Have a request answered with 200, and give the witness's cosignature on the checkpoint in it."""
        return self.cosignature(self.expect(200, body), body)

    def cosignature(self, answer: httpx.Response, body: bytes) -> Cosigned:
        """Give the witness's cosignature in an answer; a wrong one fails the case."""
        note = body.split(b"\n\n", 1)[1]
        text, _, _ = note.partition(b"\n\n")
        try:
            found = cosignatures(parse_note(text + b"\n\n" + answer.content), [self.key])
        except HashpactError as error:
            raise AssertionError(f"the answer holds no cosignature by {self.key}: {error}") from error
        assert found, f"the answer holds no cosignature by {self.key}: {answer.content[:300]!r}"
        return found[0]

    def expect(self, status: int | set[int], body: bytes) -> httpx.Response:
        """POST to add-checkpoint, and expect a status."""
        wanted = {status} if isinstance(status, int) else status
        answer = self.add(body)
        said = answer.text.strip()[:200]
        assert answer.status_code in wanted, f"it answers {answer.status_code} ({said!r}), not {sorted(wanted)}"
        return answer

    def held(self, answer: httpx.Response) -> int:
        """Read the size that a 409 tells."""
        text = answer.text
        assert text.endswith("\n"), f"the 409 tells {text!r}, which does not end in a newline"
        size = text.removesuffix("\n")
        assert size.isdecimal(), f"the 409 tells {text!r}, which is no size"
        assert str(int(size)) == size, f"the 409 tells {text!r}, which has leading zeros"
        return int(size)
