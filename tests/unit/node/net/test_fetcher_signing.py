"""What is asked of peers is signed, each time that it is sent; what is public is not."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping

import httpx
import pytest

from hashpact_node.net.fetcher import Fetcher
from hashpact_protocol.errors import FetchError, KeyUnavailableError


class Signing:
    """Signs with a number that grows, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str, bytes]] = []

    def __call__(self, method: str, url: str, body: bytes) -> Mapping[str, str]:
        self.given.append((method, url, body))
        return {"Signature": f"number {len(self.given)}"}


@pytest.fixture
def sent() -> list[httpx.Request]:
    return []


@pytest.fixture
def signing() -> Signing:
    return Signing()


@pytest.fixture
def fetcher(signing: Signing, sent: list[httpx.Request]) -> Iterator[Fetcher]:
    """A fetcher whose first connection breaks for what is asked below /broken."""

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(httpx.Request(request.method, request.url, headers=dict(request.headers)))
        if request.url.path.startswith("/broken") and len(sent) == 1:
            raise httpx.RemoteProtocolError("the connection was closed")
        return httpx.Response(200, stream=httpx.ByteStream(b"an answer"))

    with Fetcher(signs=signing, transport=httpx.MockTransport(answer)) as one:
        yield one


def test_what_is_not_public_is_signed_as_it_is_sent(
    fetcher: Fetcher, signing: Signing, sent: list[httpx.Request]
) -> None:
    url = "https://beta.example/pact/logs/listings-1/checkpoint"
    fetcher.get(url, max_bytes=1_000, deadline_seconds=10)
    fetcher.post("https://beta.example/witness/add-checkpoint", b"a body", max_bytes=1_000, deadline_seconds=10)
    assert signing.given == [
        ("GET", url, b""),
        ("POST", "https://beta.example/witness/add-checkpoint", b"a body"),
    ]
    assert [request.headers["signature"] for request in sent] == ["number 1", "number 2"]


@pytest.mark.parametrize("path", ["/trust/metadata/timestamp.json", "/pact/trust/targets/ab.member.json"])
def test_a_trust_repository_is_read_by_nobody_in_particular(fetcher: Fetcher, signing: Signing, path: str) -> None:
    fetcher.get(f"https://beta.example{path}", max_bytes=1_000, deadline_seconds=10)
    assert signing.given == []


def test_what_is_sent_again_is_signed_anew(fetcher: Fetcher, sent: list[httpx.Request]) -> None:
    """The first may have arrived, and its nonce would be refused."""
    fetcher.post("https://beta.example/broken", b"x", max_bytes=1_000, deadline_seconds=10)
    assert [request.headers.get_list("signature") for request in sent] == [["number 1"], ["number 2"]]


def test_a_key_that_cannot_be_had_is_told_as_what_hinders_the_request() -> None:
    def fail(_method: str, _url: str, _body: bytes) -> Mapping[str, str]:
        raise KeyUnavailableError("no such file", where="file:keys/request.key")

    with socket.create_server(("127.0.0.1", 0)) as listener, Fetcher(signs=fail) as fetcher:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/logs/listings-1/checkpoint"
        with pytest.raises(FetchError, match=r"cannot be signed: file:keys/request.key: no such file"):
            fetcher.get(url, max_bytes=1_000, deadline_seconds=10)
