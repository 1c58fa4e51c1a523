from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hashpact_node.services.credentials import Credentials
from hashpact_node.services.views import own_card
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConfigurationError
from hashpact_protocol.requests import check_request
from own_member import NOW, OwnMember, found_member

URL = "https://beta.example/logs/listings-1/checkpoint"


class Clock:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.now = NOW
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def own(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path, sqlite_database.where)


def test_what_is_signed_is_believed_by_whoever_has_our_card(own: OwnMember) -> None:
    credentials = Credentials(own.database, own.keyring, lambda: NOW)
    with own.database.read() as connection:
        card = own_card(connection)
    (key,) = card.request_keys
    for method, body in (("GET", b""), ("POST", b"a checkpoint")):
        headers = [(name.lower(), value) for name, value in credentials.headers(method, URL, body).items()]
        found = check_request(
            method, URL, headers, body, keys=lambda _member, _key: key.public, now=int(NOW.timestamp())
        )
        assert (found.member, found.key_id) == ("acme", key.id)


def test_two_requests_have_two_nonces(own: OwnMember) -> None:
    credentials = Credentials(own.database, own.keyring, lambda: NOW)
    first, second = (credentials.headers("POST", URL, b"") for _ in range(2))
    assert first["Signature-Input"] != second["Signature-Input"]


def test_a_key_that_the_card_does_not_name_for_now_signs_nothing(own: OwnMember) -> None:
    clock = Clock()
    credentials = Credentials(own.database, own.keyring, clock, lambda: clock.seconds)
    assert credentials.headers("GET", URL, b"")
    clock.now = NOW + timedelta(days=400)
    clock.seconds = 2.0
    with pytest.raises(ConfigurationError, match="no request key that is here and counts now"):
        credentials.headers("GET", URL, b"")
