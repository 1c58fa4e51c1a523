"""Which addresses a node connects to."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network

import pytest

from hashpact_node.net.addresses import AddressRules, PeerUrl, parse_url, resolve
from hashpact_protocol.errors import FetchError, FetchRefusedError, FetchTimeoutError


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("https://acme.example/", PeerUrl("https", "acme.example", 443, "/")),
        ("https://acme.example:8443/a/b-c_d~e.f", PeerUrl("https", "acme.example", 8443, "/a/b-c_d~e.f")),
        ("https://xn--bcher-kva.example/x", PeerUrl("https", "xn--bcher-kva.example", 443, "/x")),
        ("https://203.0.113.9/x", PeerUrl("https", "203.0.113.9", 443, "/x")),
        ("https://[2a00:1450::1]:444/x", PeerUrl("https", "[2a00:1450::1]", 444, "/x")),
        (
            "http://127.0.0.1:8470/logs/listings-1/checkpoint",
            PeerUrl("http", "127.0.0.1", 8470, "/logs/listings-1/checkpoint"),
        ),
        ("http://localhost/x", PeerUrl("http", "localhost", 80, "/x")),
        ("http://[::1]:65535/", PeerUrl("http", "[::1]", 65535, "/")),
    ],
)
def test_accepted_urls(url: str, parsed: PeerUrl) -> None:
    assert parse_url(url) == parsed
    assert parse_url(url) == parsed  # the second answer comes from the cache


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme.example/x",
        "ftp://acme.example/x",
        "file:///etc/passwd",
        "HTTPS://acme.example/x",
        "https:///x",
        "https://acme.example",  # no path
        "https://acme.example/x?y=1",
        "https://acme.example/x#y",
        "https://acme.example/x y",
        "https://acme.example/x\n",
        "https://acme.example/%2e%2e/x",
        "https://acme.example/é",
        "https://acme.example/a/../x",
        "https://acme.example/./x",
        "https://acme.example\\@evil.example/x",
        "https://ACME.example/x",
        "https://acme.example./x",
        "https://acme..example/x",
        "https://-acme.example/x",
        "https://ac_me.example/x",
        "https://bücher.example/x",
        "https://acme\u3002example/x",
        f"https://{'a' * 64}.example/x",
        f"https://{'a.' * 127}example/x",
        "https://acme.example:/x",
        "https://acme.example:0/x",
        "https://acme.example:0443/x",
        "https://acme.example:65536/x",
        "https://acme.example:+443/x",
        "https://acme.example:443:443/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0x7f.0.0.1/x",
        "https://127.0.0.0x1/x",
        "https://0177.0.0.1/x",
        "https://127.1/x",
        "https://127.0.0.1.1/x",
        "https://256.0.0.1/x",
        "https://acme.1/x",
        "https://acme.0x/x",
        "https://127.0.0.1./x",
        "https://[::1/x",
        "https://[::1]x/x",
        "https://[]/x",
        "https://[fe80::1%25eth0]/x",
        "https://[fe80::1%eth0]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:7f00:1]/x",
        "https://[::7f00:1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[2001:0:7f00:1::]/x",
        "https://[0:0:0:0:0:0:0:1]/x",
        "https://[::0001]/x",
        "https://[2A00::1]/x",
        "https://[v1.x]/x",
        "https://::1/x",
        "http://acme.example/x",
        "http://203.0.113.9/x",
        "http://10.0.0.1/x",
        "http://localhost.example/x",
        "http://app.localhost/x",
    ],
)
def test_refused_urls(url: str) -> None:
    with pytest.raises(FetchRefusedError) as caught:
        parse_url(url)
    assert caught.value.mend


def test_escapes_are_for_those_who_ask_for_them() -> None:
    url = "https://tuf.example/test%5Bone%5D/root.json"
    with pytest.raises(FetchRefusedError):
        parse_url(url)
    assert parse_url(url, escapes=True).path == "/test%5Bone%5D/root.json"


@pytest.mark.parametrize("path", ["/%", "/%4", "/%zz", "/a/%2e%2E/b", "/a%2F..%2Fb", "/[x]", "/a?b=%41"])
def test_wrong_escapes_are_refused(path: str) -> None:
    with pytest.raises(FetchRefusedError):
        parse_url(f"https://tuf.example{path}", escapes=True)
    with pytest.raises(FetchRefusedError):
        parse_url(f"https://tuf%2Eexample{path}", escapes=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@acme.example/x",
        "https://user:hunter2@acme.example",
        "https://user:hunter2@acme.example/x?y",
        "ftp://user:hunter2@acme.example/x",
        "https://user:/hunter2@acme.example/x",
    ],
)
def test_password_is_not_repeated(url: str) -> None:
    with pytest.raises(FetchRefusedError) as caught:
        parse_url(url)
    assert "hunter2" not in str(caught.value)


def rules(*answers: str, allow: Sequence[str] = ()) -> AddressRules:
    return AddressRules(tuple(ip_network(text) for text in allow), lambda _host, _port: answers)


PUBLIC = ("9.9.9.9", "2620:fe::fe")
PRIVATE = (
    "127.0.0.1",
    "0.0.0.0",  # noqa: S104  an address to refuse
    "10.1.2.3",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "233.252.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "feff::1",
    "3fff::1",
    "ff0e::1",
    "2001:db8::1",
    "::ffff:9.9.9.9",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "2001:0:a00:1::",
)


def test_public_addresses_in_the_resolvers_order() -> None:
    assert rules(*PUBLIC).addresses("acme.example", 443, timeout_seconds=5) == PUBLIC
    for literal in PUBLIC:
        assert rules().addresses(literal, 443, timeout_seconds=5) == (literal,)


@pytest.mark.parametrize("address", PRIVATE)
def test_name_that_leads_inside_is_refused(address: str) -> None:
    for answers in ((address,), ("9.9.9.9", address), (address, "9.9.9.9")):
        with pytest.raises(FetchRefusedError, match="public internet") as caught:
            rules(*answers).addresses("acme.example", 443, timeout_seconds=5)
        assert address in str(caught.value.where)
        assert "HASHPACT_ALLOW_NETWORKS" in str(caught.value.mend)


@pytest.mark.parametrize("literal", ["10.1.2.3", "169.254.169.254", "0.0.0.7", "fc00::1", "fe80::1"])
def test_literal_inside_is_refused_unless_loopback(literal: str) -> None:
    with pytest.raises(FetchRefusedError):
        rules().addresses(literal, 443, timeout_seconds=5)


@pytest.mark.parametrize("literal", ["127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_literal_means_this_machine(literal: str) -> None:
    assert rules().addresses(literal, 80, timeout_seconds=5) == (literal,)


def test_localhost_is_loopback_and_nothing_else() -> None:
    assert rules("127.0.0.1", "::1").addresses("localhost", 80, timeout_seconds=5) == ("127.0.0.1", "::1")
    with pytest.raises(FetchRefusedError):
        rules("10.0.0.1").addresses("localhost", 80, timeout_seconds=5)


def test_allowed_networks() -> None:
    allowing = rules("10.1.2.3", "fd00::5", allow=["10.1.0.0/16", "fd00::/8"])
    assert allowing.addresses("acme.example", 443, timeout_seconds=5) == ("10.1.2.3", "fd00::5")
    with pytest.raises(FetchRefusedError):
        rules("10.2.2.3", allow=["10.1.0.0/16"]).addresses("acme.example", 443, timeout_seconds=5)
    assert rules("127.0.0.1", allow=["127.0.0.0/8"]).addresses("acme.example", 443, timeout_seconds=5) == ("127.0.0.1",)


def test_name_without_an_address() -> None:
    with pytest.raises(FetchError, match="cannot be resolved"):
        rules().addresses("acme.example", 443, timeout_seconds=5)


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
def test_resolver_that_fails(error: Exception) -> None:
    def fail(_host: str, _port: int) -> Sequence[str]:
        raise error

    with pytest.raises(FetchError, match=str(error)):
        AddressRules(resolver=fail).addresses("acme.example", 443, timeout_seconds=5)


def test_resolver_that_hangs() -> None:
    go_on = threading.Event()

    def hang(_host: str, _port: int) -> Sequence[str]:
        go_on.wait(10)
        return ("9.9.9.9",)

    with pytest.raises(FetchTimeoutError):
        AddressRules(resolver=hang).addresses("acme.example", 443, timeout_seconds=0.05)
    go_on.set()


def test_the_systems_resolver() -> None:
    assert resolve("127.0.0.1", 80) == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("own", "allowed"),
    [
        ("https://acme.example", False),
        (None, False),
        ("http://127.0.0.1:8470", True),
        ("http://localhost:8470/a", True),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_peers_are_on_loopback_only_where_this_node_is(host: str, own: str | None, *, allowed: bool) -> None:
    rules = replace(AddressRules.of(own, ()), resolver=lambda _host, _port: ("127.0.0.1",))
    if allowed:
        assert rules.addresses(host, 80, timeout_seconds=5)
        return
    with pytest.raises(FetchRefusedError, match="public internet"):
        rules.addresses(host, 80, timeout_seconds=5)
    inside = replace(rules, allow_networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
    assert inside.addresses(host, 80, timeout_seconds=5)
