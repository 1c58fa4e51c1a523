from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol import requests
from hashpact_protocol.errors import HashpactError, RequestError, SignatureError, StoreError
from hashpact_protocol.requests import SignedRequest, check_request, sign_request
from independent.sign_request import Credentials, content_digest, covered_lines
from vectors.cases import cases, facts, on_disk
from vectors.generate_requests import request_family

KEY = Ed25519PrivateKey.from_private_bytes(b"7" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
URL = "https://acme.example/pact/logs/listings-1/tile/entries/x001/234"
NONCE = "abcdefghijklmnopqrstuvwx"


def by_name(folder: Path) -> str:
    return folder.name


def checked(
    headers: dict[str, str], method: str = "GET", url: str = URL, body: bytes = b"", now: int = 1_000
) -> SignedRequest:
    lines = [(name.lower(), value) for name, value in headers.items()]
    return check_request(method, url, lines, body, keys=lambda _member, _key: PUBLIC, now=now)


def signed(method: str = "GET", url: str = URL, body: bytes = b"", created: int = 1_000) -> dict[str, str]:
    return sign_request(
        method, url, body, member="beta", key_id="beta-request-1", created=created, nonce=NONCE, sign=KEY.sign
    )


@pytest.mark.parametrize("folder", cases("requests", "request"), ids=by_name)
def test_vectors(folder: Path) -> None:
    case = facts(folder)

    def key(member: str, key_id: str) -> bytes | None:
        found = case["keys"].get(f"{member}/{key_id}")
        return None if found is None else bytes.fromhex(found)

    def check() -> SignedRequest:
        headers = [(name, value) for name, value in case["headers"]]
        body = (folder / "body").read_bytes()
        return check_request(case["method"], case["url"], headers, body, keys=key, now=case["now"])

    if folder.name.endswith("_fail"):
        with pytest.raises(HashpactError) as caught:
            check()
        assert caught.value.code == case["error"]
        return
    found = check()
    seed = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["seeds"][f"{case['member']}/{case['key']}"]))
    signature = b64encode(seed.sign(case["base"].encode("ascii"))).decode()
    assert dict(case["headers"])["signature"].partition("=")[2] == f":{signature}:"
    assert (found.member, found.key_id, found.nonce) == (case["member"], case["key"], case["nonce"])


def test_vectors_are_those_that_the_generator_makes() -> None:
    assert on_disk("requests") == request_family().files


@given(
    st.sampled_from(["GET", "HEAD", "POST", "DELETE"]),
    st.sampled_from([URL, f"{URL}?a=b%20c", "http://127.0.0.1:8470/logs/x", "https://acme.example:443/a"]),
    st.binary(max_size=100),
)
def test_what_is_signed_is_believed(method: str, url: str, body: bytes) -> None:
    found = checked(signed(method, url, body), method, url, body)
    nonce = None if method in {"GET", "HEAD"} else NONCE
    assert found == SignedRequest("beta", "beta-request-1", nonce, 1_120)


@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b"a body")])
def test_what_somebody_else_signs_is_believed(method: str, body: bytes) -> None:
    headers = Credentials("beta", "beta-request-1", KEY).headers(method, URL, body)
    created = int(headers["signature-input"].partition("created=")[2].partition(";")[0])
    assert checked(headers, method, URL, body, now=created).member == "beta"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_we_sign_is_what_somebody_else_would(method: str) -> None:
    """The signature base, as the specification has it, line by line."""
    messages: list[bytes] = []

    def sign(message: bytes) -> bytes:
        messages.append(message)
        return KEY.sign(message)

    headers = sign_request(
        method, f"{URL}?q", b"body", member="beta", key_id="k", created=1_000, nonce=NONCE, sign=sign
    )
    lines = covered_lines(method, f"{URL}?q")
    if method == "POST":
        assert headers["Content-Digest"] == content_digest(b"body")
        lines.append(("content-digest", content_digest(b"body")))
    *covered, last = messages[0].decode().split("\n")
    assert covered == [f'"{name}": {value}' for name, value in lines]
    assert last.partition(": ")[::2] == ('"@signature-params"', headers["Signature-Input"].partition("=")[2])


@given(st.dictionaries(st.sampled_from(["signature-input", "signature", "content-digest"]), st.text(max_size=200)))
def test_nothing_but_a_signature_error_comes_of_any_fields(headers: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        with pytest.raises(SignatureError):
            checked(headers, method)


@given(st.integers(0, 400), st.integers(0, 255))
def test_no_byte_of_a_signed_request_may_change(place: int, byte: int) -> None:
    headers = signed("POST", URL, b"a body")
    text = headers["Signature-Input"]
    place %= len(text)
    changed = f"{text[:place]}{chr(byte)}{text[place + 1 :]}"
    try:
        checked({**headers, "Signature-Input": changed}, "POST", URL, b"a body")
    except SignatureError:
        return
    # What differs is white space or a label alone: what was signed is the same.
    assert changed.partition("=")[2].strip() == text.partition("=")[2].strip() or changed.count(" ") > text.count(" ")


@pytest.mark.parametrize("url", ["https://acme.example/%zz", "/logs/x", "https://acme.example/a b"])
def test_a_url_that_is_none_is_not_signed(url: str) -> None:
    with pytest.raises(RequestError, match="cannot be signed"):
        signed(url=url)


def test_a_key_that_could_not_be_looked_up_is_no_forgery() -> None:
    def broken(_member: str, _key: str) -> bytes:
        raise StoreError("the database is gone")

    with pytest.raises(StoreError):
        check_request("GET", URL, [(n.lower(), v) for n, v in signed().items()], b"", keys=broken, now=1_000)


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ({"now": 1_121}, {}),
        ({"now": 939}, {}),
        ({}, {'hashpact"': 'other"'}),
        ({}, {' "@query"': ""}),
        ({}, {' "@query"': ' "@query" "@scheme"'}),
        ({}, {' "@query"': ' "@query";req'}),
        ({}, {";expires=1060": ""}),
    ],
    ids=str,
)
def test_no_key_is_looked_up_for_what_cannot_count(told: dict[str, int], changes: dict[str, str]) -> None:
    headers = [(name.lower(), value) for name, value in signed().items()]
    for old, new in changes.items():
        headers = [(name, value.replace(old, new)) for name, value in headers]

    asked: list[str] = []

    def keys(member: str, _key: str) -> bytes:
        asked.append(member)
        return PUBLIC

    with pytest.raises(SignatureError):
        check_request("GET", URL, headers, b"", keys=keys, now=told.get("now", 1_000))
    assert asked == []


def test_an_unknown_key_is_refused_as_a_forgery_is(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    said = set()
    for keys in (lambda *_: None, lambda *_: other):
        with pytest.raises(SignatureError) as caught:
            check_request("GET", URL, signed_fields(), b"", keys=keys, now=1_000)
        said.add((caught.value.what, caught.value.mend))
    assert len(said) == 1
    # Not even whoever had nobody's private key would be let in by it.
    monkeypatch.setattr(requests, "_NOBODYS_KEY", KEY.public_key().public_bytes_raw())
    with pytest.raises(SignatureError, match="no request key that counts"):
        check_request("GET", URL, signed_fields(), b"", keys=lambda *_: None, now=1_000)


def signed_fields() -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in signed().items()]
