from __future__ import annotations

import pytest

from hashpact_node.api.clients import client_key, organisation_key
from hashpact_node.api.connections import is_public


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "20010db800000000::/64"),
        ("2001:db8::ffff:1", "20010db800000000::/64"),
        ("2001:db8:0:1::1", "20010db800000001::/64"),
        ("", "unknown"),
        ("somebody", "unknown"),
    ],
)
def test_whose_budget_it_is(host: str, key: str) -> None:
    assert client_key(host) == key


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("2001:db8:1:2::1", "20010db80001::/48"),
        ("2001:db8:1:ffff::1", "20010db80001::/48"),
        ("192.0.2.1", None),
        ("::ffff:192.0.2.1", None),
        ("", None),
    ],
)
def test_whose_organisation_it_is(host: str, key: str | None) -> None:
    assert organisation_key(host) == key


@pytest.mark.parametrize(
    ("host", "public"),
    [("8.8.8.8", True), ("2600::1", True), ("127.0.0.1", False), ("10.0.0.1", False), ("::1", False), ("", False)],
)
def test_who_asks_for_nobody_else(host: str, *, public: bool) -> None:
    assert is_public(host) is public
