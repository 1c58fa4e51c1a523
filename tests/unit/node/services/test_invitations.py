from __future__ import annotations

import json

import pytest

from hashpact_node.services import invitations
from hashpact_node.services.invitations import Invitation, own_invitation, parse_invitation, spoken_lines
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConfigurationError, HashpactError
from own_member import OwnMember

FINGERPRINT = f"3:sha256:{'0123456789abcdef' * 4}"
BETA = Invitation("beta", "Beta Ltd.", "https://beta.example", FINGERPRINT)


def test_an_invitation_is_read_back() -> None:
    assert parse_invitation(BETA.encode(), where="file") == BETA
    assert parse_invitation(BETA.encode() + b"\n", where="file") == BETA


def test_an_own_invitation_names_the_newest_root(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    invitation = own_invitation(acme.database)
    assert (invitation.member, invitation.name, invitation.url) == ("acme", "Acme", "https://acme.example")
    assert invitation.fingerprint.startswith("1:sha256:")
    monkeypatch.setattr(invitations, "newest_root", lambda *_arguments: None)
    with pytest.raises(ConfigurationError, match="no root"):
        own_invitation(acme.database)


def test_a_database_of_nobody_invites_nobody(sqlite_database: Database) -> None:
    with pytest.raises(ConfigurationError, match="no member"):
        own_invitation(sqlite_database)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "something"}, "no invitation"),
        ({"kind": None}, "no invitation"),
        ({"member": "Beta"}, "no member id"),
        ({"member": ""}, "member is missing"),
        ({"name": 1}, "name is missing"),
        ({"url": "http://beta.example"}, "not encrypted"),
        ({"fingerprint": "1:sha256:00"}, "no fingerprint"),
    ],
)
def test_what_is_no_invitation_is_refused(change: dict[str, object], words: str) -> None:
    value = {**json.loads(BETA.encode()), **change}
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(HashpactError, match=words):
        parse_invitation(data, where="file")


@pytest.mark.parametrize("data", [b"", b"no JSON", b"[]", b'{"kind": "hashpact-invitation-1"}', b" " * 9_000])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(HashpactError, match="no invitation"):
        parse_invitation(data, where="file")


def test_a_fingerprint_is_read_aloud_in_four_lines_of_four_groups() -> None:
    lines = spoken_lines(FINGERPRINT)
    assert lines[0] == "root 3"
    assert lines[1] == "line 1: 0123  4567  89ab  cdef"
    assert len(lines) == 5
