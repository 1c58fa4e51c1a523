"""One answer or one FetchError, within a cap and a deadline: tried over real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import httpcore
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hashpact_node.net import transport
from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.transport import Deadline
from hashpact_protocol.errors import FetchError, FetchRefusedError, FetchTimeoutError, FetchTooLargeError

Script = Callable[[socket.socket, int], None]


class Peer:
    """A server that does to each connection what its script says; scripts get the connection and its number."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.context = context
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/x"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.answer, args=(connection, self.connections), daemon=True).start()

    def answer(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError):
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                self.script(connection, number)

    def close(self) -> None:
        self.listener.close()


@pytest.fixture
def peer() -> Iterator[Callable[[Script], Peer]]:
    peers: list[Peer] = []

    def make(script: Script) -> Peer:
        peers.append(Peer(script))
        return peers[-1]

    yield make
    for one in peers:
        one.close()


@pytest.fixture(autouse=True)
def connections_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer for two requests than an idle connection is kept for."""
    monkeypatch.setattr(transport, "_KEEPALIVE_SECONDS", 600.0)


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with Fetcher() as one:
        yield one


def read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        chunk = connection.recv(65_536)
        if not chunk:
            return request
        request += chunk
    return request


def says(answer: bytes) -> Script:
    def script(connection: socket.socket, _number: int) -> None:
        while read_request(connection):
            connection.sendall(answer)

    return script


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def drips(start: bytes, drop: bytes) -> Script:
    def script(connection: socket.socket, _number: int) -> None:
        read_request(connection)
        connection.sendall(start)
        for _ in range(6_000):  # far longer than any deadline here, though whoever asks is kept waiting by others
            connection.sendall(drop)
            time.sleep(0.02)

    return script


def get(fetcher: Fetcher, peer: Peer, *, max_bytes: int = 1_000, deadline_seconds: float = 60) -> httpx.Response:
    answer = fetcher.get(peer.url, max_bytes=max_bytes, deadline_seconds=deadline_seconds)
    return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body)


def test_body_is_raw_and_headers_are_lower_case(fetcher: Fetcher, peer: Callable[[Script], Peer]) -> None:
    requests: list[bytes] = []

    def script(connection: socket.socket, _number: int) -> None:
        requests.append(read_request(connection))
        connection.sendall(ok(b"not gzip at all", "Content-Encoding: gzip", 'ETag: "a"', "X-Two: 1", "X-Two: 2"))

    answer = fetcher.get(
        peer(script).url, max_bytes=100, deadline_seconds=60, headers={"accept-encoding": "zstd, gzip, identity"}
    )
    assert (answer.status, answer.body) == (200, b"not gzip at all")
    assert answer.headers == {"content-length": "15", "content-encoding": "gzip", "etag": '"a"', "x-two": "1, 2"}
    sent = requests[0].lower()
    assert sent.startswith(b"get /x http/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nuser-agent: hashpact/" in sent
    assert b"\r\naccept-encoding: zstd, gzip, identity\r\n" in sent


def test_connections_are_kept_and_cookies_are_not(fetcher: Fetcher, peer: Callable[[Script], Peer]) -> None:
    requests: list[bytes] = []

    def script(connection: socket.socket, _number: int) -> None:
        while request := read_request(connection):
            requests.append(request)
            connection.sendall(ok(b"x", "Set-Cookie: id=1; Path=/"))

    server = peer(script)
    for _ in range(3):
        fetcher.get(server.url, max_bytes=10, deadline_seconds=60)
    assert server.connections == 1
    assert b"cookie" not in b"".join(requests).lower()


def test_proxies_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, peer: Callable[[Script], Peer]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with Fetcher() as fetcher:
        assert fetcher.get(peer(says(ok(b"x"))).url, max_bytes=10, deadline_seconds=60).body == b"x"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "404 Not Found", "503 Busy"])
def test_other_statuses_are_answers(fetcher: Fetcher, peer: Callable[[Script], Peer], status: str) -> None:
    raw = ok(b"why", status=status) if status[0] in "45" else f"HTTP/1.1 {status}\r\n\r\n".encode()
    answer = fetcher.get(peer(says(raw)).url, max_bytes=100, deadline_seconds=60)
    assert answer.status == int(status[:3])
    assert answer.body == (b"why" if status[0] in "45" else b"")


def test_long_error_page_is_cut_and_its_status_known(fetcher: Fetcher, peer: Callable[[Script], Peer]) -> None:
    server = peer(says(ok(b"p" * 50_000, status="404 Not Found")))
    assert get(fetcher, server, max_bytes=100).status_code == 404
    chunked = b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n" + b"c8\r\n" + b"p" * 200 + b"\r\n0\r\n\r\n"
    answer = get(fetcher, peer(says(chunked)), max_bytes=100)
    assert (answer.status_code, len(answer.content)) == (500, 100)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "file:///etc/passwd", "/elsewhere", "https://x.example/"]
)
def test_redirects_are_refused(fetcher: Fetcher, peer: Callable[[Script], Peer], status: int, target: str) -> None:
    server = peer(says(ok(b"", f"Location: {target}", status=f"{status} Moved")))
    with pytest.raises(FetchRefusedError, match=f"redirect .status {status}") as caught:
        get(fetcher, server)
    assert caught.value.where == server.url
    assert target not in str(caught.value)


def test_cap_is_exact(fetcher: Fetcher, peer: Callable[[Script], Peer]) -> None:
    server = peer(says(ok(b"b" * 1_000)))
    assert len(get(fetcher, server, max_bytes=1_000).content) == 1_000
    with pytest.raises(FetchTooLargeError, match="longer than 999 bytes"):
        get(fetcher, server, max_bytes=999)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 9999999999999999999\r\n\r\n",
        b"Content-Length: 5000000\r\n\r\n",
        b"\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n",
    ],
    ids=["absurd length", "long", "no length", "one endless chunk"],
)
def test_endless_body_stops_at_the_cap(fetcher: Fetcher, peer: Callable[[Script], Peer], head: bytes) -> None:
    sent = 0

    def script(connection: socket.socket, _number: int) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
        for _ in range(4_000):
            connection.sendall(bytes(65_536))
            sent += 65_536

    with pytest.raises(FetchTooLargeError):
        get(fetcher, peer(script), max_bytes=100_000)
    assert sent < 100_000_000


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=[
        "silence", "stall in headers", "header drips", "headers drip", "hints for ever", "stall after headers",
        "body drips", "chunk extension drips", "chunks drip",
    ],
)  # fmt: skip
def test_deadline_is_for_all_of_it(fetcher: Fetcher, peer: Callable[[Script], Peer], start: bytes, drop: bytes) -> None:
    server = peer(drips(start, drop))
    begun = time.monotonic()
    with pytest.raises(FetchTimeoutError, match=r"0\.3 s") as caught:
        get(fetcher, server, deadline_seconds=0.3)
    assert time.monotonic() - begun > 0.25
    assert caught.value.where == server.url


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "in headers", "in body", "in a chunk", "not HTTP", "negative", "two lengths", "huge header"],
)
def test_broken_answers(fetcher: Fetcher, peer: Callable[[Script], Peer], answer: bytes) -> None:
    def script(connection: socket.socket, _number: int) -> None:
        read_request(connection)
        connection.sendall(answer)

    server = peer(script)
    with pytest.raises(FetchError, match="could not be read") as caught:
        get(fetcher, server)
    assert caught.value.where == server.url
    assert caught.value.mend


def test_reset_while_the_body_comes(fetcher: Fetcher, peer: Callable[[Script], Peer]) -> None:
    def script(connection: socket.socket, _number: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhalf")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with pytest.raises(FetchError):
        get(fetcher, peer(script))


def test_nobody_listens(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FetchError, match=r"could not be read: .*refused"):
        fetcher.get(f"http://127.0.0.1:{port}/x", max_bytes=1, deadline_seconds=60)


def test_kept_connection_that_was_closed_is_tried_once_more(fetcher: Fetcher, peer: Callable[[Script], Peer]) -> None:
    def script(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(ok(b"%d" % number))
        read_request(connection)  # and is closed without an answer

    server = peer(script)
    assert get(fetcher, server).content == b"1"
    assert get(fetcher, server).content == b"2"
    assert server.connections == 2


def test_many_threads_share_one_fetcher(fetcher: Fetcher, peer: Callable[[Script], Peer]) -> None:
    def script(connection: socket.socket, _number: int) -> None:
        while request := read_request(connection):
            connection.sendall(ok(request.split(b" ")[1]))

    server = peer(script)
    wrong: list[str] = []

    def work(number: int) -> None:
        for step in range(50):
            path = f"/{number}/{step}"
            answer = fetcher.get(f"http://127.0.0.1:{server.port}{path}", max_bytes=100, deadline_seconds=120)
            if answer.body != path.encode():
                wrong.append(path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert server.connections <= 32  # one a thread, and a few more where a busy machine let one grow old


def test_pool_is_bounded_and_waiting_has_the_deadline(peer: Callable[[Script], Peer]) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def script(connection: socket.socket, _number: int) -> None:
        read_request(connection)
        inside.set()
        go_on.wait(300)
        connection.sendall(ok(b"x"))

    server = peer(script)
    with Fetcher(connections=1) as fetcher:
        first = threading.Thread(target=get, args=(fetcher, server), kwargs={"deadline_seconds": 300})
        first.start()
        assert inside.wait(120)
        with pytest.raises(FetchTimeoutError):
            get(fetcher, server, deadline_seconds=0.2)
        go_on.set()
        first.join()
    assert server.connections == 1


def test_bad_url_is_refused_before_anything_is_sent(fetcher: Fetcher) -> None:
    with pytest.raises(FetchRefusedError):
        fetcher.get("http://acme.example/x", max_bytes=1, deadline_seconds=1)


def test_name_is_resolved_once_and_the_checked_address_is_used(peer: Callable[[Script], Peer]) -> None:
    server = peer(says(ok(b"x")))
    asked: list[str] = []

    def turning(host: str, _port: int) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",) if len(asked) == 1 else ("10.0.0.1",)

    with Fetcher(AddressRules(resolver=turning)) as fetcher:
        url = f"http://localhost:{server.port}/x"
        assert fetcher.get(url, max_bytes=10, deadline_seconds=60).body == b"x"
        assert fetcher.get(url, max_bytes=10, deadline_seconds=60).body == b"x"  # the connection was kept
    assert asked == ["localhost"]
    with Fetcher(AddressRules(resolver=turning)) as fetcher, pytest.raises(FetchRefusedError):
        fetcher.get(url, max_bytes=10, deadline_seconds=60)


def test_next_address_is_tried(peer: Callable[[Script], Peer]) -> None:
    server = peer(says(ok(b"x")))
    for answers in (("::1", "127.0.0.1"), ("127.0.0.2", "127.0.0.1")):
        with Fetcher(AddressRules(resolver=lambda _host, _port, answers=answers: answers)) as fetcher:  # type: ignore[misc]
            assert fetcher.get(f"http://localhost:{server.port}/x", max_bytes=10, deadline_seconds=60).body == b"x"


def test_errors_of_any_transport_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpcore, "SyncBackend", None)  # nothing here may reach the network

    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.DecodingError("odd")

    with Fetcher(transport=httpx.MockTransport(fail)) as fetcher, pytest.raises(FetchError, match="odd"):
        fetcher.get("https://acme.example/x", max_bytes=1, deadline_seconds=1)


def test_deadline_between_chunks() -> None:
    def slow(_request: httpx.Request) -> httpx.Response:
        time.sleep(0.05)
        return httpx.Response(200, stream=httpx.ByteStream(b"late"))

    with Fetcher(transport=httpx.MockTransport(slow)) as fetcher, pytest.raises(FetchTimeoutError) as caught:
        fetcher.get("https://acme.example/x", max_bytes=10, deadline_seconds=0.01)
    assert caught.value.where == "https://acme.example/x"


def test_no_time_outside_of_a_request() -> None:
    with pytest.raises(FetchTimeoutError):
        Deadline(time.monotonic).remaining()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme.example")])
    now = datetime.now(tz=UTC)  # noqa: TID251  a certificate must be valid while the test runs
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("acme.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "acme.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("host", "trusted", "message"),
    [("acme.example", True, None), ("beta.example", True, "could not be read"), ("acme.example", False, "verify")],
    ids=["right", "another name", "unknown authority"],
)
def test_tls_is_checked_against_the_name(certificate: Path, host: str, message: str | None, *, trusted: bool) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    names: list[str | None] = []
    serving.sni_callback = lambda _socket, name, _context: names.append(name)
    server = Peer(says(ok(b"safe")), serving)
    rules = AddressRules((ip_network("127.0.0.0/8"),), lambda _host, _port: ("127.0.0.1",))
    reading = ssl.create_default_context(cafile=str(certificate)) if trusted else None
    with Fetcher(rules, ssl_context=reading) as fetcher:
        url = f"https://{host}:{server.port}/x"
        if message is None:
            assert fetcher.get(url, max_bytes=10, deadline_seconds=60).body == b"safe"
        else:
            with pytest.raises(FetchError, match=message):
                fetcher.get(url, max_bytes=10, deadline_seconds=60)
    server.close()
    assert names == [host]
