"""Whom a node answers below /logs, /witness and /mirror: members, by requests that they have signed (RFC 9421)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from hashpact_conformance import clock
from hashpact_conformance.cases import Layer, case
from hashpact_conformance.publisher.shown import Shown
from hashpact_conformance.publisher.site import Site
from hashpact_conformance.signing import Credentials
from hashpact_conformance.simulator.keys import Key

RULE = "docs/protocol.md, Requests"
UNAUTHORIZED = 401
Fields = dict[str, str]
Forge = Callable[[Credentials, str], Fields]


@pytest.fixture
def url(shown: list[Shown], credentials: Credentials) -> str:
    """The checkpoint of a log that every member may read."""
    del credentials  # without any, there is nothing to see
    return f"{shown[0].log.url}/checkpoint"


def ago(seconds: int) -> int:
    return int(clock.now().timestamp()) - seconds


def changed(pattern: str, by: str) -> Forge:
    """Change the input of a signature after it was made."""

    def forge(credentials: Credentials, url: str) -> Fields:
        fields = {name.lower(): value for name, value in credentials.fields("GET", url).items()}
        found, count = re.subn(pattern, by, fields["signature-input"])
        assert count, f"{fields['signature-input']} has nothing of {pattern}"
        return {**fields, "signature-input": found}

    return forge


def doubled(credentials: Credentials, url: str) -> Fields:
    """Two signatures under two labels, each right."""
    first, second = ({name.lower(): value for name, value in credentials.fields("GET", url).items()} for _ in range(2))
    return {name: f"{value}, {second[name].replace('hashpact=', 'other=', 1)}" for name, value in first.items()}


@case(Layer.REQUESTS, "A member's signed request is answered", RULE)
def test_signed(site: Site, url: str) -> None:
    answer = site.get(url).ok()
    assert "private" in answer.cache(), f"{url} has Cache-Control {answer.cache()}: a shared cache may keep it"


@case(Layer.REQUESTS, "A request that nobody signed is a 401, whatever it asks for", RULE)
def test_unsigned(site: Site, url: str, credentials: Credentials) -> None:
    del credentials
    below = site.url
    answers = [site.ask(one, {}) for one in (url, f"{below}/logs/no-such-log/checkpoint", f"{below}/witness/x")]
    answers.append(site.ask(f"{below}/mirror/{'0' * 64}/checkpoint", {}))
    assert {answer.status for answer in answers} == {UNAUTHORIZED}, f"they answer {[a.status for a in answers]}"
    assert len({answer.body for answer in answers}) == 1, "the answers differ, so that they tell what there is"
    assert not any(answer.cache() & {"public", "immutable"} for answer in answers), "a cache may keep the refusal"


@case(Layer.REQUESTS, "A trust repository is read without a signature", RULE)
def test_public(site: Site, credentials: Credentials) -> None:
    del credentials
    site.ask(f"{site.url}/trust/metadata/timestamp.json", {}).ok()


FORGERIES: dict[str, Forge] = {
    "by another key": lambda who, url: who.fields("GET", url, sign=Key().sign),
    "by a member that nobody knows": lambda who, url: who.fields("GET", url, member="nobody-knows-me"),
    "by a key that the card does not name": lambda who, url: who.fields("GET", url, key_id="no-such-key"),
    "for another path": lambda who, url: who.fields("GET", f"{url}s"),
    "for another query": lambda who, url: who.fields("GET", f"{url}?a=b"),
    "for another host": lambda who, url: who.fields("GET", re.sub("//[^/]+", "//elsewhere.example", url)),
    "for another method": lambda who, url: who.fields("HEAD", url),
    "that has expired": lambda who, url: who.fields("GET", url, created=ago(125)),
    "from the future": lambda who, url: who.fields("GET", url, created=ago(-65)),
    "that covers nothing": changed(r"\([^)]*\)", "()"),
    "with components put in another order": changed('"@method" "@authority"', '"@authority" "@method"'),
    "with a component left out": changed(' "@query"', ""),
    "with another tag": changed('tag="hashpact"', 'tag="other"'),
    "without its end": changed(";expires=[0-9]+", ""),
    "of two labels": doubled,
}


@case(Layer.REQUESTS, "A signature {what} is a 401", RULE)
@pytest.mark.parametrize("what", FORGERIES)
def test_forged(site: Site, url: str, credentials: Credentials, what: str) -> None:
    answer = site.ask(url, FORGERIES[what](credentials, url))
    assert answer.status == UNAUTHORIZED, f"it answers {answer.status}"
    site.get(url).ok()


@case(Layer.REQUESTS, "A field of the signature that comes twice is a 401", RULE)
@pytest.mark.parametrize("name", ["Signature", "Signature-Input"])
def test_twice(site: Site, url: str, credentials: Credentials, name: str) -> None:
    fields = credentials.fields("GET", url)
    lines = [*(f"{key}: {value}" for key, value in fields.items()), f"{name}: {fields[name]}"]
    status = Site(site.url, site.dump).raw_get(url.removeprefix(f"{site.url}/"), *lines)
    assert status == UNAUTHORIZED, f"it answers {status}"


@case(Layer.REQUESTS, "A request that changes something counts once", RULE)
def test_replayed(site: Site, credentials: Credentials) -> None:
    url, body = f"{site.url}/witness/add-checkpoint", b"no checkpoint\n"
    fields = credentials.fields("POST", url, body)
    first, second = (site.ask(url, fields, method="POST", body=body) for _ in range(2))
    assert first.status != UNAUTHORIZED, "the first one is refused, too"
    assert second.status == UNAUTHORIZED, f"sent again, it answers {second.status}"


@case(Layer.REQUESTS, "Another body than was signed is a 401", RULE)
def test_other_body(site: Site, credentials: Credentials) -> None:
    url = f"{site.url}/witness/add-checkpoint"
    fields = credentials.fields("POST", url, b"no checkpoint\n")
    answer = site.ask(url, fields, method="POST", body=b"another one!!\n")
    assert answer.status == UNAUTHORIZED, f"it answers {answer.status}"


@case(Layer.REQUESTS, "A POST without a nonce is a 401", RULE)
def test_no_nonce(site: Site, credentials: Credentials) -> None:
    url = f"{site.url}/witness/add-checkpoint"
    answer = site.ask(url, credentials.fields("POST", url, b"x", nonce=""), method="POST", body=b"x")
    assert answer.status == UNAUTHORIZED, f"it answers {answer.status}"
