from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_witness import Behind, Lines, PeerWitness
from hashpact_protocol.errors import (
    FetchError,
    FetchRefusedError,
    FetchStatusError,
    FetchTimeoutError,
    FetchTooLargeError,
    ProofError,
)

HASH = "ab" * 32
Script = Callable[[BaseHTTPRequestHandler, bytes], None]


class Witness:
    """A server that answers as a test tells it, and remembers what it was asked."""

    def __init__(self) -> None:
        self.script: Script = lambda _handler, _body: None
        self.asked: list[tuple[str, str, bytes]] = []
        witness = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                witness.asked.append((self.command, self.path, body))
                witness.script(self, body)

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def says(status: int, body: bytes = b"", **headers: str) -> Script:
    def answer(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def witness() -> Iterator[Witness]:
    one = Witness()
    thread = threading.Thread(target=lambda: one.server.serve_forever(poll_interval=0.01))
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()


@pytest.fixture
def client(witness: Witness) -> Iterator[PeerWitness]:
    with Fetcher() as fetcher:
        yield PeerWitness(fetcher, witness.url)


def test_cosignatures_come_as_they_are(witness: Witness, client: PeerWitness) -> None:
    witness.script = says(200, b"lines\n")
    assert client.add_checkpoint(b"body") == Lines(b"lines\n")
    assert witness.asked == [("POST", "/witness/add-checkpoint", b"body")]


def test_the_version_of_our_card_goes_with_it_where_it_is_told(witness: Witness, client: PeerWitness) -> None:
    heard: list[str | None] = []

    def hear(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        heard.append(handler.headers.get("Hashpact-Card"))
        says(200, b"lines\n")(handler, body)

    witness.script = hear
    client.add_checkpoint(b"body")
    client.add_checkpoint(b"body", card=17)
    assert heard == [None, "17"]


def test_a_conflict_says_the_size(witness: Witness, client: PeerWitness) -> None:
    witness.script = says(409, b"17\n")
    assert client.add_checkpoint(b"body") == Behind(17)
    witness.script = says(409, b"<html>")
    with pytest.raises(ProofError):
        client.add_checkpoint(b"body")


@pytest.mark.parametrize("status", [204, 400, 403, 404, 422, 429, 500])
def test_other_statuses(witness: Witness, client: PeerWitness, status: int) -> None:
    witness.script = says(status)
    with pytest.raises(FetchStatusError) as caught:
        client.add_checkpoint(b"body")
    assert caught.value.status == status


def test_a_checkpoint_or_none(witness: Witness, client: PeerWitness) -> None:
    witness.script = says(200, b"note")
    assert client.checkpoint(HASH) == b"note"
    assert witness.asked == [("GET", f"/witness/{HASH}/checkpoint", b"")]
    witness.script = says(404, b"nothing")
    assert client.checkpoint(HASH) is None
    witness.script = says(503)
    with pytest.raises(FetchStatusError):
        client.checkpoint(HASH)


def test_hostile_answers_end(witness: Witness, client: PeerWitness) -> None:
    witness.script = says(200, bytes(20_000))
    with pytest.raises(FetchTooLargeError):
        client.add_checkpoint(b"body")
    with pytest.raises(FetchTooLargeError):
        client.checkpoint(HASH)
    witness.script = says(307, Location="http://127.0.0.1:1/")
    with pytest.raises(FetchRefusedError):
        client.add_checkpoint(b"body")
    silent = threading.Event()

    def stall(_handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        silent.wait(10)

    def babble(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.wfile.write(b"nonsense\r\n\r\n")

    witness.script = stall
    with pytest.raises(FetchTimeoutError):
        client.add_checkpoint(b"body", deadline_seconds=0.2)
    silent.set()
    witness.script = babble
    with pytest.raises(FetchError):
        client.add_checkpoint(b"body")


def test_a_connection_that_was_closed_meanwhile_is_opened_again(witness: Witness, client: PeerWitness) -> None:
    def once(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        says(200, b"lines\n")(handler, body)
        handler.close_connection = True  # without saying so

    witness.script = once
    assert [client.add_checkpoint(b"body") for _ in range(3)] == [Lines(b"lines\n")] * 3


def test_addresses_are_checked_as_for_any_peer() -> None:
    with Fetcher() as fetcher, pytest.raises(FetchRefusedError):
        PeerWitness(fetcher, "http://10.1.2.3").add_checkpoint(b"body")
