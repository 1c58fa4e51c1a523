"""A live node as the suite reads it: HTTP that hides nothing, and raw bytes where a client would be too polite."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from hashpact_conformance.dump import Dump
from hashpact_conformance.signing import Credentials

TIMEOUT_SECONDS = 30.0


@dataclass
class Site:
    """One member's node below its URL. Redirects are not followed, proxies not used, bodies not decoded."""

    url: str
    dump: Dump = field(default_factory=lambda: Dump(None))
    credentials: Credentials | None = None
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(follow_redirects=False, timeout=TIMEOUT_SECONDS, trust_env=False)

    def get(self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Ask for a path below the member URL, or for a whole URL; names of headers with ``_`` for ``-``.

        It is signed where that is called for. What cannot be had at all fails the case.
        """
        url = path if "://" in path else f"{self.url}/{path}"
        told = {"accept-encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(url, self.signed(method, url, body or b"") | told, method=method, body=body)

    def signed(self, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        """Give the fields that sign a request; none where the suite has no credentials, or what is asked is public."""
        public = url.startswith(f"{self.url}/trust/")
        return {} if self.credentials is None or public else self.credentials.fields(method, url, body)

    def ask(self, url: str, told: Mapping[str, str], *, method: str = "GET", body: bytes | None = None) -> Answer:
        """Ask with these header fields and no others of ours."""
        try:
            with self.client.stream(method, url, headers=told, content=body) as response:
                answer = Answer(url, response.status_code, response.headers, b"".join(response.iter_raw()))
        except httpx.HTTPError as error:
            raise AssertionError(f"{method} {url} could not be read: {type(error).__name__}: {error}") from error
        self.dump.keep(f"{method}-{urlsplit(url).path}", answer.shown())
        return answer

    def raw(self, request: bytes, *, wait_seconds: float = TIMEOUT_SECONDS) -> bytes:
        """Send bytes on a connection of their own, and give what comes back until it ends or nothing more comes."""
        with self.connected() as link:
            link.settimeout(wait_seconds)
            answer = b""
            try:
                link.sendall(request)
                while chunk := link.recv(65_536):
                    answer += chunk
            except (TimeoutError, ConnectionError):
                pass  # a server may hang up on what it does not like, whenever it wants
        self.dump.keep("raw", request[:2_000] + b"\n--\n" + answer)
        return answer

    def raw_get(self, path: str, *headers: str) -> int:
        """GET a path below the member URL exactly as it is written; gives the status, 0 for no answer."""
        parts = urlsplit(self.url)
        signed = [f"{name}: {value}" for name, value in self.signed("GET", f"{self.url}/{path}").items()]
        head = [f"GET {parts.path}/{path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
        lines = [*head, *signed, *headers, "", ""]
        return status_of(self.raw("\r\n".join(lines).encode("latin-1")))

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """Connect to the node for the body, with TLS where its URL says so."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=TIMEOUT_SECONDS) as plain:
            if parts.scheme == "https":
                with ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname) as secure:
                    yield secure
            else:
                yield plain


@dataclass(frozen=True)
class Answer:
    """One answer, its body as it came over the wire."""

    url: str
    status: int
    headers: httpx.Headers
    body: bytes

    def ok(self) -> Answer:
        """Give the answer, which has to be a 200."""
        assert self.status == httpx.codes.OK, f"{self.url} answers {self.status}, not 200"
        return self

    def cache(self) -> set[str]:
        """Give the directives of Cache-Control."""
        return {part.strip().lower() for part in self.headers.get("cache-control", "").split(",") if part.strip()}

    def shown(self) -> bytes:
        """Write it down for people."""
        head = "".join(f"{name}: {value}\n" for name, value in self.headers.multi_items())
        return f"{self.url}\n{self.status}\n{head}\n".encode() + self.body


def status_of(answer: bytes) -> int:
    """Read the status of a raw answer; 0 where it is none."""
    words = answer.split(b" ", 2)
    return int(words[1]) if answer.startswith(b"HTTP/1.") and len(words) > 1 and words[1].isdigit() else 0
