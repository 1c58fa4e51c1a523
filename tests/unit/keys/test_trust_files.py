from __future__ import annotations

from datetime import timedelta

import pytest

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_files import (
    TIMESTAMP_FILE,
    card_of,
    current_chain,
    newest,
    root_fingerprint,
    roots,
    version_of,
    versioned,
    versions,
)
from hashpact_protocol.errors import TrustError
from unit.keys.trust_simulator import Member


def test_versions_are_numbers_and_not_text() -> None:
    files = {versioned(TrustRole.ROOT, version): b"" for version in (9, 10, 1)}
    files |= {("targets", "7.root.json"): b"", ("metadata", "01.root.json"): b"", ("metadata", "root.json"): b""}
    assert versions(files, TrustRole.ROOT) == [1, 9, 10]
    assert set(roots(files)) == {versioned(TrustRole.ROOT, version) for version in (1, 9, 10)}


def test_the_newest_of_a_role_is_found() -> None:
    member = Member()
    member.rotate()
    assert version_of(TrustRole.ROOT, member.root_bytes, where="x") == 2
    assert newest(member.files, TrustRole.TIMESTAMP) == member.files[TIMESTAMP_FILE]
    assert newest({}, TrustRole.TARGETS) is None


def test_the_chain_is_what_a_reader_fetches() -> None:
    member = Member()
    whole = dict(member.files)
    del whole[versioned(TrustRole.ROOT, 1)]
    member.now += timedelta(hours=1)
    member.publish(member.card(name="Acme"))
    first = {**member.files, TIMESTAMP_FILE: whole[TIMESTAMP_FILE]}
    assert current_chain(first) == whole
    assert len(current_chain(member.files)) == 4


def test_a_broken_chain_ends_where_it_breaks() -> None:
    files = Member().files
    targets = newest(files, TrustRole.TARGETS)
    assert targets is not None
    without_card = {file: data for file, data in files.items() if file != card_of(targets, where="x")}
    assert len(current_chain(without_card)) == 3
    assert current_chain({}) == {}


def test_what_is_no_root_has_no_fingerprint() -> None:
    with pytest.raises(TrustError):
        root_fingerprint(b"<html>login</html>")
